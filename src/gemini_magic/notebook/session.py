"""What a kernel knows between cells, and how one cell is asked, drawn and bound."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.cell import GeminiCell, subcommand
from gemini_magic.config import Backend, Config
from gemini_magic.engine.house import House
from gemini_magic.engine.question import Question, put, targets_of, with_notices
from gemini_magic.engine.request import build
from gemini_magic.engine.run import POLL, Run
from gemini_magic.engine.targets import choose
from gemini_magic.errors import (
    GeminiMagicError,
    Interrupted,
    UsageError,
    did_you_mean,
    sentence,
)
from gemini_magic.notebook import display
from gemini_magic.notebook.chat import Conversation, Conversations, Place
from gemini_magic.notebook.footer import dry_run, footer, metadata
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.quota.prices import tier_is_free
from gemini_magic.types import Reply, Request, digest, first_fence

if TYPE_CHECKING:
    from gemini_magic.notebook.gallery_command import Album
    from gemini_magic.notebook.magics import GeminiMagic

#: Seconds that an interrupted run has to close its connection before the cell ends without it.
_FAREWELL = 0.2
#: Where pictures, sound and film are kept.
MEDIA_FOLDER = "gemini_outputs"
_MODEL_NAME = re.compile(r"(?:models/)?(?:gemini|gemma)-[\w.-]+\Z")


class Session:
    """One kernel's configuration, engine, conversations and last reply."""

    def __init__(self, magic: GeminiMagic) -> None:
        self.magic = magic
        shell: Any = magic.shell
        self.shell = shell
        self.chats = Conversations()
        self.last: Reply | None = None
        self.namespace = Namespace(self.shell.user_ns)
        self._told: set[str] = set()
        self._streamed: tuple[int, list[Reply]] = (-1, [])
        self._turns: tuple[str, int] = ("", 0)
        self._first: dict[str, str] = {}
        self._asked: set[tuple[str, str]] = set()
        self.house = House(self._overrides)
        self.engine, self.cache = self.house.engine, self.house.cache
        self.album: Album | None = None

    # --- the two magics ---

    def run_cell(self, line: str, body: str) -> None:
        """``%%gemini``: ask, draw, and bind the reply to ``_`` and ``Out``."""
        reply = self._parsed(line, body)
        if reply is not None:
            self._bind(reply)

    def run_line(self, line: str) -> Any:
        """``%gemini``: a command, or a prompt whose reply is the value of the line."""
        if (command := subcommand(line)) is not None:
            from gemini_magic.notebook.commands import run

            return run(self, *command)
        return self._parsed(line, None)

    def _parsed(self, line: str, body: str | None) -> Any:
        return self.ask(GeminiCell.from_magic(line, body, magic=self.magic.name))

    # --- asking ---

    def ask(self, cell: GeminiCell) -> Any:
        """Ask what a cell asks; None where nothing was to be sent (``--help``, ``--dry-run``).

        A reply, or with ``--compare`` the DataFrame of all. It is bound even where this raises
        because the answer failed half-way.
        """
        if cell.flag("help"):
            from gemini_magic.notebook.commands import whole_help

            print(whole_help(cell.magic))
            return None
        if _MODEL_NAME.match(cell.template.strip()) and cell.get("model") is None:
            raise UsageError(
                "the prompt is just a model's name; nothing was sent.",
                f"Did you mean -m {cell.template.strip()}? To ask about it, name a model too.",
            )
        if cell.text("def") is not None:
            from gemini_magic.notebook.define import define

            return define(self, cell)
        if cell.get("compare") is not None:
            from gemini_magic.notebook.compare import compare

            return compare(self, cell)
        return self._ask(cell)

    def _ask(self, cell: GeminiCell) -> Reply | None:
        config = self.refresh()
        for notice in self._fresh(config.notices):
            print(notice)
        if cell.text("as") == "df":
            from gemini_magic.engine.schema_frame import need_pandas

            need_pandas()
        chat, place = self.chat_of(cell)
        history = chat.history(place) if chat else ()
        if cell.flag("dry-run"):
            built = build(cell, self.namespace.value, presets=config.generation, history=history)
            print(dry_run(built, targets_of(self.engine, config, cell), config))
            return None
        question = put(
            self.engine,
            config,
            cell,
            self.namespace.value,
            history=history,
            may_replay=partial(self.may_replay, cell),
        )
        view = self._view(cell)
        interrupted = not _follow(question.run, view)
        if not interrupted and (again := question.corrected()) is not None:
            view.close(question.run.reply, "this does not fit the schema; asked once more")
            question, view = again, self._view(cell)
            interrupted = not _follow(question.run, view)
        reply, error = _outcome(question, interrupted)
        if error is not None and not reply.parts:
            view.abandon()
            for notice in () if cell.flag("quiet") else reply.notices:
                print(notice)  # what was asked on the way
            raise error
        reply = reply.replace(notices=(*reply.notices, *self._news(reply)))
        if chat is not None and error is None and not interrupted:
            turns = self._add_turn(chat, place, reply)
            reply = reply.replace(notices=(*reply.notices, *turns))
        self._conclude(cell, reply, view)
        if interrupted or error is not None:
            self._bind(reply)
            if error is not None:
                raise error
            kept = "what had come is kept in _" if reply.parts else "nothing had come"
            raise Interrupted(f"you stopped it; {kept}.")
        if cell.text("as") == "code" and (code := first_fence(reply.text)) is not None:
            self.shell.set_next_input(code)
        return reply

    def gallery(self) -> Album:
        """What this session made that can be looked at or heard."""
        if self.album is None:
            from gemini_magic.notebook.gallery_command import Album

            self.album = Album()
        return self.album

    def _view(self, cell: GeminiCell) -> display.View:
        return display.view_for(
            self.shell,
            cell.text("as") or ("markdown" if cell.text("schema") is None else "json"),
            quiet=cell.flag("quiet"),
            remote_images=cell.flag("allow-remote-images"),
        )

    def _conclude(self, cell: GeminiCell, reply: Reply, view: display.View) -> None:
        """Save the media of a reply, draw its end, and remember it."""
        saved: Sequence[Path | None] = ()
        if reply.media and not reply.cached:
            from gemini_magic.notebook.saving import save

            folder = Path(cell.text("save") or MEDIA_FOLDER)
            done = save(reply, folder, prompt=cell.template, cell=cell.to_source())
            saved = done.paths
            self.gallery().add(reply, done, prompt=cell.template, cell=cell.to_source())
            if done.problem:
                reply = reply.replace(notices=(*reply.notices, done.problem))
        frame = None
        if cell.text("as") == "df" and reply.complete:
            frame, problem = _frame_of(reply)
            if problem:
                reply = reply.replace(notices=(*reply.notices, problem))
        self.last = reply
        if not cell.flag("quiet"):
            self._mark_streamed(reply)
        told = metadata(reply, digest(cell.template))
        view.close(reply, footer(reply, saved), told, saved=saved, frame=frame)
        if (name := cell.text("out")) is not None:
            self.namespace.bind({name: reply})

    def _add_turn(self, chat: Conversation, place: Place | None, reply: Reply) -> list[str]:
        """Make the reply a turn of the chat; what the user should know of it."""
        assert reply.request is not None
        self.chats.keep(chat)
        stale = chat.add(place, reply.request.messages[-1], reply)
        if not stale:
            return []
        turns = "1 later turn of the chat counts" if stale == 1 else f"{stale} later turns count"
        return [f"{turns} no more until run again"]

    def _news(self, reply: Reply) -> tuple[str, ...]:
        """Where the key came from, and what a free tier costs, with a backend's first reply."""
        target = reply.target
        if target is None or reply.cached:
            return ()
        where = self.engine.connections.key_source(target.backend)
        news = [f"key of {target.backend} from {where}"] if where else []
        if tier_is_free(self.engine.connections.config.backend(target.backend)):
            news.append("free tier: Google may use what you send to improve its products")
        return self._fresh(news)

    def _fresh(self, news: Iterable[str]) -> tuple[str, ...]:
        """What of this was not told before; it counts as told from now on."""
        fresh = tuple(text for text in news if text not in self._told)
        self._told.update(fresh)
        return fresh

    # --- configuration ---

    def config(self) -> Config:
        """The configuration in force now, with the session's own settings on top."""
        return self.house.config()

    def _overrides(self) -> Mapping[str, Any]:
        magic = self.magic
        names = ("model", "route", "timeout", "warm_up")
        given = {name: getattr(magic, name) for name in names}
        return {**given, "generation": dict(magic.generation)}

    def refresh(self) -> Config:
        """The configuration in force now, which the engine then uses too."""
        return self.house.refresh()

    def key_source(self, service: Backend) -> str:
        """Where a service's key is; empty where it has none."""
        key = self.engine.connections.find_key(service)
        return key.where if key else ""

    def use(self, name: str) -> str:
        """Make a model, ``backend:model``, backend or route the session's default.

        Returns what will be asked from now on. Raises ``UsageError`` and ``ConfigError``, and
        changes nothing then.
        """
        config = self.refresh()
        routes = ("default", *config.routes, *config.backends, *config.presets)
        is_route = name in routes
        if not is_route and (hint := did_you_mean(name, routes)):
            raise UsageError(
                f"there is no backend or route {name!r}; nothing changed.",
                f"{sentence(hint)} A model of that name: %{self.magic.name} use BACKEND:{name}",
            )
        before = self.magic.model, self.magic.route
        if is_route:
            self.magic.model, self.magic.route = None, None if name == "default" else name
        else:
            self.magic.model = name
        try:
            targets = choose(self.refresh(), self.engine.connections.find_key)
        except GeminiMagicError:
            self.magic.model, self.magic.route = before
            self.refresh()
            raise
        return ", then ".join(map(str, targets))

    def warm_up(self) -> None:
        """Import what the first cell will need, in the background; never fails."""
        with suppress(Exception):
            config = self.refresh()
            if config.warm_up:
                target = choose(config, self.engine.connections.find_key)[0]
                self.engine.warm_up(target)

    # --- the notebook's mechanics ---

    def _bind(self, reply: Any) -> None:
        """Make the reply the cell's value (``_`` and ``Out``) without drawing it."""
        self.shell.displayhook.update_user_ns(reply)

    def display(self, reply: Reply) -> None:
        """Draw a reply that is the value of a cell, unless this execution drew it already."""
        execution, drawn = self._streamed
        if execution == self.shell.execution_count and any(one is reply for one in drawn):
            return
        display.draw_whole(self.shell, reply, footer(reply))

    def _mark_streamed(self, reply: Reply) -> None:
        now = self.shell.execution_count
        execution, drawn = self._streamed
        self._streamed = (now, [*(drawn if execution == now else ()), reply])

    def may_replay(self, cell: GeminiCell, request: Request) -> bool:
        """Whether a stored answer may stand in: the first time that a cell runs in this kernel.

        Where cells have no ids: the first time that this is asked in this kernel.
        """
        cell_id, execution = self.running_cell()
        asked = (execution if cell_id else "", request.digest)
        first = self._first.setdefault(cell_id, execution) == execution if cell_id else True
        first = first and asked not in self._asked
        self._asked.add(asked)
        return cell.flag("cached") or (first and not cell.flag("fresh"))

    def running_cell(self) -> tuple[str, str]:
        """The running cell's id, "" where cells have none, and what names this execution."""
        get_parent = getattr(self.shell, "get_parent", None)
        parent = (get_parent() if get_parent else None) or {}
        cell_id = parent.get("metadata", {}).get("cellId") or ""
        return str(cell_id), f"{parent.get('header', {}).get('msg_id')}"

    def chat_of(self, cell: GeminiCell) -> tuple[Conversation | None, Place | None]:
        name = cell.text("chat")
        if name is None:
            return None, None
        return self.chats.open(name), self._place()

    def _place(self) -> Place | None:
        """The running cell and the how-manieth chat call in it; None where cells have no ids."""
        cell_id, execution = self.running_cell()
        if not cell_id:
            return None
        before, count = self._turns
        count = count + 1 if before == execution else 0
        self._turns = (execution, count)
        return cell_id, count


def _outcome(question: Question, interrupted: bool) -> tuple[Reply, BaseException | None]:
    """The reply of a run that is over, and what is wrong with it, if anything is."""
    if interrupted and question.run.error is None:
        return with_notices(question.run.reply, question.built), None
    try:
        return question.reply(), None
    except GeminiMagicError as problem:
        return getattr(problem, "reply", None) or question.run.reply, problem


def _frame_of(reply: Reply) -> tuple[Any, str]:
    """An answer as a DataFrame, or why it is none."""
    from gemini_magic.engine.schema_frame import frame

    try:
        return frame(reply.json if reply.parsed is None else reply.parsed), ""
    except (ValueError, TypeError, RecursionError):
        return None, "no table: the answer is not JSON (--schema makes it so)"


def _follow(run: Run, view: display.View) -> bool:
    """Draw a run until it is over; False if the user interrupted it."""
    try:
        while not run.over:
            wait = view.delay()
            if wait > 0:
                run.wait(min(wait, POLL))
                view.take(run.poll(0))
            else:
                view.take(run.poll(POLL))
        return True
    except KeyboardInterrupt:
        run.cancel()
        run.wait(_FAREWELL)
        with suppress(KeyboardInterrupt):
            view.take(run.poll(0))
        return False
