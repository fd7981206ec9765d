"""What a panel holds and does, without a widget: options, a prompt, a conversation, one run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gemini_magic.cell import GeminiCell, subcommand
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.option_table import OPTIONS, Option
from gemini_magic.options import BY_NAME, OptionValue
from gemini_magic.widgets.panel_desk import Desk, Job, Outcome, Who
from gemini_magic.widgets.panel_presets import ASIDE, Presets
from gemini_magic.widgets.panel_text import in_a_line, plainly, typed
from gemini_magic.widgets.panel_turns import Turn, Turns

if TYPE_CHECKING:
    from gemini_magic.widgets.panel_place import Place

#: What has no sense in a panel: it shows the answer itself, and keeps a conversation of its own.
ABSENT = ("compare", "chat", "def", "quiet", "dry-run", "help")
#: The options of one question, which the next one does not have.
MEDIA = ("image", "file")


class Origin(NamedTuple):
    """A cell of the notebook that was loaded, by its id, and what of it a panel has no place for.

    ``words`` is its beginning in one line, ``tip`` where the conversation was then.
    """

    cell: str
    words: str
    preamble: str
    options: tuple[tuple[str, OptionValue], ...]
    tip: Turn | None


def shown_options() -> tuple[Option, ...]:
    """The options that a panel has, in the table's order."""
    return tuple(option for option in OPTIONS if option.name not in ABSENT)


class PanelModel:
    """A cell that is being put together, and the conversation that it goes on with.

    Its methods may be called in any thread. ``over`` is called in the run's own thread when one
    ended, with the turn that came of it (None: nothing did), its place, and an error's one line.
    """

    def __init__(self, desk: Desk, presets: Presets) -> None:
        self.desk, self.presets = desk, presets
        self.given: dict[str, OptionValue] = {}
        self.template = ""
        self.turns = Turns()
        self.chat = "panel"
        self.origin: Origin | None = None
        self.problems: dict[str, str] = {}
        self.over: Callable[[Turn | None, Place, str], None] = lambda turn, place, error: None
        self._job: Job | None = None
        self._running = False
        self._stopped = False
        self._lock = threading.RLock()
        self.who = Who()
        self.look()

    # --- the cell ---

    @property
    def cell(self) -> GeminiCell:
        """What would be asked: without the options that are of no use with who is asked."""
        return self.asked()

    def asked(self, again: Turn | None = None) -> GeminiCell:
        """The same; of a turn its question with the settings of now."""
        template, given = self.template, dict(self.given)
        if again is not None:
            template = again.cell.template
            given = {name: value for name, value in given.items() if name not in MEDIA}
            given |= {name: value for name, value in again.cell.options if name in MEDIA}
        barred = self.who.barred
        return GeminiCell.of(
            template, {name: value for name, value in given.items() if name not in barred}
        )

    @property
    def drafted(self) -> bool:
        """Whether something stands in the prompt or goes with it."""
        return bool(self.template.strip() or self.given.keys() & set(MEDIA))

    def put(self, name: str, text: str) -> str:
        """Take what was typed for an option; what is wrong with it, in one line, or nothing."""
        try:
            value = typed(BY_NAME[name], text)
        except UsageError as error:
            self.problems[name] = plainly(error)
            return self.problems[name]
        self.set(name, value)
        return ""

    def set(self, name: str, value: OptionValue | None) -> None:
        """Give an option this value; None or False takes it away."""
        with self._lock:
            self.problems.pop(name, None)
            if value is None or value is False or value == ():
                self.given.pop(name, None)
            else:
                self.given[name] = value

    def look(self) -> Who:
        """See who would be asked now."""
        asked = ("model", "route", "no-fallback")
        given = {name: value for name, value in self.given.items() if name in asked}
        self.who = self.desk.who(GeminiCell.of("?", given))
        return self.who

    def load(self, source: str, cell_id: str = "") -> tuple[str, ...]:
        """Take over a cell's text; the options that it has and a panel has not.

        With its id it can be ``written`` back. Raises ``UsageError``, and changes nothing then.
        """
        magic = self.desk.magic
        cell = GeminiCell.parse(source, magic)
        if cell.line and subcommand(cell.template) is not None:
            raise UsageError(f"this is a command, and no %%{magic} cell.")
        with self._lock:
            self.given = {name: value for name, value in cell.options if name not in ABSENT}
            self.template = cell.template
            self.problems.clear()
            absent = tuple((name, value) for name, value in cell.options if name in ABSENT)
            self.origin = None
            if cell_id:
                words = in_a_line(source.removeprefix(cell.preamble))
                self.origin = Origin(cell_id, words, cell.preamble, absent, self.turns.tip)
        self.look()
        return tuple(name for name, _ in absent)

    def written(self, origin: Origin) -> str:
        """The text for the cell that was loaded: the prompt and the settings of now, and what a
        panel has no place for as it was. A prompt that was asked since is the cell's."""
        with self._lock:
            turn = None if self.drafted else self.turns.tip
            cell = self.asked(None if turn is origin.tip else turn)
        given = {**dict(cell.options), **dict(origin.options)}
        cell = replace(GeminiCell.of(cell.template, given), preamble=origin.preamble)
        return self.source(cell)

    def load_preset(self, name: str) -> None:
        """Take over the settings of a preset; the prompt and its media stay. Raises."""
        kept = self.presets.load(name)
        with self._lock:
            media = {name: value for name, value in self.given.items() if name in ASIDE}
            self.given = {**{n: v for n, v in kept.items() if n not in ABSENT}, **media}
            self.problems.clear()
        self.look()

    def save_preset(self, name: str) -> None:
        """Keep the settings by this name. Raises ``GeminiMagicError``."""
        self.presets.save(name, self.given)

    def source(self, cell: GeminiCell) -> str:
        """A cell's text, with the name that its magic has here."""
        return replace(cell, magic=self.desk.magic).to_source()

    def cells(self) -> tuple[GeminiCell, ...]:
        """The conversation as cells, what is being typed last; turns of a chat where there are
        several."""
        cells = [turn.cell for turn in self.turns.path if turn.counts]
        if self.drafted or not cells:
            cells.append(self.cell)
        if len(cells) > 1:
            cells = [GeminiCell.of(c.template, {**dict(c.options), "chat": self.chat})
                     for c in cells]  # fmt: skip
        return tuple(cells)

    # --- the run ---

    @property
    def running(self) -> bool:
        return self._running

    def run(self, place: Place, again: Turn | None = None) -> GeminiCell:
        """Ask; returns at once, and the prompt is empty then. Raises ``GeminiMagicError``.

        ``again`` asks that turn's question once more, beside it, and leaves the prompt alone. What
        is asked goes the way of all cells: through its text.
        """
        with self._lock:
            if self._running:
                raise UsageError("it still answers.", "Stop it, or wait.")
            self._check_schema()
            if self.problems:
                raise UsageError(next(iter(self.problems.values())))
            if self.look().problem:
                raise UsageError(self.who.problem)
            cell = GeminiCell.parse(self.asked(again).to_source())
            if not cell.template.strip() and not set(MEDIA) & {name for name, _ in cell.options}:
                raise UsageError("the prompt is empty; nothing was sent.")
            before = self.template, {name: self.given.get(name) for name in MEDIA}
            if again is not None:
                self.turns.edit(again)
            parent, history = self.turns.tip, self.turns.history()
            self._running, self._stopped, self._job = True, False, None
            if again is None:
                self.template = ""
                for name in MEDIA:
                    self.given.pop(name, None)

        def ended(outcome: Outcome) -> None:
            turn = None
            with self._lock:
                self._running, self._job = False, None
                if outcome.question is not None and outcome.reply is not None:
                    turn = Turn(cell, outcome.question, outcome.reply, outcome.counts)
                    self.turns.add(turn, parent)
                elif again is not None:
                    self.turns.forward()  # back to it
                elif self.drafted:  # something else was typed meanwhile: *Edit* has it
                    turn = Turn(cell, counts=False)
                    self.turns.add(turn, parent)
                else:  # so that it can be mended
                    self.template = before[0]
                    for name, value in before[1].items():
                        self.set(name, value)
            self.over(turn, place, outcome.error)

        try:
            job = self.desk.ask(cell, history, place, ended)
        except GeminiMagicError as error:
            ended(Outcome(error=str(error)))
            return cell
        with self._lock:
            if self._running:
                self._job = job
            stopped = self._stopped
        if stopped:
            job.stop()
        return cell

    def _check_schema(self) -> None:
        """A type may have been made since its name was typed."""
        schema = self.given.get("schema")
        if "schema" in self.problems and isinstance(schema, str):
            try:
                self.desk.schema(schema)
            except GeminiMagicError as error:
                self.problems["schema"] = plainly(error)
            else:
                del self.problems["schema"]

    def stop(self) -> None:
        """Stop the run, if there is one; returns at once."""
        with self._lock:
            self._stopped, job = True, self._job
        if job is not None:
            job.stop()

    # --- the conversation ---

    def edit(self, turn: Turn) -> None:
        """Take a turn's question back into the prompt; what is asked then is a branch beside it.

        Raises ``UsageError`` where something stands there that would be lost.
        """
        with self._lock:
            if self.drafted and not any(self._holds(one) for one in self.turns):
                raise UsageError(
                    "the prompt holds something that was not asked yet.", "Run or empty it first."
                )
            self.turns.edit(turn)
            self.template = turn.cell.template
            for name in MEDIA:
                self.set(name, turn.cell.get(name))

    def _holds(self, turn: Turn) -> bool:
        """Whether the prompt is a turn's question, as *Edit* puts it there."""
        return self.template == turn.cell.template and all(
            self.given.get(name) == turn.cell.get(name) for name in MEDIA
        )
