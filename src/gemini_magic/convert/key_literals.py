"""Puts a Python expression in the place of a key that is a text of a cell's code, or part of it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Mapping
from typing import Any

from gemini_magic.convert.secrets import Key
from gemini_magic.errors import UsageError

#: A cell magic, comments above it or not (``cell.GeminiCell``): what follows is none of Python's.
_CELL_MAGIC = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*%%")
#: A line that is IPython's: a magic, a command, a question, or what takes a value from these.
_LINE_MAGIC = re.compile(r"[ \t]*(?:(?:[^=#'\"]+=)?[ \t]*(?:!|%(?!%))|\?|[^#'\"]*\?[ \t]*\Z)")
#: So many of them are looked for in a cell: Python reads it anew after each.
_MOST = 200
#: What may stand between two literals that Python joins.
_BETWEEN = (tokenize.NL, tokenize.COMMENT)
#: How a text with values in it begins and ends from Python 3.12 and 3.14 on.
_OPENING, _CLOSING = (
    {getattr(tokenize, f"{kind}STRING_{side}", None) for kind in "FT"} for side in ("START", "END")
)
#: What Python joins with a literal beside it.
_TEXTS = {tokenize.STRING, *_OPENING, *_CLOSING}


class _NoPlainText(Exception):
    """The key is not in a text that an expression can take the place of."""


def is_python(document: Mapping[str, Any]) -> bool:
    """Whether a notebook's code is Python's, as far as it says of which language it is."""
    metadata = document.get("metadata")
    for field, name in (("language_info", "name"), ("kernelspec", "language")):
        row = metadata.get(field) if isinstance(metadata, Mapping) else None
        language = row.get(name) if isinstance(row, Mapping) else None
        if isinstance(language, str) and language:
            return language.lower() in ("python", "ipython")
    return True


def with_expression(text: str, key: Key, expression: str) -> str:
    """A cell's code with the expression in the place of the literal, or its part, that is the key.

    In a comment a name in brackets takes its place. Raises ``UsageError`` where it stands in
    anything but one plain literal of one line, or the cell is no Python.
    """
    try:
        return _written(text, key, expression)
    except _NoPlainText:
        raise UsageError(
            f"the key in line {key.line} is no plain text in Python's quotation marks.",
            "Take it out instead (redact).",
        ) from None


def _written(text: str, key: Key, expression: str) -> str:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    inside, before = 0, -1  # how many texts with values in them; what Python reads before
    tokens = _tokens(_readable(text))
    for number, token in enumerate(tokens):
        # The marks at the end stand in lines that there are not.
        start, end = (
            starts[min(line, len(starts)) - 1] + at for line, at in (token.start, token.end)
        )
        found = start <= key.start and key.end <= end
        if token.type == tokenize.COMMENT and found:
            return f"{text[: key.start]}<{key.name}>{text[key.end :]}"
        if token.type == tokenize.STRING and found:
            after = next(one.type for one in tokens[number + 1 :] if one.type not in _BETWEEN)
            if inside or {before, after} & _TEXTS or not _is_plain(token.string):
                break
            made = text[:start] + _joined(text[start:end], key, start, expression) + text[end:]
            _readable(made)
            return made
        inside += (token.type in _OPENING) - (token.type in _CLOSING)
        before = before if token.type in _BETWEEN else token.type
    raise _NoPlainText


def _joined(literal: str, key: Key, start: int, expression: str) -> str:
    """What is before the key in its literal, the expression, and what is after it."""
    quote = literal[0]
    before, after = literal[1 : key.start - start], literal[key.end - start : -1]
    pieces = [f"{quote}{before}{quote}"] if before else []
    pieces += [expression, *([f"{quote}{after}{quote}"] if after else [])]
    return pieces[0] if len(pieces) == 1 else f"({' + '.join(pieces)})"


def _is_plain(literal: str) -> bool:
    return literal[0] in "'\"" and literal[:3] not in ("'''", '"""') and "\\" not in literal


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    try:
        return [*tokenize.generate_tokens(io.StringIO(text, newline="\n").readline)]
    except (tokenize.TokenError, SyntaxError):
        raise _NoPlainText from None


def _readable(text: str) -> str:
    """The cell as Python reads it, as long as it was: a 0 and blanks are where IPython's lines are.

    Only where Python stumbles a line is taken for IPython's, so a text of several lines is left as
    it is.
    """
    if _CELL_MAGIC.match(text) or "\r" in text.replace("\r\n", ""):
        raise _NoPlainText
    lines = text.split("\n")
    tries = 0
    while (stumbled := _stumbled("\n".join(lines))) is not None:
        at, tries = stumbled - 1, tries + 1
        if tries > _MOST or not 0 <= at < len(lines) or not _LINE_MAGIC.match(lines[at]):
            raise _NoPlainText
        blank = len(lines[at]) - len(lines[at].lstrip())
        goes_on = lines[at].rstrip("\r").endswith("\\")
        lines[at] = lines[at][:blank] + "0".ljust(len(lines[at]) - blank)
        while goes_on and at + 1 < len(lines):
            at += 1
            goes_on = lines[at].rstrip("\r").endswith("\\")
            lines[at] = " " * len(lines[at])
    return "\n".join(lines)


def _stumbled(text: str) -> int | None:
    """The line, from 1, in which Python stumbles (0: nobody knows); None where it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as problem:
        return problem.lineno or 0
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return 0
    return None
