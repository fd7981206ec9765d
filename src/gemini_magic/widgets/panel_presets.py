"""Settings that a panel keeps by name, in the user's configuration folder, as a cell's options."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from gemini_magic import options
from gemini_magic.errors import ConfigError, GeminiMagicError, UsageError
from gemini_magic.options import OptionValue
from gemini_magic.paths import locked, write_private

#: Characters of a name.
_LONGEST = 60
#: What belongs to one prompt, and is not kept with the settings.
ASIDE = frozenset({"image", "file", "chat", "out", "def", "compare", "dry-run", "help"})


class Presets:
    """The presets in a file. Two kernels may write it at the same time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> tuple[str, ...]:
        """In alphabetical order; a file that cannot be read has none."""
        return tuple(sorted(self._read(), key=str.lower))

    def load(self, name: str) -> dict[str, OptionValue]:
        """The options kept by this name. Raises ``UsageError``."""
        line = self._read().get(name)
        if line is None:
            raise UsageError(f"there is no preset {name[:_LONGEST]!r}.")
        given, rest = options.read(line)
        if rest:
            raise UsageError(f"the preset {name[:_LONGEST]!r} cannot be read.", str(self._path))
        return {key: value for key, value in given.items() if key not in ASIDE}

    def save(self, name: str, given: dict[str, OptionValue]) -> None:
        """Keep these options by this name, in place of older ones. Raises GeminiMagicError."""
        name = " ".join(name.split())
        if not name or len(name) > _LONGEST or not name.isprintable():
            raise UsageError(f"a preset needs a name, of at most {_LONGEST} characters.")
        kept = {key: value for key, value in given.items() if key not in ASIDE}
        line = options.write(options.in_table_order(kept))
        self._change({name: line})

    def delete(self, name: str) -> None:
        """Forget a preset, if it is there. Raises GeminiMagicError."""
        self._change({name: None})

    def _change(self, changes: dict[str, str | None]) -> None:
        try:
            with locked(self._path):
                merged = {**self._read(strict=True), **changes}
                kept = {name: line for name, line in merged.items() if line is not None}
                text = json.dumps({"presets": kept}, ensure_ascii=False, indent=1)
                write_private(self._path, text.encode())
        except OSError as problem:
            why = problem.strerror or type(problem).__name__
            raise ConfigError(f"the presets could not be kept in {self._path}: {why}.") from None

    def _read(self, *, strict: bool = False) -> dict[str, str]:
        """By name, as options are written in a cell. ``strict``: never take a broken file for an
        empty one, which would be written over."""
        problem: GeminiMagicError | None = None
        with suppress(FileNotFoundError):
            try:
                found = json.loads(self._path.read_text("utf-8"))["presets"]
                return {
                    name: line
                    for name, line in found.items()
                    if isinstance(name, str) and isinstance(line, str)
                }
            except FileNotFoundError:
                raise
            except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
                problem = ConfigError(
                    f"the presets in {self._path} cannot be read.", "Mend or remove the file."
                )
        if problem and strict:
            raise problem
        return {}
