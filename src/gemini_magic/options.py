"""The one table of a cell's options: the parser, ``--help``, completion and emitters read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gemini_magic.errors import UsageError, did_you_mean, sentence

OptionType: TypeAlias = Literal[
    "flag", "text", "int", "float", "choice", "name", "thinking", "json"
]
#: A flag is True; a repeatable option is a tuple of texts.
OptionValue: TypeAlias = bool | str | int | float | tuple[str, ...]

ALL_KINDS = ("google", "openai", "local")


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is written, what it takes, and which kinds of backend can do it.

    ``setting`` marks the options that are fields of ``types.Settings``. ``minimum`` and
    ``maximum`` bound numbers, inclusive.
    """

    name: str
    type: OptionType
    help: str
    short: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    repeat: bool = False
    setting: bool = False
    minimum: float | None = None
    maximum: float | None = None
    kinds: tuple[str, ...] = ALL_KINDS
    group: str = "The cell"

    @property
    def key(self) -> str:
        """The name as Python and TOML write it."""
        return self.name.replace("-", "_")

    @property
    def flag(self) -> bool:
        return self.type == "flag"

    @property
    def value_hint(self) -> str:
        """What stands for the value in help: the choices, or the metavar."""
        return "|".join(self.choices) if self.type == "choice" else self.metavar


_WHO, _HOW, _WHAT = "Who answers", "Run settings", "What becomes of the answer"

OPTIONS: tuple[Option, ...] = (
    Option("model", "text", "the model, or BACKEND:MODEL", "m", "MODEL", group=_WHO),
    Option(
        "route",
        "text",
        "a route of your configuration, tried in its order",
        "r",
        "NAME",
        group=_WHO,
    ),
    Option("no-fallback", "flag", "only the route's first backend, whatever happens", group=_WHO),
    Option("force", "flag", "send it whatever the quota's limits say", group=_WHO),
    Option("fresh", "flag", "ask, even if the answer is stored", group=_WHO),
    Option("cached", "flag", "show the stored answer, if there is one", group=_WHO),
    Option(
        "timeout",
        "float",
        "the longest silence to wait out, in seconds (120)",
        "",
        "S",
        minimum=0.1,
        maximum=3600,
        group=_WHO,
    ),
    Option("system", "text", "the system instruction", "s", "TEXT", group=_HOW),
    Option(
        "temperature",
        "float",
        "randomness, 0 to 2",
        "t",
        "N",
        setting=True,
        minimum=0,
        maximum=2,
        group=_HOW,
    ),
    Option(
        "top-p",
        "float",
        "nucleus sampling, 0 to 1",
        "",
        "N",
        setting=True,
        minimum=0,
        maximum=1,
        group=_HOW,
    ),
    Option(
        "top-k",
        "int",
        "sample from the K likeliest tokens",
        "",
        "K",
        setting=True,
        minimum=1,
        kinds=("google", "local"),
        group=_HOW,
    ),
    Option(
        "max-output-tokens",
        "int",
        "the longest answer, in tokens",
        "",
        "N",
        setting=True,
        minimum=1,
        group=_HOW,
    ),
    Option(
        "stop",
        "text",
        "end the answer before this text (repeatable)",
        "",
        "TEXT",
        repeat=True,
        setting=True,
        group=_HOW,
    ),
    Option(
        "seed", "int", "repeatable sampling, where the model can", "", "N", setting=True, group=_HOW
    ),
    Option(
        "thinking",
        "thinking",
        "off, low, medium, high, or a budget in tokens",
        "",
        "LEVEL",
        choices=("off", "low", "medium", "high"),
        setting=True,
        kinds=("google", "openai"),
        group=_HOW,
    ),
    Option(
        "schema",
        "json",
        "a JSON schema that the answer must fit: JSON, or a dict's name",
        "",
        "NAME|JSON",
        group=_HOW,
    ),
    Option("chat", "name", "make the cell a turn of this conversation", "c", "NAME"),
    Option("raw", "flag", "send {{ }} as it is: no placeholders"),
    Option("dry-run", "flag", "show what would be sent, and send nothing"),
    Option("out", "name", "bind the reply to this variable", "o", "NAME", group=_WHAT),
    Option(
        "as",
        "choice",
        "show the answer as this",
        "",
        "FORM",
        choices=("markdown", "text", "json", "code"),
        group=_WHAT,
    ),
    Option("quiet", "flag", "show nothing; the reply is bound all the same", "q", group=_WHAT),
    Option("allow-remote-images", "flag", "load pictures that the answer links to", group=_WHAT),
    Option("help", "flag", "show this help", "h"),
)

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
        known = [f"--{o.name}" for o in OPTIONS]
        hint = did_you_mean(word, known)
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
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name}", _quote(BY_NAME[name], str(one))]
    return " ".join(words)


def convert(option: Option, text: str) -> OptionValue:
    """A value's text as the option's type; ``UsageError`` if it does not fit."""
    if option.repeat:
        return (text,)
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
