"""Python's text: literals, f-strings that Python 3.11 reads, comments, edits in place."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gemini_magic.convert.steps import Span
from gemini_magic.template import Placeholder, Segment

#: Characters that a piece of a literal has at most, escapes counted.
_WIDTH = 72
#: A text of so many characters stands in one line, wherever that is.
_SHORTEST = 44
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}
INDENT = "    "
#: Stands before each name of ours in generated code until it is known what it is called: the
#: notebook may call something else so. No code of a notebook can hold it.
OWN = "\0"
#: Around the one literal that a text is where it fits into a line.
_ONE = "\1"
#: Characters of a line, as formatters want them at most.
LINE = 88
#: What of that a call has that stands within another one.
NESTED = 68


def literal(text: str) -> str:
    """A text's literal in one piece, in the quotes that ruff and black choose."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return f"{quote}{_within(text, quote)}{quote}"


def _within(text: str, quote: str, *, f: bool = False) -> str:
    """A text as it stands within these quotes; ``f``: of an f-string."""
    return "".join(_escaped(char, quote, f) for char in text)


def _escaped(char: str, quote: str = '"', f: bool = False) -> str:
    if char == quote:
        return f"\\{quote}"
    if char in _SHORT:
        return _SHORT[char]
    if f and char in "{}":
        return char * 2
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def pieces(text: str) -> list[str]:
    """The literals that make up a text, none of them long: one for each line, or part of one."""
    found: list[str] = []
    for line in text.splitlines(keepends=True) or [""]:
        piece, width = "", 0
        for char in line:
            step = len(_escaped(char))
            if width + step > _WIDTH:
                at = piece.rfind(" ") + 1 if " " in piece[-30:] else len(piece)
                found.append(literal(piece[:at]))
                piece = piece[at:]
                width = sum(len(_escaped(one)) for one in piece)
            piece += char
            width += step
        found.append(literal(piece))
    return found


def text_expression(segments: Sequence[Segment], indent: str = "") -> str:
    """A text with its placeholders as one expression: literals and f-strings side by side.

    Literals are no f-strings, so that braces in them stay as they are. What fits into a line is
    one literal there (``settled``), as formatters would have it.
    """
    parts: list[str] = []
    for segment in segments or [""]:
        parts += pieces(segment) if isinstance(segment, str) else [placeholder(segment)]
    if len(parts) == 1:
        return parts[0]
    joined = _joined(segments)
    return joined if 0 < len(joined) <= _SHORTEST else _side_by_side(parts, joined, indent)


def _joined(segments: Sequence[Segment]) -> str:
    """The whole text in one literal; empty where its quotes cannot be the same throughout."""
    found = [one for one in segments if not isinstance(one, str)]
    text = "".join(one for one in segments if isinstance(one, str))
    if not found:
        return literal(text)
    quote = "'" if text.count('"') > text.count("'") else '"'
    held = "".join(one.expression for one in found)
    if quote in held:
        quote = "'" if quote == '"' else '"'
    if quote in held or any(len(_quote(one)) > 1 for one in found):
        return ""
    inner = "".join(
        _within(one, quote, f=True) if isinstance(one, str) else placeholder(one)[2:-1]
        for one in segments
    )
    return f"f{quote}{inner}{quote}"


def _side_by_side(parts: Sequence[str], joined: str, indent: str) -> str:
    inner = f"\n{indent}{INDENT}"
    mark = f"{_ONE}{joined}{_ONE}" if joined else ""
    return f"({mark}{inner}{inner.join(parts)}\n{indent})"


def placeholder(found: Placeholder) -> str:
    """A placeholder as an f-string of its own."""
    quote = _quote(found)
    conversion = f"!{found.conversion}" if found.conversion else ""
    spec = f":{found.spec}" if found.spec else ""
    return f"f{quote}{{{found.expression}{conversion}{spec}}}{quote}"


def _quote(found: Placeholder) -> str:
    """Quotes that the expression does not hold: Python 3.11 takes no others."""
    for quote in ('"', "'", "'''", '"""'):
        if quote not in found.expression:
            return quote
    raise ValueError("an expression holds all quotes")  # ``template`` takes none that does


def value(thing: Any, indent: str = "", width: int = NESTED) -> str:
    """JSON values as Python writes them, broken into lines where they are long."""
    if isinstance(thing, str):
        parts = pieces(thing)
        return parts[0] if len(parts) == 1 else _side_by_side(parts, literal(thing), indent)
    if not isinstance(thing, list | tuple | Mapping):
        return repr(thing)
    flat = _flat(thing)
    if len(indent) + len(flat) <= width and "\n" not in flat:
        return flat
    inner = indent + INDENT
    if isinstance(thing, Mapping):
        rows = [
            f"{inner}{literal(str(key))}: {value(one, inner, width - len(str(key)) - 5)},\n"
            for key, one in thing.items()
        ]
        return f"{{\n{''.join(rows)}{indent}}}"
    rows = [f"{inner}{value(one, inner, width)},\n" for one in thing]
    return f"[\n{''.join(rows)}{indent}]"


def _flat(thing: Any) -> str:
    if isinstance(thing, str):
        return literal(thing)
    if isinstance(thing, Mapping):
        rows = (f"{literal(str(key))}: {_flat(one)}" for key, one in thing.items())
        return f"{{{', '.join(rows)}}}"
    if isinstance(thing, list | tuple):
        return f"[{', '.join(map(_flat, thing))}]"
    return repr(thing)


def call(name: str, arguments: Iterable[str], room: int = NESTED) -> str:
    """A call in one line where that has room, else one argument a line."""
    given = list(arguments)
    flat = f"{name}({', '.join(given)})"
    if "\n" not in flat and len(flat.replace(OWN, "")) <= room:
        return flat
    rows = "".join(f"{INDENT}{indented_more(one)},\n" for one in given)
    return f"{name}(\n{rows})"


def is_several(expression: str) -> bool:
    """Whether an expression is a tuple without parentheses: as an argument, it would be several."""
    tree = ast.parse(f"f({expression}\n)", mode="eval").body
    assert isinstance(tree, ast.Call)
    return (
        len(tree.args) != 1
        or isinstance(tree.args[0], ast.Starred)
        or (
            isinstance(ast.parse(f"({expression}\n)", mode="eval").body, ast.Tuple)
            and not isinstance(tree.args[0], ast.Tuple)
        )
    )


def indented_more(text: str) -> str:
    """An expression's lines, one step further in, but for those within literals."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"{INDENT}{line}" if line else line for line in rest)])


def shifted(source: str, indent: str = INDENT) -> str:
    """Code one block further in; the lines within literals of several lines stay as they are."""
    inside: set[int] = set()
    opened = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name = tokenize.tok_name[token.type]
            if token.type == tokenize.STRING:
                inside.update(range(token.start[0] + 1, token.end[0] + 1))
            elif name == "FSTRING_START":  # from Python 3.12 on
                opened = opened or token.start[0]
            elif name == "FSTRING_END":
                inside.update(range(opened + 1, token.end[0] + 1))
                opened = 0
    except (tokenize.TokenError, SyntaxError):
        pass
    lines = source.split("\n")
    return "\n".join(
        f"{indent}{line}" if line.strip() and number not in inside else line
        for number, line in enumerate(lines, 1)
    )


def comment(text: str) -> str:
    """A text as comment lines; what cannot stand in a file is escaped."""
    safe = "".join(
        char if char == "\n" or char == "\t" or char.isprintable() else _escaped(char)
        for char in text.replace("\r\n", "\n").replace("\r", "\n")
    )
    return "\n".join(f"# {line}".rstrip() for line in safe.split("\n"))


def in_line(text: str) -> str:
    """A text as part of a comment's one line."""
    return " ".join(comment(text).replace("#", " ").split())


def edited(source: str, changes: Iterable[tuple[Span, str]]) -> str:
    """The text with some of its spans, which do not overlap, replaced."""
    out: list[str] = []
    done = 0
    for (start, end), new in sorted(changes):
        out += [source[done:start], new]
        done = end
    return "".join([*out, source[done:]])


def indent_at(source: str, position: int) -> str:
    """The blanks with which the line at a position begins."""
    start = source.rfind("\n", 0, position) + 1
    line = source[start:]
    return line[: len(line) - len(line.lstrip(" \t"))]


def settled(code: str, names: Mapping[str, str]) -> str:
    """Generated code with its names of ours as they are called in the script.

    Texts become one literal where that fits into its line.
    """
    code = _OWN_NAME.sub(lambda found: names.get(found[1], found[1]), code)
    done = ""
    while (found := _TEXT.search(code)) is not None:
        before = done + code[: found.start()]
        line = before[before.rfind("\n") + 1 :]
        rest = code[found.end() :].partition("\n")[0]
        fits = len(line) + len(found[1]) + len(rest) <= LINE
        done = before + (found[1] if fits else f"({found[2]})")
        code = code[found.end() :]
    return done + code


_OWN_NAME = re.compile(rf"{OWN}(\w+)")
_TEXT = re.compile(rf"\({_ONE}([^{_ONE}]*){_ONE}(\n(?:[ \t]*f?[\"'].*\n)+[ \t]*)\)")
