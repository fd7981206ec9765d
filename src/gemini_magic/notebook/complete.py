"""Tab completion: options, models, backends, commands, and variables inside placeholders.

Where it has nothing to offer in a prompt it answers with the word that stands there, because the
Python completer would otherwise spend up to two seconds on finding out that prose is no Python.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from gemini_magic import catalog
from gemini_magic.cell import SUBCOMMANDS
from gemini_magic.option_table import OPTIONS, Option
from gemini_magic.options import lookup

if TYPE_CHECKING:
    from gemini_magic.notebook.magics import GeminiMagic

_OPEN_PLACEHOLDER = re.compile(r"\{\{[ \t]*([^\W\d]?\w*)\Z")
_WORD = re.compile(r"\S*\Z")
_OPTION = re.compile(r"(--?[\w-]+)(?:=|[ \t]+)(\S*)\Z")


def complete(context: Any, magic: GeminiMagic) -> dict[str, Any]:
    """IPython's matcher (API version 2) for the cell or line that the cursor is in."""
    try:
        return _complete(context, magic)
    except Exception:  # the front end would wait for an answer that never comes
        return {"completions": []}


def _complete(context: Any, magic: GeminiMagic) -> dict[str, Any]:
    lines = context.full_text.split("\n")
    row = context.cursor_line
    before = lines[row][: context.cursor_position]
    head = re.compile(rf"(?P<targets>[^%#'\"]*=\s*)?(?P<percent>%%?){re.escape(magic.name)}\s")
    own = head.match(before.lstrip())
    if own is None:
        if not _is_body(lines, row, magic.name):
            return {"completions": []}
        if (match := _OPEN_PLACEHOLDER.search(before)) is not None:
            return _answer(match.group(1), _variables(magic), "variable")
        word = _WORD.search(before)
        return _answer(word.group() if word else "", [], "text")
    words = before.lstrip()[own.end() :]
    if (match := _OPEN_PLACEHOLDER.search(words)) is not None:
        return _answer(match.group(1), _variables(magic), "variable")
    return _first_line(words, magic, is_line=own.group("percent") == "%")


def _first_line(words: str, magic: GeminiMagic, *, is_line: bool) -> dict[str, Any]:
    """Completions after ``%%gemini ``, as far as the words are options."""
    if (match := _OPTION.search(words)) is not None and not match.group(2).startswith("-"):
        option = lookup(match.group(1))
        if option is not None and not option.flag:
            return _answer(match.group(2), _values(option, magic), "value")
    match = _WORD.search(words)
    fragment = match.group() if match else ""
    done = words[: len(words) - len(fragment)].split()
    if is_line and done[:1] in (["export"], ["code"]):
        return _command_line(done, fragment, magic)
    if fragment.startswith("-"):
        return _answer(fragment, [f"--{option.name}" for option in OPTIONS], "param")
    if is_line and not done:
        return _answer(fragment, SUBCOMMANDS, "command")
    if is_line and done[:1] in (["use"], ["models"], ["doctor"], ["key"]):
        return _answer(fragment, _backends(magic) + _models(magic) * (done == ["use"]), "value")
    if is_line and done[:1] == ["chat"]:
        names = [chat.name for chat in magic.session.chats]
        return _answer(fragment, ["show", "undo", "reset"] if len(done) == 1 else names, "value")
    if not fragment and not done:
        return _answer("", [f"--{option.name}" for option in OPTIONS], "param")
    return _answer(fragment, [], "text")


def _command_line(done: list[str], fragment: str, magic: GeminiMagic) -> dict[str, Any]:
    """Completions of the commands that have options of their own, and name files."""
    from gemini_magic.convert.targets import SUFFIXES, TARGETS
    from gemini_magic.notebook import code_command, export_command

    if done[-1] == "--to":
        return _answer(fragment, SUFFIXES if done[0] == "export" else TARGETS, "value")
    if fragment.startswith("-"):
        command = export_command if done[0] == "export" else code_command
        return _answer(fragment, command.options(magic.name), "param")
    folder, _, start = fragment.rpartition("/")
    try:
        found = sorted(os.listdir(folder or ("/" if fragment.startswith("/") else ".")))
    except OSError:
        found = []
    fits = [name for name in found if name.startswith(start)] if done[0] == "export" else []
    head = fragment[: len(fragment) - len(start)]
    return _answer(fragment, [f"{head}{name}" for name in fits if " " not in name], "path")


def _is_body(lines: list[str], row: int, name: str) -> bool:
    """Whether the row is below the first line of a ``%%gemini`` cell."""
    for line in lines[:row]:
        if re.match(rf"%%{re.escape(name)}(\s|\Z)", line):
            return True
        if line.strip() and not line.lstrip().startswith("#"):
            return False
    return False


def _values(option: Option, magic: GeminiMagic) -> list[str]:
    if option.choices:
        return list(option.choices)
    if option.name == "model":
        return _models(magic) + [f"{name}:" for name in _backends(magic)]
    if option.name == "route":
        return list(magic.session.config().routes)
    if option.name == "chat":
        return [chat.name for chat in magic.session.chats]
    if option.name in ("schema", "out"):
        return _variables(magic)
    return []


def _models(magic: GeminiMagic) -> list[str]:
    config = magic.session.config()
    own = [service.model for service in config.backends.values() if service.model]
    mapped = [model for service in config.backends.values() for model in service.models]
    return list(dict.fromkeys([*mapped, *own, *(m.name for m in catalog.google_models())]))


def _backends(magic: GeminiMagic) -> list[str]:
    config = magic.session.config()
    return [*config.backends, *config.presets]


def _variables(magic: GeminiMagic) -> list[str]:
    shell: Any = magic.shell
    hidden = shell.user_ns_hidden
    return [
        name
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and hidden.get(name, _NOTHING) is not value
    ]


_NOTHING = object()


def _answer(fragment: str, known: Iterable[str], kind: str) -> dict[str, Any]:
    """The known words that start with the fragment; the fragment itself where none does."""
    fits = [word for word in known if word.startswith(fragment)] or [fragment]
    return {
        "completions": [SimpleCompletion(word, type=kind) for word in fits if word],
        "matched_fragment": fragment,
        "suppress": True,
    }
