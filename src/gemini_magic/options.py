"""Reads, checks and writes the options of a cell, as the one table (``option_table``) says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from gemini_magic.errors import UsageError, did_you_mean, nearest, sentence
from gemini_magic.option_table import OPTIONS, Option

#: A flag is True; a repeatable option, or one of several names, is a tuple of texts.
OptionValue: TypeAlias = bool | str | int | float | tuple[str, ...]

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
_BY_SHORT: dict[str, Option] = {option.short: option for option in OPTIONS if option.short}
_ORDER: dict[str, int] = {option.name: index for index, option in enumerate(OPTIONS)}

_WORD = re.compile(r"-(?:-[A-Za-z][^\s=]*|[A-Za-z](?=[\s=]|$))")
_BLANK = " \t\r\f\v"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")


def in_table_order(given: dict[str, OptionValue]) -> tuple[tuple[str, OptionValue], ...]:
    """The options as pairs, in the order of the table."""
    return tuple(sorted(given.items(), key=lambda pair: _ORDER[pair[0]]))


def lookup(word: str) -> Option | None:
    """The option written ``word`` (``--model`` or ``-m``), None if there is none."""
    return BY_NAME.get(word[2:]) if word.startswith("--") else _BY_SHORT.get(word[1:])


def find(word: str) -> Option:
    """The option written ``word`` (``--model`` or ``-m``); ``UsageError`` if there is none."""
    option = lookup(word)
    if option is None:
        alike = nearest(word.lstrip("-"), BY_NAME)
        hint = did_you_mean(word, [f"--{name}" for name in alike])
        raise UsageError(
            f"there is no option {word}; nothing was sent.",
            f"{sentence(hint)} " * bool(hint)
            + "Write -- before a prompt that starts with a dash; all options: %gemini help",
        )
    return option


def read(line: str) -> tuple[dict[str, OptionValue], str]:
    """Read the options at the start of ``line``; the rest of it is prompt, left as it is.

    Raises ``UsageError`` for an unknown option, a bad or missing value, or one given twice.
    """
    given: dict[str, OptionValue] = {}
    position = _skip_blank(line, 0)
    while match := _WORD.match(line, position):
        option = find(match.group())
        position = match.end()
        value: OptionValue
        if option.flag:
            if line[position : position + 1] == "=":
                raise _misuse(option, "takes no value")
            value = True
        else:
            text, position = _read_value(option, line, position)
            value = convert(option, text)
        _add(given, option, value)
        position = _skip_blank(line, position)
    if line.startswith("--", position) and line[position + 2 : position + 3] in ("", *_BLANK):
        position = _skip_blank(line, position + 2)
    return given, line[position:]


def write(given: Iterable[tuple[str, OptionValue]]) -> str:
    """The options as text that ``read`` reads back."""
    words: list[str] = []
    for name, value in given:
        if value is True:
            words.append(f"--{name}")
            continue
        option = BY_NAME[name]
        if isinstance(value, tuple) and not option.repeat:
            value = ",".join(value)
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name}", _quote(option, str(one))]
    return " ".join(words)


def convert(option: Option, text: str) -> OptionValue:
    """A value's text as the option's type; ``UsageError`` if it does not fit."""
    if option.repeat:
        return (text,)
    if option.type == "names":
        return _names(option, text)
    if option.type == "name" and not _IDENTIFIER.match(text):
        raise _misuse(option, f"takes a name such as answer_1, not {_cut(text)}")
    if option.type == "choice" and text not in option.choices:
        hint = did_you_mean(text, option.choices) or f"choose from {', '.join(option.choices)}."
        raise _misuse(option, f"cannot be {_cut(text)}", sentence(hint))
    if option.type == "thinking":
        if text in option.choices:
            return text
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        hint = "Choose off, low, medium, high, or a number of tokens."
        raise _misuse(option, f"cannot be {_cut(text)}", hint)
    if option.type in ("int", "float"):
        return _number(option, text)
    return text


def _names(option: Option, text: str) -> tuple[str, ...]:
    """Words with commas between them, each once."""
    names = tuple(dict.fromkeys(word for part in text.split(",") if (word := part.strip())))
    if not names:
        raise _misuse(option, "needs a name")
    for name in names:
        if option.choices and name not in option.choices:
            hint = did_you_mean(name, option.choices) or f"known: {', '.join(option.choices)}."
            raise _misuse(option, f"cannot be {_cut(name)}", sentence(hint))
    return names


def _number(option: Option, text: str) -> int | float:
    try:
        value = int(text) if option.type == "int" else float(text)
    except ValueError:
        kind = "a whole number" if option.type == "int" else "a number"
        raise _misuse(option, f"takes {kind}, not {_cut(text)}") from None
    low, high = option.minimum, option.maximum
    fits = value == value and (low is None or value >= low) and (high is None or value <= high)
    if not fits:
        limits = f"{low:g} or more" if high is None else f"from {low:g} to {high:g}"
        raise _misuse(option, f"must be {limits}, not {_cut(text)}")
    return value


def _misuse(option: Option, what: str, next_step: str = "") -> UsageError:
    """An error about an option's value; without a better next step it says what the option is."""
    usage = f"--{option.name} {option.value_hint}".rstrip()
    return UsageError(
        f"--{option.name} {what}; nothing was sent.", next_step or f"{usage}: {option.help}"
    )


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _add(given: dict[str, OptionValue], option: Option, value: OptionValue) -> None:
    old = given.get(option.name)
    if old is None:
        given[option.name] = value
    elif option.repeat and isinstance(old, tuple) and isinstance(value, tuple):
        given[option.name] = old + value
    else:
        raise _misuse(option, "was given twice")


def _skip_blank(line: str, position: int) -> int:
    while position < len(line) and line[position] in _BLANK:
        position += 1
    return position


def _read_value(option: Option, line: str, position: int) -> tuple[str, int]:
    """One value: after ``=`` or blanks; quoted, JSON, or a bare word."""
    if line[position : position + 1] == "=":
        position += 1
    else:
        position = _skip_blank(line, position)
        if _WORD.match(line, position) or line[position : position + 3].strip(_BLANK) == "--":
            position = len(line)
    first = line[position : position + 1]
    if not first or first in _BLANK:
        raise _misuse(option, "needs a value")
    if option.type == "json" and first in "{[":
        return _read_json(option, line, position)
    if first in "'\"":
        return _read_quoted(option, line, position)
    end = position
    while end < len(line) and line[end] not in _BLANK:
        end += 1
    return line[position:end], end


def _read_json(option: Option, line: str, position: int) -> tuple[str, int]:
    try:
        _, end = json.JSONDecoder().raw_decode(line, position)
    except json.JSONDecodeError as error:
        where = f"{error.msg} at {error.pos - position}"
        raise _misuse(option, f"is not followed by JSON ({where})") from None
    except (ValueError, RecursionError):  # a number of 5,000 digits; a depth of 5,000 brackets
        raise _misuse(option, "is followed by JSON that cannot be read") from None
    return line[position:end], end


def _read_quoted(option: Option, line: str, position: int) -> tuple[str, int]:
    quote = line[position]
    out: list[str] = []
    position += 1
    while position < len(line):
        char = line[position]
        if char == quote:
            return "".join(out), position + 1
        if char == "\\" and quote == '"' and line[position + 1 : position + 2] in _ESCAPES:
            position += 1
            char = _ESCAPES[line[position]]
        out.append(char)
        position += 1
    raise _misuse(option, "is followed by a quote that is not closed")


def _quote(option: Option, text: str) -> str:
    if option.type == "json" and text[:1] in ("{", "["):
        bare = "\n" not in text and _is_json(text)
    else:
        bare = bool(text) and text[0] not in "'\"=" and not _WORD.match(text) and text != "--"
        bare = bare and not any(char in _BLANK or char == "\n" for char in text)
    if bare:
        return text
    if not any(char in "'\n\r\t" for char in text):
        return f"'{text}'"
    for char, escaped in (("\\", r"\\"), ('"', r"\""), ("\n", r"\n"), ("\r", r"\r"), ("\t", r"\t")):
        text = text.replace(char, escaped)
    return f'"{text}"'


def _is_json(text: str) -> bool:
    """Whether the text is one JSON value and nothing after it."""
    try:
        return json.JSONDecoder().raw_decode(text)[1] == len(text)
    except (ValueError, RecursionError):
        return False


def settings_of(given: Iterable[tuple[str, OptionValue]]) -> dict[str, Any]:
    """The options that are run settings, by their names in ``types.Settings``."""
    return {BY_NAME[name].key: value for name, value in given if BY_NAME[name].setting}
