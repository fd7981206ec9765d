"""What a prompt sent when the notebook ran, in place of what it would send now (``--freeze``)."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gemini_magic.convert.context import Context
from gemini_magic.convert.frozen import Frozen, frozen
from gemini_magic.convert.notebook_file import Cell
from gemini_magic.convert.plan import Plan
from gemini_magic.convert.pytext import OWN, literal
from gemini_magic.convert.steps import Prompt
from gemini_magic.errors import GeminiMagicError
from gemini_magic.types import Part, Request, Target, digest

#: Bytes up to which media stand in the script itself.
_SMALL = 2_000


class Recorded:
    """The requests of one cell, as they were sent."""

    def __init__(self, cell: Cell, context: Context, note: Callable[[str, str], None]) -> None:
        self._context = context
        self._note = note
        self._asked = bool(cell.asked)
        self._lost: list[str] = []
        self._found = frozen(cell, context.runs, self._lost.append)

    def plans(self, prompt: Prompt, plans: Sequence[Plan]) -> list[Plan] | None:
        """The plans with what was sent; None, and a note, where that is not known."""
        template = digest(prompt.cell.template)
        sent = [one for one in self._found if one.template == template]
        why = ""
        if not self._asked:
            why = "the notebook holds no output of it (--quiet, or it was not run)"
        elif len(self._lost) + len(self._found) == 0 or (not sent and not self._lost):
            why = "it was changed since it ran"
        elif not sent:
            why = self._lost[0]
        elif len({one.request.digest for one in sent}) > 1:
            why = f"it was asked {len(sent)} times, with other values each time"
        elif len(plans) > 1 and {one.target for one in sent} != {
            Target(plan.backend.name, plan.model) for plan in plans
        }:
            why = "other models were asked than those it names now"
        if not why:
            try:
                return [self._plan(plan, sent) for plan in plans]
            except (GeminiMagicError, OSError) as problem:
                why = getattr(problem, "what", None) or str(problem)
        self._note("differs", f"not frozen: {why}")
        return None

    def _plan(self, plan: Plan, sent: Sequence[Frozen]) -> Plan:
        one = sent[0]
        if len(sent) > 1:
            target = Target(plan.backend.name, plan.model)
            one = next((one for one in sent if one.target == target), one)
        request, last = one.request, one.request.messages[-1]
        tools = {tool.name: tool for tool in request.tools}
        uses = [
            use._replace(tool=use.tool or tools.get(use.expression.rpartition(".")[2]))
            for use in plan.uses
        ]
        return plan._replace(
            backend=self._context.config.backend(one.target.backend),
            model=one.target.model,
            request=_settled(plan, one),
            segments=(),
            given=(),
            system=None if request.system is None else (request.system,),
            uses=tuple(uses),
            schema_known=True,
            sent=tuple(map(self._held, last.parts)),
        )

    def _held(self, part: Part) -> Part:
        """A part whose bytes are in memory. Raises ``OSError``."""
        if part.file is None:
            return part
        path = Path(part.file.path)
        if not self._context.may_read(path):
            raise PermissionError(f"{path.name} is none of this server's files")
        return Part(data=path.read_bytes(), mime_type=part.mime_type, name=part.name)


def _settled(plan: Plan, sent: Frozen) -> Request:
    """All of the request but its words."""
    return replace(
        sent.request,
        messages=plan.request.messages,
        system=None if sent.request.system is None else "?",
    )


def media(part: Part, helpers: set[str], files: dict[str, bytes]) -> str:
    """The expression of a part that is no text; large ones become files beside the script."""
    kind = part.mime_type or "application/octet-stream"
    helpers.add("Media")
    if part.data is None:
        return f"{OWN}Media({literal(kind)}, uri={literal(part.uri or '')})"
    named = f", name={literal(part.name)}" if part.name else ""
    if len(part.data) <= _SMALL:
        helpers.add("media_of")
        text = base64.b64encode(part.data).decode("ascii")
        return f"{OWN}media_of({literal(kind)}, {literal(text)}{named})"
    ending = mimetypes.guess_extension(kind, strict=False) or ".bin"
    name = f"{hashlib.sha256(part.data).hexdigest()[:8]}{ending}"
    files[f"inputs/{name}"] = part.data
    helpers.add("input_file")
    return f"{OWN}input_file({literal(name)}, {literal(kind)}{named})"
