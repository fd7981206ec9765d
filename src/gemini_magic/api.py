"""Plain Python's face: ``ask``, ``aask`` and ``stream``, with the engine that the cells use."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic import options as cell_options
from gemini_magic.cell import GeminiCell
from gemini_magic.config import Config
from gemini_magic.engine import loop
from gemini_magic.engine.engine import Engine
from gemini_magic.engine.house import House
from gemini_magic.engine.question import Question, carrying, put
from gemini_magic.engine.run import POLL
from gemini_magic.engine.schema import Schema, schema_for
from gemini_magic.engine.toolbox import Toolbox
from gemini_magic.errors import (
    GeminiMagicError,
    PlaceholderError,
    UsageError,
    did_you_mean,
    sentence,
)
from gemini_magic.events import TextDelta
from gemini_magic.locks import ProcessLock
from gemini_magic.notebook.chat import Conversation, Conversations
from gemini_magic.option_table import OPTIONS, Option
from gemini_magic.options import OptionValue
from gemini_magic.types import Message, Reply, Request

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session

#: Seconds that an interrupted run has to close its connection before the caller goes on.
_FAREWELL = 0.1

#: The options of the table that say how a cell is written or drawn.
_CELL_ONLY = ("compare", "def", "as", "out", "save", "quiet", "allow-remote-images", "raw",
              "dry-run", "help", "image", "file")  # fmt: skip
#: The libraries whose objects are pictures or sound: no newline sets them off from a text.
_NO_TEXT = ("PIL", "matplotlib", "numpy", "IPython", "gemini_magic")


class CallError(UsageError, TypeError):
    """A function was called with the wrong arguments; nothing was sent."""


class Stopped(KeyboardInterrupt):
    """The user interrupted a call; ``reply`` is what had come.

    No ``GeminiMagicError``: a loop that goes on after errors ends with an interrupt all the same.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply

    def __str__(self) -> str:
        return "you stopped it; what had come is the reply of this exception."

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: one line instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def ask(prompt: Any, *objects: Any, **options: Any) -> Reply:
    """Ask, wait, and return the reply.

    The prompt is taken literally. Objects after it, or in a list as the prompt, go with it in
    their order: texts, pictures, ``pathlib.Path`` for files, DataFrames. ``options`` are those of
    a cell, by their names with underscores, None for "not given"; of its own are ``backend``,
    ``images`` and ``files`` (paths, URLs or objects), ``schema`` (a type, a JSON schema or the
    short form) and ``tools`` (functions, which are called in this thread).

    Within a notebook that has loaded the extension, the session's defaults hold.
    Raises ``GeminiMagicError``, and when it is interrupted ``Stopped``, a ``KeyboardInterrupt``;
    the ``reply`` of either is what came, None where nothing was asked.
    """
    with raising():
        call = _Call(prompt, objects, options)
        _refuse_to_block_functions()
        return call.conclude(follow(call.put(desk())))


async def aask(prompt: Any, *objects: Any, **options: Any) -> Reply:
    """Ask as ``ask`` does, without blocking the caller's loop; cancelling it stops the run.

    Functions among ``tools`` that are not async are called in a thread of their own.
    """
    with raising():
        call = _Call(prompt, objects, options)
    home = asyncio.get_running_loop()
    over: asyncio.Future[Question] = home.create_future()
    asked: list[Question] = []
    stopped = threading.Event()

    def work() -> None:
        # To read files and pictures takes a while; so this is no work for the caller's loop.
        problem: BaseException | None = None
        try:
            follow(call.put(desk()), started)
        except BaseException as error:
            problem = error
        with suppress(RuntimeError):  # the caller's loop is closed
            home.call_soon_threadsafe(tell, problem)

    def started(question: Question) -> None:
        asked.append(question)
        if stopped.is_set():
            question.run.cancel()

    def tell(problem: BaseException | None) -> None:
        if over.done():
            return
        if problem is None:
            over.set_result(asked[-1])
        else:
            over.set_exception(problem)

    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(work,), name="gemini_magic aask", daemon=True).start()
    with raising():
        try:
            return call.conclude(await over)
        except asyncio.CancelledError:
            stopped.set()
            for one in asked:
                one.run.cancel()
            raise


def stream(prompt: Any, *objects: Any, **options: Any) -> Stream:
    """Ask as ``ask`` does, and iterate over the answer's text while it comes."""
    with raising():
        call = _Call(prompt, objects, options)
        if call.cell.flag("repair"):
            raise CallError("what was streamed cannot be repaired; nothing was sent.")
        _refuse_to_block_functions()
        return Stream(call, call.put(desk()))


class Stream(Iterator[str]):
    """The pieces of an answer's text. ``close`` stops it, and so does leaving a ``with`` block."""

    def __init__(self, call: _Call, question: Question) -> None:
        self._call = call
        self._question = question
        self._texts: deque[str] = deque()
        self._reply: Reply | None = None
        self._closed = False

    def __next__(self) -> str:
        run = self._question.run
        try:
            while not self._texts and not run.over and not self._closed:
                events = run.poll()
                self._texts += [e.text for e in events if isinstance(e, TextDelta) and e.text]
        except KeyboardInterrupt:
            self.close()
            raise Stopped(run.reply) from None
        if self._texts:
            return self._texts.popleft()
        if not self._closed:
            self._closed = True
            self._reply = self._call.conclude(self._question)
        raise StopIteration

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._question.run.cancel()  # let go of, as by ``break``

    def close(self) -> None:
        """Stop the run if it is not over."""
        self._closed = True
        self._texts.clear()
        if not self._question.run.over:
            _stop(self._question)

    @property
    def reply(self) -> Reply:
        """The reply; partial until the iteration is over."""
        return self._reply or self._question.run.reply


def close() -> None:
    """Stop what was asked from plain Python, and let go of its connections; for tests and servers.

    The next call starts anew. A notebook's session is left alone.
    """
    global _own
    with _lock:
        house, _own = _own, None
    if house is not None:
        house.engine.close()


# --- whom a call is put to ---


class Desk(NamedTuple):
    """Where questions are put: the notebook's session, or an engine of plain Python's own.

    ``remember`` makes a reply the session's last.
    """

    engine: Engine
    config: Config
    chats: Conversations
    may_replay: Callable[[GeminiCell, Request], bool]
    remember: Callable[[Reply], object] = bool


_own: House | None = None
_chats = Conversations()
_lock = ProcessLock()


def desk() -> Desk:
    """The desk that is open now, with the configuration in force."""
    global _own
    session = _session()
    if session is not None:
        return Desk(
            session.engine,
            session.refresh(),
            session.chats,
            session.may_replay,
            partial(session.remember, drawn=False),
        )
    with _lock:
        if _own is None:
            _own = House()
        house = _own
    return Desk(house.engine, house.refresh(), _chats, lambda cell, _: cell.flag("cached"))


def _session() -> Session | None:
    """The session of the notebook that this runs in, where it has loaded the extension."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None  # type: ignore[union-attr]
    magic = shell.magics_manager.registry.get("GeminiMagic") if shell else None
    return magic.session if magic else None


# --- one call ---


class _Call:
    """A call's arguments as a cell, and the objects that the cell's expressions stand for.

    Raises ``CallError`` for an unknown option or a bad value.
    """

    def __init__(self, prompt: Any, objects: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        self._values: dict[str, Any] = {}
        self._chat: Conversation | None = None
        self._chats: Conversations | None = None
        self._texts: list[str] = []
        self._backend: str | None = None
        self._remember: Callable[[Reply], object] = bool
        self._schema: Schema | None = None
        self._toolbox: Toolbox | None = None
        given = {key: value for key, value in options.items() if value is not None}
        for key in given:
            if key not in _CALL_OPTIONS:
                hint = did_you_mean(key, _CALL_OPTIONS) or f"known: {', '.join(_CALL_OPTIONS)}"
                raise CallError(f"there is no option {key}; nothing was sent.", sentence(hint))
        first = prompt if isinstance(prompt, list | tuple) else [prompt]
        self.cell = GeminiCell.of(self._template([*first, *objects]), self._options(given))

    def put(self, desk: Desk) -> Question:
        """Start asking."""
        self._remember = desk.remember
        history: tuple[Message, ...] = ()
        if self._backend is not None:
            desk.config.backend(self._backend)
        if name := self.cell.text("chat"):
            self._chats, self._chat = desk.chats, desk.chats.open(name)
            history = self._chat.history(None)
        return put(
            desk.engine,
            desk.config,
            self.cell,
            self._value,
            history=history,
            schema=self._schema,
            toolbox=self._toolbox,
            may_replay=lambda request: desk.may_replay(self.cell, request),
            logged_as="\n".join(self._texts),
        )

    def conclude(self, question: Question) -> Reply:
        """The reply of a run that is over: the session's last, and a turn of the call's chat."""
        reply = question.reply()
        self._remember(reply)
        if self._chat is not None and self._chats is not None and reply.request is not None:
            self._chats.keep(self._chat)
            self._chat.add(None, reply.request.messages[-1], reply)
        return reply

    def _template(self, items: list[Any]) -> str:
        """A placeholder for each item; so texts are taken literally."""
        words: list[str] = []
        for index, item in enumerate(items):
            if index and _is_texty(items[index - 1]) and _is_texty(item):
                words.append("\n")
            words.append(f"{{{{ {self._name(f'_prompt_{index}', item)} }}}}")
            if isinstance(item, str):
                self._texts.append(item)
        return "".join(words)

    def _options(self, given: Mapping[str, Any]) -> dict[str, OptionValue]:
        rest = dict(given)
        out: dict[str, OptionValue] = {}
        if (backend := rest.pop("backend", None)) is not None:
            self._backend = str(backend)
            rest["model"] = f"{backend}:{rest.get('model') or ''}"
        for name in ("image", "file"):
            if several := _several(rest.pop(f"{name}s", ())):
                out[name] = tuple(
                    self._path(f"{name}_{index}", one) for index, one in enumerate(several, 1)
                )
        if (schema := rest.pop("schema", None)) is not None:
            self._schema = schema_for(schema)
        if (system := rest.pop("system", None)) is not None:
            out["system"] = f"{{{{ {self._name('_system', system)} }}}}"
        tools = _several(rest.pop("tools", ()))
        for key, value in rest.items():
            converted = _converted(_CALL_OPTIONS[key], value)
            if converted is not False:
                out[_CALL_OPTIONS[key].name] = converted
        if tools:
            limits = {"max_hops": out.get("max-hops"), "timeout": out.get("tool-timeout")}
            given = {name: limit for name, limit in limits.items() if limit is not None}
            self._toolbox = Toolbox(_functions(tools), **given)
        return out

    def _path(self, name: str, value: Any) -> str:
        """How a file or picture is named: an address or a path as it is, an object by a name."""
        if isinstance(value, str | Path):
            return str(value)
        return self._name(name, value)

    def _name(self, name: str, value: Any) -> str:
        self._values[name] = value
        return name

    def _value(self, expression: str) -> Any:
        if expression not in self._values:
            raise PlaceholderError(f"{expression[:60]!r} is not defined; nothing was sent.")
        return self._values[expression]


_BY_KEY = {option.key: option for option in OPTIONS}
_CALL_OPTIONS: dict[str, Option] = {
    "model": _BY_KEY["model"],
    "backend": _BY_KEY["model"],
    "images": _BY_KEY["image"],
    "files": _BY_KEY["file"],
    **{option.key: option for option in OPTIONS if option.name not in _CELL_ONLY},
}


def _functions(tools: tuple[Any, ...]) -> dict[str, Callable[..., Any]]:
    """The functions by their names."""
    functions: dict[str, Callable[..., Any]] = {}
    for one in tools:
        name = getattr(one, "__name__", "")
        if not callable(one) or not name.isidentifier():
            raise CallError(
                f"tools takes functions with a name, not {one!r:.60}; nothing was sent.",
                "Write it with def, and a docstring that says what it does.",
            )
        if functions.setdefault(name, one) is not one:
            raise CallError(f"two of the tools are called {name}; nothing was sent.")
    return functions


def _several(value: Any) -> tuple[Any, ...]:
    """One value or a list of them as a tuple."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _is_texty(value: Any) -> bool:
    """Whether a newline should set it off from a text beside it."""
    return type(value).__module__.partition(".")[0] not in _NO_TEXT


def _converted(option: Option, value: Any) -> OptionValue:
    """A Python value as the option's, as if it had been written in a cell."""
    if option.flag:
        if not isinstance(value, bool):
            raise CallError(f"{option.key} takes True or False; nothing was sent.")
        return value
    if option.repeat or option.type == "names":
        texts = _several(value)
        if not all(isinstance(text, str) for text in texts):
            raise CallError(f"{option.key} takes a text or a list of texts; nothing was sent.")
        return texts if option.repeat else _checked(option, ",".join(texts))
    is_number = option.type in ("int", "float", "thinking")
    if isinstance(value, bool) or not (isinstance(value, str) or (is_number and _number(value))):
        kind = "a number" if is_number else "a text"
        raise CallError(f"{option.key} takes {kind}, not {value!r:.40}; nothing was sent.")
    return _checked(option, str(value))


def _number(value: Any) -> bool:
    """Whether it is a number, NumPy's included."""
    return hasattr(value, "__float__") and not isinstance(value, bool)


def _checked(option: Option, text: str) -> OptionValue:
    try:
        return cell_options.convert(option, text)
    except UsageError as error:
        dashes = f"--{option.name}"
        what, step = (one.replace(dashes, option.key) for one in (error.what, error.next_step))
        raise CallError(what, step) from None


def _signature(result: Any) -> Signature:
    """The options as ``help`` and completion show them."""
    given = [
        Parameter("prompt", Parameter.POSITIONAL_ONLY),
        Parameter("objects", Parameter.VAR_POSITIONAL),
    ]
    given += [Parameter(key, Parameter.KEYWORD_ONLY, default=None) for key in _CALL_OPTIONS]
    return Signature(given, return_annotation=result)


for _function, _result in ((ask, Reply), (aask, Reply), (stream, Stream)):
    vars(_function)["__signature__"] = _signature(_result)


# --- waiting ---


def _refuse_to_block_functions() -> None:
    """An async tool that waited here would hold up all others."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if loop.runs_functions(running):
        raise UsageError(
            "an async tool cannot wait for an answer this way; nothing was sent.",
            "In it write: await gemini_magic.aask(...)",
        )


def follow(question: Question, started: Callable[[Question], object] = bool) -> Question:
    """Wait for a run to be over, and call in this thread what it wants called in it.

    Returns the question that the answer belongs to: another one, where it was asked once more.
    ``started`` is told of each.
    """
    started(question)
    run = question.run
    try:
        if question.built.toolbox is None:
            while not run.wait(POLL):
                pass  # short waits, so that an interrupt gets through on every platform
        else:
            while not run.over:
                run.poll()
        again = question.corrected()
    except KeyboardInterrupt:
        _stop(question)
        raise Stopped(run.reply) from None
    except BaseException:
        _stop(question)
        raise
    return question if again is None else follow(again, started)


def _stop(question: Question) -> None:
    question.run.cancel()
    question.run.wait(_FAREWELL)


class raising:
    """Within it, each of our errors leaves with a ``reply``: None where nothing was asked."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GeminiMagicError) and "reply" not in vars(error):
            carrying(error, None)
