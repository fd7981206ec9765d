"""The one grammar: the text of a ``%%gemini`` cell <-> its options and its prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gemini_magic import options
from gemini_magic.errors import UsageError
from gemini_magic.option_table import OPTIONS
from gemini_magic.options import BY_NAME, OptionValue
from gemini_magic.template import Segment, split

#: The first words of ``%gemini`` that are commands and never a prompt. All are reserved from the
#: first release on, so that no prompt ever changes its meaning.
SUBCOMMANDS = (
    "models", "use", "backends", "doctor", "chat", "last", "local", "key", "trust", "version",
    "help", "quota", "limits", "usage", "advise", "cache", "gallery", "panel", "export", "code",
    "import", "migrate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GeminiCell:
    """A parsed cell: its options (in the table's order) and its prompt's template.

    ``preamble`` holds the blank and comment lines above the magic, ``line`` says that it is the
    one-line form ``%gemini``, ``magic`` is the name that the user gave to the magic.
    """

    template: str = ""
    options: tuple[tuple[str, OptionValue], ...] = ()
    line: bool = False
    preamble: str = ""
    magic: str = "gemini"

    @classmethod
    def of(cls, template: str, given: Mapping[str, OptionValue] | None = None) -> GeminiCell:
        """A cell of this prompt and these options (by their names in the table)."""
        return cls(template, options.in_table_order(dict(given or {})))

    @classmethod
    def parse(cls, text: str, magic: str = "gemini") -> GeminiCell:
        """Read a whole cell; ``UsageError`` if it is no such cell or an option is off."""
        match = _cell_pattern(magic).match(text)
        if match is None:
            raise UsageError(f"this is not a %%{magic} cell.")
        first, _, body = text[match.end() :].partition("\n")
        line = match.group("percent") == "%"
        if line and body.strip():
            raise UsageError(f"%{magic} takes one line; write %%{magic} for a longer prompt.")
        if line:
            return cls.from_magic(first.rstrip("\r"), None, match.group("preamble"), magic)
        return cls.from_magic(first, body, match.group("preamble"), magic)

    @classmethod
    def from_magic(
        cls, first: str, body: str | None, preamble: str = "", magic: str = "gemini"
    ) -> GeminiCell:
        """Read what IPython hands to a magic: the rest of its line, and the cell's body.

        The prompt is the rest of the line and the body (less its final newline), a newline
        between them where both exist; ``body`` is None for the one-line form.
        """
        given, rest = options.read(first)
        body_text = (body or "").removesuffix("\n")
        parts = [part for part in (rest, body_text) if part]
        return cls(
            template="\n".join(parts),
            options=options.in_table_order(given),
            line=body is None,
            preamble=preamble,
            magic=magic,
        )

    def to_source(self) -> str:
        """The cell's canonical text; ``parse`` reads it back."""
        head = f"{self.preamble}{'%' if self.line else '%%'}{self.magic}"
        if words := options.write(self.options):
            head += f" {words}"
        if not self.template:
            return head
        if self.line:
            return f"{head} {_guard(self.template)}"
        newline = "\n" if self.template.endswith("\n") else ""
        return f"{head}\n{self.template}{newline}"

    def get(self, name: str) -> OptionValue | None:
        """An option's value, None if it was not given."""
        return dict(self.options).get(name)

    def text(self, name: str) -> str | None:
        """The value of an option that takes text, None if it was not given."""
        value = self.get(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        return self.get(name) is True

    @property
    def segments(self) -> list[Segment]:
        """The prompt as literal texts and placeholders (with ``--raw`` there are none)."""
        if self.flag("raw"):
            return [self.template] if self.template else []
        return split(self.template)


def subcommand(line: str) -> tuple[str, str] | None:
    """The command that ``%gemini LINE`` names and the rest of the line, None for a prompt."""
    word, *rest = line.split(None, 1) or [""]
    return (word, "".join(rest).strip()) if word in SUBCOMMANDS else None


@cache
def _cell_pattern(magic: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<preamble>(?:[ \t]*(?:\#[^\n]*)?\r?\n)*)(?P<percent>%%?){re.escape(magic)}"
        r"(?![^\s])"
    )


def cell_parts(text: str, magic: str = "gemini") -> tuple[str, str] | None:
    """The rest of a ``%%gemini`` cell's first line, and its body; None for any other text."""
    match = _cell_pattern(magic).match(text)
    if match is None or match.group("percent") == "%":
        return None
    first, _, body = text[match.end() :].partition("\n")
    return first, body


def _guard(prompt: str) -> str:
    """A one-line prompt, protected where its first word would read as something else."""
    protect = prompt[0] == "-" or subcommand(prompt) is not None
    return f"-- {prompt}" if protect else prompt


def help_text(magic: str = "gemini") -> str:
    """How a cell is written, made from the option table."""
    lines = [
        f"%%{magic} [options] [first line of the prompt]",
        "more of the prompt, with {{ placeholders }}",
        "",
        f"Send the cell to Gemini or another backend; %{magic} does the same on one line, and",
        f"reply = %{magic} ... keeps the answer. Options come first; -- ends them.",
        "{{ name }} is filled from your variables; --raw leaves double braces alone.",
    ]
    for group in dict.fromkeys(option.group for option in OPTIONS):
        lines += ["", f"{group}:"]
        for option in (o for o in OPTIONS if o.group == group):
            short = f"-{option.short}, " if option.short else "    "
            name = f"--{option.name} {option.value_hint}".rstrip()
            only = "" if len(option.kinds) == 3 else f" [{', '.join(option.kinds)}]"
            lines.append(f"  {short}{name:<36} {option.help}{only}")
    return "\n".join(lines)


def option_keys() -> tuple[str, ...]:
    """The options that a configuration may preset, as TOML writes them."""
    return tuple(option.key for option in BY_NAME.values() if option.setting)
