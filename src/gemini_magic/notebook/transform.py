"""Hands ``%%gemini`` cells and ``%gemini`` lines to the magic byte for byte.

IPython would strip ``>>> `` from a prompt, read a trailing ``?`` as a call for help, refuse an
empty body and not know a magic below a comment. So this transformer runs before all of IPython's
own and rewrites what is ours into calls of ``run_cell_magic`` and ``run_line_magic``.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache

from gemini_magic.cell import cell_parts

_SPACE = (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT, tokenize.ENCODING)


def transform(lines: list[str], magic: str) -> list[str]:
    """The cell's lines with our magics rewritten; all else stays as it is."""
    text = "".join(lines)
    if (parts := cell_parts(text, magic)) is not None:
        first, body = parts
        return [f"get_ipython().run_cell_magic({magic!r}, {first!r}, {body or chr(10)!r})\n"]
    if text.lstrip().startswith("%%"):
        return lines  # another package's cell: its body is none of our business
    return _rewrite_lines(lines, _line_pattern(magic), magic)


@cache
def _line_pattern(magic: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w%])%{re.escape(magic)}(?=\s|\Z)")


def _rewrite_lines(lines: list[str], pattern: re.Pattern[str], magic: str) -> list[str]:
    """Replace the logical lines that are, or assign, our line magic."""
    lines = list(lines)
    readable = list(lines)  # what the tokenizer is shown: lines that it cannot read are blanked
    for _ in range(2 * len(lines) + 1):
        found = _first_call(readable, pattern)
        if found is None:
            return lines
        row, column = found
        line = lines[row]
        if column < 0:
            readable[row] = _blank(line)
            continue
        head, rest = line[:column], line[column + 1 + len(magic) :]
        prompt = rest.rstrip("\r\n").strip(" \t")
        lines[row] = f"{head}get_ipython().run_line_magic({magic!r}, {prompt!r})\n"
        readable[row] = _blank(line)
    return lines


def _first_call(lines: list[str], pattern: re.Pattern[str]) -> tuple[int, int] | None:
    """(row, column) of our first magic; column -1 for a row that Python cannot tokenize."""
    candidates = [row for row, line in enumerate(lines) if pattern.search(line)]
    if not candidates:
        return None
    for statement in _statements(lines):
        if isinstance(statement, int):
            if statement >= candidates[-1]:
                return None
            return statement, -1
        if (column := _call_in(statement, lines, pattern)) is not None:
            return statement[0].start[0] - 1, column
    return None


def _call_in(
    statement: list[tokenize.TokenInfo], lines: list[str], pattern: re.Pattern[str]
) -> int | None:
    """The column of ``%magic`` if the statement is ``[targets =] %magic ...``."""
    first, depth, assigned = statement[0], 0, True
    for token in statement:
        if token.string == "%" and assigned and depth == 0:
            row, column = token.start
            here = row == first.start[0] and pattern.match(lines[row - 1], column)
            return column if here else None
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        assigned = token.string == "=" and depth == 0
    return None


def _statements(lines: list[str]) -> Iterator[list[tokenize.TokenInfo] | int]:
    """Each logical line's tokens, as far as they can be read; then the row that cannot be."""
    statement: list[tokenize.TokenInfo] = []
    row = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO("".join(lines)).readline):
            row = token.start[0] - 1
            if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
                if statement:
                    yield statement
                statement = []
            elif token.type not in _SPACE:
                statement.append(token)
                if token.type == tokenize.NAME and _starts_a_call(statement):
                    yield statement  # what follows is a prompt, and need not be Python
                    statement = []
    except (tokenize.TokenError, SyntaxError):
        if statement:
            yield statement
            row = statement[0].start[0] - 1
        yield min(row, len(lines) - 1)


def _starts_a_call(statement: list[tokenize.TokenInfo]) -> bool:
    """Whether the tokens so far end in ``%name``, where a magic may stand."""
    if len(statement) < 2 or statement[-2].string != "%":
        return False
    return len(statement) == 2 or statement[-3].string == "="


def _blank(line: str) -> str:
    """A line that does nothing at the same indentation."""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return f"{indent}pass\n"
