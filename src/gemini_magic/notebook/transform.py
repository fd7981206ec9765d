"""Hands ``%%gemini`` cells and ``%gemini`` lines to the magic byte for byte.

IPython would strip ``>>> `` from a prompt, read a trailing ``?`` as a call for help, refuse an
empty body and not know a magic below a comment. So this transformer runs before all of IPython's
own and rewrites what is ours into calls of ``run_cell_magic`` and ``run_line_magic``.
"""

from __future__ import annotations

import re
import tokenize
from functools import cache

from gemini_magic.cell import cell_parts

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")  # to the tokenizer of Python 3.12 and later
_SPACE = (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT, tokenize.ENCODING)


def transform(lines: list[str], magic: str) -> list[str]:
    """The cell's lines with our magics rewritten; all else stays as it is."""
    text = "".join(lines)
    if (parts := cell_parts(text, magic)) is not None:
        first, body = parts
        return [f"get_ipython().run_cell_magic({magic!r}, {first!r}, {body or chr(10)!r})\n"]
    if text.lstrip().startswith("%%"):
        return lines  # another package's cell: its body is none of our business
    # IPython's lines end at form feeds and U+2028 too; Python's do not.
    rows = _LINE.findall(text)
    return rows if _rewrite(rows, _line_pattern(magic), magic) else lines


@cache
def _line_pattern(magic: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w%])%{re.escape(magic)}(?=\s|\Z)")


def _rewrite(rows: list[str], pattern: re.Pattern[str], magic: str) -> bool:
    """Replace, in place, the logical lines that are, or assign, our magic; whether there are any.

    What follows a magic need not be Python, nor need other packages' magics and shell commands
    be; so the tokenizer starts anew below each row that it cannot read.
    """
    last = max((i for i, row in enumerate(rows) if pattern.search(row)), default=-1)
    start, changed = 0, False
    while start <= last:
        row, column = _next_call(rows, start, pattern)
        start = row + 1
        if column is None:
            continue
        changed = True
        head, prompt = rows[row][:column], rows[row][column + 1 + len(magic) :].rstrip("\r\n")
        while prompt.endswith("\\") and start < len(rows):  # as IPython joins its magics' lines
            prompt = f"{prompt[:-1]} {rows[start].rstrip(chr(13) + chr(10))}"
            rows[start] = "\n"
            start += 1
        prompt = prompt.lstrip(" \t")
        rows[row] = f"{head}get_ipython().run_line_magic({magic!r}, {prompt!r})\n"
    return changed


def _next_call(rows: list[str], start: int, pattern: re.Pattern[str]) -> tuple[int, int | None]:
    """(row, column) of the first ``[targets =] %magic`` from row ``start`` on.

    The column is None for a row that Python cannot tokenize, and for the last one.
    """
    # Without indentation no row depends on those above it.
    bare = (_UNREADABLE.sub("?", row.lstrip(" \t\f").rstrip("\r\n")) + "\n" for row in rows[start:])
    first: int | None = None  # the row in which the logical line began
    row, depth, assigned = start, 0, True
    try:
        for token in tokenize.generate_tokens(lambda: next(bare, "")):
            row = start + token.start[0] - 1
            if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
                first, depth, assigned = None, 0, True
            elif token.type not in _SPACE:
                first = row if first is None else first
                if token.string == "%" and assigned and depth == 0 and row == first:
                    indent = len(rows[row]) - len(rows[row].lstrip(" \t\f"))
                    if pattern.match(rows[row], column := indent + token.start[1]):
                        return row, column
                if token.type == tokenize.OP:
                    depth += (token.string in "([{") - (token.string in ")]}")
                assigned = token.string == "=" and depth == 0
    except (tokenize.TokenError, SyntaxError):
        return (row if first is None else first), None
    return len(rows) - 1, None
