"""What a kernel knows between cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gemini_magic.cell import GeminiCell, subcommand
from gemini_magic.config import Backend, Config
from gemini_magic.engine.house import House
from gemini_magic.engine.targets import choose
from gemini_magic.errors import GeminiMagicError, UsageError, did_you_mean, sentence
from gemini_magic.notebook.ask import ask
from gemini_magic.notebook.chat import Conversation, Conversations, Place
from gemini_magic.notebook.footer import footer
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.notebook.notebook_view import draw_whole
from gemini_magic.notebook.prompts import Prompts, running
from gemini_magic.notebook.this_notebook import told_path
from gemini_magic.quota.prices import tier_is_free
from gemini_magic.types import Reply, Request, digest

if TYPE_CHECKING:
    from gemini_magic.notebook.gallery_command import Album
    from gemini_magic.notebook.magics import GeminiMagic
    from gemini_magic.notebook.panel_command import PanelView

_MODEL_NAME = re.compile(r"(?:models/)?(?:gemini|gemma)-[\w.-]+\Z")


class Session:
    """One kernel's configuration, engine, conversations and last reply."""

    def __init__(self, magic: GeminiMagic) -> None:
        self.magic = magic
        shell: Any = magic.shell
        self.shell = shell
        self.chats = Conversations()
        self.last: Any = None  # a reply, or a comparison's DataFrame
        self.prompts = Prompts()
        self.namespace = Namespace(self.shell.user_ns)
        self._told: set[str] = set()
        self._drawn: tuple[int, list[Reply]] = (-1, [])
        self._turns: tuple[str, int] = ("", 0)
        self._first: dict[str, str] = {}
        self._asked: set[tuple[str, str]] = set()
        self.house = House(self.overrides, self.place, reports=True)
        self.engine, self.cache = self.house.engine, self.house.cache
        self.album: Album | None = None
        self.panels: dict[str, PanelView] = {}  # by the ids of their cells

    # --- the two magics ---

    def run_cell(self, line: str, body: str) -> None:
        """``%%gemini``: ask, draw, and bind the reply to ``_`` and ``Out``."""
        reply = self._parsed(line, body)
        if reply is not None:
            self.bind(reply)

    def run_line(self, line: str) -> Any:
        """``%gemini``: a command, or a prompt whose reply is the value of the line."""
        if (command := subcommand(line)) is not None:
            from gemini_magic.notebook.commands import run

            try:
                return run(self, *command)
            finally:
                self.engine.look()
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
        self.prompts.begin(running(self.shell), self.running_cell()[0])
        if cell.text("def") is not None:
            from gemini_magic.notebook.define import define

            return define(self, cell)
        if cell.get("compare") is not None:
            from gemini_magic.notebook.compare import compare

            return compare(self, cell)
        return ask(self, cell)

    def gallery(self) -> Album:
        """What this session made that can be looked at or heard."""
        if self.album is None:
            from gemini_magic.notebook.gallery_command import Album

            self.album = Album()
        return self.album

    def remember(self, reply: Reply, *, drawn: bool) -> None:
        """Make it the last reply; if it was drawn, it is not drawn again in this execution."""
        self.last = reply
        if drawn:
            now = self.shell.execution_count
            execution, before = self._drawn
            self._drawn = (now, [*(before if execution == now else ()), reply])

    def add_turn(self, chat: Conversation, place: Place | None, reply: Reply) -> list[str]:
        """Make the reply a turn of the chat; what the user should know of it."""
        assert reply.request is not None
        self.chats.keep(chat)
        stale = chat.add(place, reply.request.messages[-1], reply)
        if not stale:
            return []
        turns = "1 later turn of the chat counts" if stale == 1 else f"{stale} later turns count"
        return [f"{turns} no more until run again"]

    def news(self, reply: Reply) -> tuple[str, ...]:
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

    def overrides(self) -> Mapping[str, Any]:
        magic = self.magic
        names = ("model", "route", "timeout", "warm_up")
        given = {name: getattr(magic, name) for name in names}
        return {**given, "generation": dict(magic.generation)}

    def refresh(self) -> Config:
        """The configuration in force now, which the engine then uses too."""
        return self.house.refresh()

    def begin(self) -> Config:
        """``refresh`` for a cell that asks: what is to be known of the configuration is printed."""
        config = self.refresh()
        for notice in self._fresh(config.notices):
            print(notice)
        return config

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

    def bind(self, reply: Any) -> None:
        """Make the reply the cell's value (``_`` and ``Out``) without drawing it."""
        self.shell.displayhook.update_user_ns(reply)

    def display(self, reply: Reply) -> None:
        """Draw a reply that is the value of a cell, unless this execution drew it already."""
        execution, drawn = self._drawn
        if execution == self.shell.execution_count and any(one is reply for one in drawn):
            return
        saved = self.album.files_of(reply) if self.album is not None else ()
        draw_whole(self.shell, reply, footer(reply, saved), saved)

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

    def place(self) -> tuple[str, str]:
        """The notebook's file as far as this kernel knows it, and the running cell's id."""
        return told_path(self.shell.user_ns), self.running_cell()[0]

    def chat_of(self, cell: GeminiCell) -> tuple[Conversation | None, Place | None]:
        name = cell.text("chat")
        if name is None:
            return None, None
        chat = self.chats.open(name)
        return chat, chat.place_of(self._place(), digest(cell.template))

    def _place(self) -> Place | None:
        """The running cell and the how-manieth chat call in it; None where cells have no ids."""
        cell_id, execution = self.running_cell()
        if not cell_id:
            return None
        before, count = self._turns
        count = count + 1 if before == execution else 0
        self._turns = (execution, count)
        return cell_id, count
