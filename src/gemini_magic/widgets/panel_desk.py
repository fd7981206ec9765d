"""What a panel has to be told by the rooms above: who is asked, at what cost, and the asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gemini_magic.cell import GeminiCell
from gemini_magic.types import Message, Reply

if TYPE_CHECKING:
    from gemini_magic.widgets.panel_place import Place
    from gemini_magic.widgets.programs import Program


class Who(NamedTuple):
    """Who a cell asks: its first target, in ``words`` with the others; or why nobody is.

    ``barred`` says of options why they are of no use there; ``can`` is what the model can do.
    """

    backend: str = ""
    model: str = ""
    words: str = ""
    can: str = ""
    barred: Mapping[str, str] = {}
    problem: str = ""


class Outcome(NamedTuple):
    """How a run ended. ``question`` and ``reply`` are None where nothing came of it.

    ``counts``: the answer is whole, and sent along with what is asked next. ``error`` is one line.
    """

    question: Message | None = None
    reply: Reply | None = None
    counts: bool = False
    error: str = ""


class Job(Protocol):
    """A run on its way."""

    def stop(self) -> None:
        """Stop it, from any thread, any number of times; returns at once."""


class Meters(Protocol):
    """Live meters: a widget, which draws itself until ``close``, and anew once it is woken."""

    @property
    def widget(self) -> object: ...
    @property
    def live(self) -> bool: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


class Desk(Protocol):
    """All of it may be called in any thread; what goes wrong is a ``GeminiMagicError``."""

    @property
    def magic(self) -> str:
        """The name of the magics."""

    @property
    def folder(self) -> Path:
        """Where files go that are dropped on the panel."""

    def routes(self) -> tuple[str, ...]:
        """The routes and backends that a cell may name."""

    def models(self, route: str | None) -> tuple[str, ...]:
        """The models that are known there; asks nobody."""

    def list_models(self, route: str | None) -> tuple[str, ...]:
        """The models that the services there list now; no request of a quota."""

    def who(self, cell: GeminiCell) -> Who:
        """Who would be asked; never raises."""

    def count(self, cell: GeminiCell, history: Sequence[Message]) -> str:
        """About how many tokens that is and what it costs, in one line. Sends nothing."""

    def ask(
        self,
        cell: GeminiCell,
        history: Sequence[Message],
        place: Place,
        over: Callable[[Outcome], None],
    ) -> Job:
        """Ask as a cell does, drawing into ``place``; returns at once, ``over`` is called later."""

    def programs(self, cells: Sequence[GeminiCell]) -> Sequence[Program]:
        """The last of these cells, with the turns before it, in several languages."""

    def schema(self, text: str) -> str:
        """The JSON schema that ``--schema`` means by this text, laid out."""

    def types(self) -> tuple[str, ...]:
        """The user's variables that are types for ``--schema``."""

    def ran(self) -> tuple[tuple[int, str], ...]:
        """The cells of the session that ask, newest first: the number of each, and its text."""

    def insert(self, source: str) -> str:
        """Put a cell into the notebook; says when and where."""

    def meters(self, who: Callable[[], Who], used: Callable[[], float]) -> Meters:
        """Meters of what ``who`` is counted in; ``used`` is when the panel was last used
        (``time.monotonic``): where no page says whether they are seen, those of a panel that
        nobody uses follow nothing."""
