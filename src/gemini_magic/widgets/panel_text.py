"""Values of options as the fields of a panel show them, and what is typed there as values."""

from __future__ import annotations

from gemini_magic import options
from gemini_magic.errors import GeminiMagicError
from gemini_magic.option_table import Option
from gemini_magic.options import OptionValue


def plainly(problem: Exception) -> str:
    """What went wrong in one line, where nothing was about to be sent."""
    if isinstance(problem, GeminiMagicError):
        return str(problem).replace("; nothing was sent", "")
    return f"{type(problem).__name__}: {problem}"


def in_a_line(source: str) -> str:
    """The beginning of a cell's text."""
    return " ".join(source.split())[:60]


_ESCAPED = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


def shown(option: Option, value: OptionValue | None) -> str:
    """A value as its field shows it: one line for each value of a repeatable option.

    There ``\\n`` stands for the end of a line, as in a cell's quotes.
    """
    if value is None or value is False:
        return ""
    if isinstance(value, tuple):
        return "\n".join(map(_escape, value)) if option.repeat else ", ".join(value)
    return str(value)


def typed(option: Option, text: str) -> OptionValue | None:
    """What a field's text means; None where it is empty. Raises ``UsageError``."""
    if option.flag:
        return bool(text) or None
    if option.repeat:
        return tuple(_unescape(line) for line in text.split("\n") if line) or None
    if option.name != "system":
        text = text.strip()
    return options.convert(option, text) if text.strip() else None


def _escape(text: str) -> str:
    for char, escaped in _ESCAPED:
        text = text.replace(char, escaped)
    return text


def _unescape(line: str) -> str:
    out: list[str] = []
    chars = iter(line)
    for char in chars:
        if char == "\\" and (after := next(chars, "")) != "":
            out.append(_MEANT.get(after, f"\\{after}"))
        else:
            out.append(char)
    return "".join(out)
