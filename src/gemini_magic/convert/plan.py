"""What a prompt asks of whom, worked out for emitters: everything but the target's language."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.config import Backend
from gemini_magic.convert.context import Context
from gemini_magic.convert.names import Names
from gemini_magic.convert.static import Static
from gemini_magic.convert.static_definitions import Unknown
from gemini_magic.convert.steps import Prompt
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.options import settings_of
from gemini_magic.template import Placeholder, Segment
from gemini_magic.types import (
    CODE_EXECUTION,
    SEARCH,
    URL_CONTEXT,
    Message,
    Part,
    Request,
    Settings,
    Tool,
)

_SERVICES = {"search": SEARCH, "url-context": URL_CONTEXT, "code-execution": CODE_EXECUTION}
_ADDRESS = re.compile(r"https?://|gs://", re.I)
#: Options that mean something to a notebook alone, and whose absence changes no request.
_NOTEBOOK_ONLY = frozenset(
    {"force", "fresh", "cached", "timeout", "no-fallback", "as", "allow-remote-images", "quiet",
     "route", "model"}
)  # fmt: skip

#: Options that ask for work of the program's own, beside the request.
OWN_WORK = ("repair", "max-pixels", "tool-timeout")


class Given(NamedTuple):
    """What ``--image`` or ``--file`` names: a ``path``, a ``uri``, an ``address`` or Python."""

    kind: str
    text: str
    mime_type: str = ""


class Use(NamedTuple):
    """A function that the model may have called: the Python that names it, and its declaration.

    ``tool`` is None where its signature cannot be told from the code alone.
    """

    name: str
    expression: str
    tool: Tool | None
    is_async: bool


class Plan(NamedTuple):
    """One prompt. ``request`` holds all but the words: those are ``segments`` and ``system``.

    ``schema`` is the Python expression of the answer's type, empty where it is no type;
    ``schema_known`` says that ``request.schema`` is what the notebook sends. ``sent`` are the words
    and media as they were sent, where that counts.
    """

    cell: GeminiCell
    backend: Backend
    model: str
    request: Request
    segments: tuple[Segment, ...]
    system: tuple[Segment, ...] | None
    given: tuple[Given, ...]
    uses: tuple[Use, ...]
    schema: str = ""
    schema_known: bool = True
    unwrap: bool = False
    sent: tuple[Part, ...] = ()

    @property
    def hops(self) -> int:
        hops = self.cell.get("max-hops")
        return hops if isinstance(hops, int) else 8


def plans(
    prompt: Prompt,
    context: Context,
    static: Static,
    names: Names,
    note: Callable[[str, str], None],
) -> list[Plan]:
    """What a prompt asks; with ``--compare`` one for each model, else one.

    ``note(kind, text)`` takes what the user should know. Raises ``GeminiMagicError`` where nobody
    can be asked.
    """
    cell = prompt.cell
    if not (cell.template.strip() or cell.get("image") or cell.get("file")):
        raise UsageError("the prompt is empty")
    compared = cell.get("compare")
    if not isinstance(compared, tuple):
        return [_plan(cell, prompt.used, context, static, names, note)]
    rest = {name: value for name, value in cell.options if name not in ("compare", "model")}
    note("differs", "--compare asks one model after another here, and gives a list of replies")
    return [
        _plan(GeminiCell.of(cell.template, {**rest, "model": one}), prompt.used, context, static,
              names, note)
        for one in compared
    ]  # fmt: skip


def _plan(
    cell: GeminiCell,
    used: str | None,
    context: Context,
    static: Static,
    names: Names,
    note: Callable[[str, str], None],
) -> Plan:
    targets = list(context.targets(cell, used))
    backend = context.config.backend(targets[0].backend)
    if len(targets) > 1:
        note("route", f"only {targets[0]} is asked; the route went on to {targets[1]}")
    system = cell.text("system")
    segments = tuple(cell.segments)
    said = None
    if system is not None:
        said = tuple([system] if cell.flag("raw") else template.split(system))
    for segment in (*segments, *(said or ())):
        if isinstance(segment, Placeholder) and not names.is_known(segment.name):
            note("undefined", f"{{{{ {segment.name} }}}}: no cell defines {segment.name}")
    uses = _uses(cell, context, static, note)
    document, expression, known = _schema(cell, context, static, note)
    if cell.flag("repair") and document is not None and not expression:
        note("left-out", "--repair: a script checks answers against a type alone")
    request = Request(
        messages=(Message("user", (Part(text="?"),)),),
        system=None if said is None else "?",
        settings=Settings(**{**context.config.generation, **settings_of(cell.options)}),
        schema=document,
        tools=tuple(use.tool or _anything(use.name) for use in uses),
        services=tuple(name for flag, name in _SERVICES.items() if cell.flag(flag)),
    )

    def large(size: int) -> None:
        if backend.kind == "google":
            note("differs", f"a file of {size / 1e6:.0f} MB is sent in the request, not uploaded")

    given = tuple(
        _given(text, context, names, large)
        for option in ("image", "file")
        for text in _texts(cell.get(option))
    )
    return Plan(
        cell, backend, targets[0].model, request, segments, said, given, uses,
        expression, known, not expression and (cell.text("schema") or "").startswith("["),
    )  # fmt: skip


def _texts(given: Any) -> tuple[str, ...]:
    return given if isinstance(given, tuple) else ()


def _given(text: str, context: Context, names: Names, large: Callable[[int], None]) -> Given:
    """What an option names; ``large`` is told the bytes of a file that is not held in memory."""
    from gemini_magic import parts_given
    from gemini_magic.parts_file import part_of_file

    if _ADDRESS.match(text):
        part = None
        if not text.lower().startswith("http") or parts_given.YOUTUBE.match(text):
            part = parts_given.given_parts("file", text, lambda _: None)[0]
        if part is not None:
            return Given("uri", text, part.mime_type or "")
        return Given("address", text)
    try:
        path = (context.folder / text).expanduser()
        is_file = context.may_read(path) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: there is no such user
        is_file = False
    if is_file:
        try:
            part = part_of_file(path)
        except GeminiMagicError:
            return Given("path", text)
        if part.file is not None:
            large(part.file.size)
        return Given("path", text, part.mime_type or "text/plain")
    return Given("expression" if _is_expression(text, names) else "path", text)


def _is_expression(text: str, names: Names) -> bool:
    """Whether it is Python, and not the name of a file that is elsewhere (``data/photo.png``)."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if isinstance(tree, ast.Attribute) and isinstance(tree.value, ast.Name):
        import mimetypes

        return mimetypes.guess_type(text)[0] is None
    if isinstance(tree, ast.BinOp):
        used = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        return bool(used) and all(map(names.is_known, used))
    return not isinstance(tree, ast.Constant)


def _uses(
    cell: GeminiCell, context: Context, static: Static, note: Callable[[str, str], None]
) -> tuple[Use, ...]:
    uses: list[Use] = []
    for expression in _texts(cell.get("tools")):
        name = expression.rpartition(".")[2]
        tool = None
        try:
            tool = context.tool(name, static.function(expression))
        except (Unknown, GeminiMagicError) as problem:
            note("differs", f"--tools {expression} is described when the script runs: {problem}")
        uses.append(Use(tool.name if tool else name, expression, tool, static.is_async(expression)))
    return tuple(uses)


def _anything(name: str) -> Tool:
    return Tool(name, "", '{"type": "object"}')


def _schema(
    cell: GeminiCell, context: Context, static: Static, note: Callable[[str, str], None]
) -> tuple[str | None, str, bool]:
    """The JSON schema, the Python expression of the type, and whether the schema is certain."""
    given = cell.text("schema")
    if given is None:
        return None, "", True
    asked: list[str] = []

    def evaluate(expression: str) -> Any:
        asked.append(expression)
        return static.value(expression)

    try:
        document = context.schema(given, evaluate)
    except GeminiMagicError:
        if not asked:
            raise
        note("differs", f"--schema {given[:40]} is made when the script runs")
        return '{"type": "object"}', given.strip(), False
    if not asked:
        return document, "", True
    if isinstance(static.value(asked[0]), dict):
        return document, "", True
    return document, given.strip(), True


def schema_name(plan: Plan) -> str:
    """What to call the schema: after its type, else SCHEMA."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plan.schema)
    name = re.sub(r"\W+", "_", words).strip("_").upper()
    return f"{name}_SCHEMA" if name and name.isascii() else "ANSWER_SCHEMA"


def schema_of(plan: Plan) -> Any:
    return json.loads(plan.request.schema or "{}")
