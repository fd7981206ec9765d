"""The quota in the engine: real SDKs, real sockets, a real ledger file; nothing is sent unseen."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gemini_magic import config, errors, keys
from gemini_magic.engine import retry
from gemini_magic.engine.admission import Admission
from gemini_magic.engine.cache import Cache
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.engine import Engine
from gemini_magic.engine.run import Run
from gemini_magic.engine.targets import choose
from gemini_magic.events import Event, Notice, Switched, TextDelta, Waiting
from gemini_magic.quota import accounts
from gemini_magic.quota.clock import Clock, Reading, system_clock
from gemini_magic.quota.ledger import Grant, Ledger
from gemini_magic.quota.lessons import Lesson
from gemini_magic.quota.lessons import Told as LessonSize
from gemini_magic.quota.opening import open_ledger
from gemini_magic.quota.plan import Asking
from gemini_magic.quota.rules import Bucket
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.store import Amount
from gemini_magic.quota.windows import LATE, dawn, day, midnight
from gemini_magic.types import Message, Part, Request, Settings, Target
from tests.wire import Answer, Failure, Fault, Quota, Usage, payloads

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
OTHER_KEY = "sk-TESTKEYtestkeyTESTKEYtestkey0123456789"
MODEL = "gemini-2.5-flash"
KINDS = ("google", "openai")
MINE = Bucket("mine", MODEL)
NO_CAPACITY = Failure(503, {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})
BROKEN = Failure(500, {"error": {"code": 500, "message": "oops", "status": "INTERNAL"}})


def request(text: str = "hello", **more: Any) -> Request:
    return Request((Message("user", (Part(text),)),), **more)


def minute_full(seconds: float, size: int = 10) -> Failure:
    """A 429 for the minute that asks to come back in about a second more than ``seconds``."""
    name = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    found = payloads.violation(payloads.FREE_REQUESTS, name, MODEL, size)
    return payloads.quota_failure([found], seconds)


def day_full(size: int = 20) -> Failure:
    name = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    found = payloads.violation(payloads.FREE_REQUESTS, name, MODEL, size)
    return payloads.quota_failure([found], 38.5)


LIMIT_0 = payloads.quota_failure(
    [
        payloads.violation(payloads.FREE_REQUESTS, name, MODEL, None)
        for name in (
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        )
    ],
    38.5,
)


@dataclass
class Told:
    """What a run said until its end."""

    run: Run
    events: list[Event]
    error: BaseException | None
    seconds: float

    @property
    def text(self) -> str:
        return self.run.reply.text

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    @property
    def waits(self) -> list[Waiting]:
        return [event for event in self.events if isinstance(event, Waiting)]

    @property
    def switches(self) -> list[Switched]:
        return [event for event in self.events if isinstance(event, Switched)]


@dataclass
class Lab:
    """One user's machine: a configuration, engines, and a look into the ledger.

    The ledger's clock stands at a Pacific noon, whatever the time is.
    """

    write: Callable[[str], Path]
    home: Path
    servers: dict[str, Any] = field(default_factory=dict)
    closing: ExitStack = field(default_factory=ExitStack)
    base: str = ""

    def configure(self, more: str = "", *, settings: str = "", backend: str = "") -> None:
        """The backend ``test`` (of project "mine") and ``other``, each at its server."""
        parts = [f"[settings]\n{settings or 'retries = 0'}"]
        for name, server in self.servers.items():
            kind = type(server).__name__.removesuffix("Server").lower()
            own = backend if name == "test" else ""
            parts.append(
                f'[backends.{name}]\nkind = "{kind}"\nbase_url = "{server.url}"\n'
                f'key_env = "{name.upper()}_KEY"\n'
                f'project = "{"mine" if name == "test" else name}"\n{own}'
            )
        self.write("\n".join([*parts, more]))

    def engine(self, *, cache: bool = False) -> Engine:
        connections = Connections(config.load(), os.environ)
        kept = Cache(self.home / "data" / "cache.db", size=10**8, days=30) if cache else None
        admission = Admission(lambda: connections.config)
        made = Engine(connections, admission=admission, cache=kept)
        self.closing.callback(made.close)
        return made

    def ledger(self, clock: Clock = system_clock) -> Ledger:
        """The ledger as another process sees it."""
        store = SqliteStore(self.path, clock)
        self.closing.callback(store.close)
        ledger = Ledger(store)
        loaded = config.load()
        ledger.configure(loaded.limits, loaded.limits_since)
        return ledger

    @property
    def path(self) -> Path:
        return self.home / "data" / "ledger.db"

    def set_clock(self, to: float) -> None:
        """The ledger's clock, and the servers'."""
        store = self.ledger().store
        store.correct_clock(to - store.now())
        for server in self.servers.values():
            server.date_offset = to - time.time()

    def asking(self, ledger: Ledger, name: str = "test", model: str = MODEL) -> Asking:
        service = config.load().backend(name)
        key = keys.find(service, environ=os.environ)
        secret = key.secret if key else None
        stream = accounts.stream(service, secret, model, ledger.salt)
        return Asking(stream, accounts.label(service), force=True)

    def taken(self, count: int, ago: float, name: str = "test") -> None:
        """So many requests were sent ``ago`` seconds ago, and answered at once."""

        def then() -> Reading:
            now = system_clock()
            return Reading(now.wall - ago, now.since_boot - ago, now.boot)

        ledger = self.ledger(then)
        for _ in range(count):
            grant = ledger.admit(self.asking(ledger, name), Amount(1, 10))
            assert isinstance(grant, Grant)
            ledger.answered(grant, 0.0)
            ledger.settle(grant, "answered", tokens=10)

    def learn(self, lesson: Lesson) -> None:
        """Somebody's request was refused, and taught this."""
        ledger = self.ledger()
        grant = ledger.admit(self.asking(ledger), Amount(1, 10))
        assert isinstance(grant, Grant)
        ledger.learn(grant, lesson)
        ledger.settle(grant, "unsent")

    @property
    def minute(self) -> Amount:
        ledger = self.ledger()
        scopes = [stream.scope for s in ledger.buckets().values() for stream in s]
        return ledger.store.minute(scopes)

    @property
    def today(self) -> Amount:
        ledger = self.ledger()
        scopes = [stream.scope for s in ledger.buckets().values() for stream in s]
        return ledger.store.totals(scopes, day(ledger.store.now()))

    def spent(self, backend: str = "test") -> int:
        """Micro-dollars that a backend's budget has of today (UTC)."""
        store = self.ledger().store
        return store.totals([f"budget:{backend}"], day(store.now(), "UTC")).cost

    @property
    def sent(self) -> int:
        return sum(len(server.generate_calls) for server in self.servers.values())


@pytest.fixture
def lab(configure, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", OTHER_KEY)
    monkeypatch.setattr(retry, "_PAUSE", (0.05, 0.1))
    made = Lab(configure, home)
    with made.closing:
        yield made


def noon() -> float:
    return dawn(time.time() + 86_400) + 12 * 3600.0


@pytest.fixture(params=KINDS)
def server(request, google_server, openai_server, lab: Lab):  # type: ignore[no-untyped-def]
    """The server of the backend ``test``, of either kind."""
    return serve(lab, (google_server if request.param == "google" else openai_server)(key=KEY))


def serve(lab: Lab, running: Any, name: str = "test") -> Any:
    lab.servers[name] = running
    lab.configure()
    lab.set_clock(noon())
    return running


@pytest.fixture
def google(google_server, lab: Lab):  # type: ignore[no-untyped-def]
    return serve(lab, google_server(key=KEY))


@pytest.fixture
def openai(openai_server, lab: Lab):  # type: ignore[no-untyped-def]
    return serve(lab, openai_server(key=KEY))


def limits(**sizes: int) -> str:
    rows = "\n".join(f"{window} = {size}" for window, size in sizes.items())
    return f'[limits.mine."{MODEL}"]\n{rows}\n'


def finish(run: Run, began: float | None = None) -> Told:
    began = time.monotonic() if began is None else began
    events: list[Event] = []
    error: BaseException | None = None
    try:
        events.extend(run)
    except errors.GeminiMagicError as known:
        error = known
    return Told(run, events, error, time.monotonic() - began)


def ask(
    engine: Engine, text: str = "hello", *, fallback: bool = True, model: str = "", **more: Any
) -> Told:
    began = time.monotonic()
    return finish(start(engine, text, fallback=fallback, model=model, **more), began)


def start(
    engine: Engine, text: str = "hello", *, fallback: bool = True, model: str = "", **more: Any
) -> Run:
    settings = more.pop("settings", Settings())
    engine.connections.config = loaded = config.load()
    targets: Sequence[Target] = [Target("test", model or MODEL)]
    if loaded.routes:
        targets = choose(loaded, engine.connections.find_key, model=MODEL, fallback=fallback)
    return engine.stream(request(text, settings=settings), targets, **more)


def quota_error(told: Told) -> errors.QuotaExceeded:
    assert isinstance(told.error, errors.QuotaExceeded), told
    return told.error


# --- calls at the socket and reservations --------------------------------------------------------

HI = Answer(chunks=["Hi", " there"], usage=Usage(prompt=7, output=2))

#: What the service does; calls at the socket; what counts in the minute and in the day.
FATES: dict[str, tuple[Any, int, int, int]] = {
    "answered": (HI, 1, 1, 1),
    "429 of the minute": (minute_full(30), 1, 1, 0),
    "429 of the day": (day_full(), 1, 1, 0),
    "limit 0": (LIMIT_0, 1, 1, 0),
    "wrong key": (payloads.KEY_INVALID, 1, 1, 0),
    "503": (NO_CAPACITY, 1, 1, 1),
    "500": (BROKEN, 1, 1, 1),
    "reset before headers": (Fault("drop_before_headers"), 1, 1, 1),
    "silent": (Fault("hang"), 1, 1, 1),
    "reset mid-stream": (Fault("drop", answer=HI), 1, 1, 1),
    "cut mid-stream": (Fault("cut", answer=HI), 1, 1, 1),
    "no end": (Fault("truncate", answer=HI), 1, 1, 1),
    "malformed": (Fault("malformed", answer=HI), 1, 1, 1),
    "an error in the stream": (Fault("error", answer=HI, failure=BROKEN), 1, 1, 1),
    "blocked": (Answer.stopped("SAFETY"), 1, 1, 1),
    "empty": (Answer.empty(), 1, 1, 1),
    "nobody listens": (Fault("refuse"), 0, 0, 0),
}


@pytest.mark.parametrize("fate", FATES)
def test_calls_at_the_socket_are_reservations(lab: Lab, server, fate: str) -> None:
    script, calls, minute, today = FATES[fate]
    server.set_script(script)
    ask(lab.engine(), timeout=0.5 if fate == "silent" else 30.0)
    assert lab.sent == calls
    assert (lab.minute.requests, lab.today.requests) == (minute, today)


@pytest.mark.parametrize("fate", ["503", "500", "reset before headers", "reset mid-stream"])
def test_failures_need_not_count_in_the_day_if_the_user_says_so(
    lab: Lab, server, fate: str
) -> None:
    lab.configure("[ledger]\nfailures_count = false")
    server.set_script(FATES[fate][0])
    ask(lab.engine())
    assert lab.today.requests == (1 if fate == "reset mid-stream" else 0)
    assert lab.minute.requests == 1


def test_retries_and_a_mixed_lot_are_counted_one_by_one(lab: Lab, server) -> None:
    lab.configure(limits(rpm=100, rpd=100, tpm=10**6), settings="retries = 1")
    engine = lab.engine()
    script = [NO_CAPACITY, HI, BROKEN, BROKEN, HI, Fault("drop_before_headers"), HI]
    script += [Fault("drop", answer=HI), Answer.empty(), HI]
    server.set_script(script)
    told = [ask(engine, str(n)) for n in range(8)]
    assert sum(isinstance(one.error, errors.GeminiMagicError) for one in told) >= 3
    assert lab.sent == lab.minute.requests == lab.today.requests >= 9


@pytest.mark.parametrize("moment", ["before headers", "streaming"])
def test_an_interrupted_request_is_counted(lab: Lab, server, moment: str) -> None:
    server.set_script(Fault("hang") if moment == "before headers" else Fault("stall", answer=HI))
    run = start(lab.engine(), "12345678 " * 50)
    server.wait_for(1)
    deadline = time.monotonic() + 5
    while moment == "streaming" and not run.reply.text and time.monotonic() < deadline:
        time.sleep(0.01)
    run.cancel()
    assert run.wait(2) and run.reply.finish_reason == "CANCELLED"
    assert (lab.minute.requests, lab.today.requests) == (1, 1)
    assert lab.today.tokens > 100  # as estimated
    assert (lab.today.output > 0) is (moment == "streaming")


@contextmanager
def a_port_that_never_answers() -> Iterator[int]:
    """Its queue is full: who connects waits, and nothing can be sent."""
    with ExitStack() as open_ones:
        listening = open_ones.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(8):
            filler = open_ones.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]


def cancelled_once_counted(lab: Lab) -> Run:
    """A run that is cancelled while its request is on its way, counted already."""
    run = start(lab.engine())
    deadline = time.monotonic() + 10
    while lab.minute.requests == 0:
        assert time.monotonic() < deadline and not run.wait(0)
        time.sleep(0.02)
    time.sleep(0.3)  # the connection, or what holds the SDK up, has begun
    run.cancel()
    assert run.wait(2) and run.reply.finish_reason == "CANCELLED"
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_cancelled_while_connecting_is_not_counted(
    lab: Lab, google_server, openai_server, kind: str
) -> None:
    running = serve(lab, (google_server if kind == "google" else openai_server)(key=KEY))
    with a_port_that_never_answers() as port:
        text = config_text(lab).replace(running.url, f"http://127.0.0.1:{port}")
        assert str(port) in text
        lab.write(text)
        cancelled_once_counted(lab)
    assert lab.sent == 0 and lab.minute == lab.today == Amount()


def test_what_was_cancelled_while_the_sdk_was_held_up_is_not_counted(
    lab: Lab, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held_up(self: Any, request: Any, *args: Any, **more: Any) -> None:
        await asyncio.sleep(30)

    for library in {httpx2, *filter(None, [sys.modules.get("httpx")])}:
        monkeypatch.setattr(library.AsyncClient, "send", held_up)
    cancelled_once_counted(lab)
    assert lab.sent == 0 and lab.minute == lab.today == Amount()


def test_what_was_cancelled_in_a_second_try_counts_for_what_was_sent(lab: Lab, server) -> None:
    lab.configure(settings="retries = 1")
    server.set_script([NO_CAPACITY, Fault("hang")])
    run = start(lab.engine())
    server.wait_for(2)
    run.cancel()
    assert run.wait(2)
    assert lab.sent == lab.minute.requests == lab.today.requests == 2


def test_counting_tokens_and_listing_models_take_nothing(lab: Lab, server) -> None:
    engine = lab.engine()
    engine.call("test", lambda backend: backend.models(), 5)
    engine.call("test", lambda backend: backend.count_tokens(request(), MODEL), 5)
    assert lab.sent == 0 and lab.minute == lab.today == Amount()


def test_an_unknown_model_is_asked_once_and_its_names_are_not_counted(lab: Lab, server) -> None:
    told = ask(lab.engine(), model="gemini-2.5-flahs")
    assert isinstance(told.error, errors.UnknownModel)
    assert lab.sent == lab.minute.requests == 1 and lab.today.requests == 0


# --- settlement ----------------------------------------------------------------------------------

PRICES = f'[prices.test."{MODEL}"]\ninput = "1 USD"\noutput = "10 USD"\n'
BUDGET = 'budget = { day = "1 USD", zone = "UTC" }\ntier = "tier1"\n'
#: 90 input tokens at $1 and 20 output tokens at $10 a million are 290 micro-dollars.
COUNTED = Answer(chunks=["a b c", " d e f"], usage=Usage(prompt=90, output=20))


def test_an_answer_settles_with_what_the_service_counted(lab: Lab, server) -> None:
    lab.configure(PRICES, backend=BUDGET)
    server.set_script(COUNTED)
    told = ask(lab.engine(), "word " * 500)
    assert told.error is None
    assert (lab.minute.tokens, lab.today.tokens, lab.today.output) == (90, 90, 20)
    assert lab.spent() == lab.today.cost == 290
    assert told.run.reply.cost is not None and told.run.reply.cost.paid == 290


@pytest.mark.parametrize("answer", [Answer.stopped("SAFETY"), Answer.empty()])
def test_a_blocked_or_empty_answer_costs_what_was_reported(lab: Lab, server, answer) -> None:
    from dataclasses import replace

    lab.configure(PRICES, backend=BUDGET)
    server.set_script(replace(answer, usage=Usage(prompt=90, output=0)))
    assert ask(lab.engine(), "word " * 500).error is not None
    assert (lab.today.requests, lab.today.tokens, lab.spent()) == (1, 90, 90)


@pytest.mark.parametrize("kind", ["drop", "cut"])
def test_a_cut_answer_costs_its_input_and_what_had_come(lab: Lab, server, kind) -> None:
    lab.configure(PRICES, backend=BUDGET)
    server.set_script(Fault(kind, after=1, answer=Answer(chunks=["word " * 200, "more"])))
    ask(lab.engine(), "word " * 500)
    assert lab.today.tokens > 400 and 150 < lab.today.output < 400
    assert lab.spent() == lab.today.tokens + 10 * lab.today.output


@pytest.mark.parametrize("script", [NO_CAPACITY, Fault("drop_before_headers"), minute_full(30)])
def test_what_was_not_answered_costs_nothing(lab: Lab, server, script) -> None:
    lab.configure(PRICES, backend=BUDGET)
    server.set_script(script)
    ask(lab.engine())
    assert lab.spent() == lab.today.cost == 0


def test_thinking_that_came_before_a_break_is_paid_and_not_risked_again(lab: Lab, server) -> None:
    lab.configure(PRICES, backend=BUDGET, settings="retries = 1")
    thinking = Answer(thoughts=["hm " * 100], chunks=["never"])
    server.set_script(Fault("error", after=1, answer=thinking, failure=NO_CAPACITY))
    told = ask(lab.engine())
    assert told.error is not None and lab.sent == 1
    assert lab.today.output > 50 and lab.spent() > 500


def test_a_service_that_reports_no_usage_is_charged_by_estimate(lab: Lab, openai) -> None:
    lab.configure(PRICES, backend=BUDGET)
    openai._script = None  # answered below by hand
    openai.next_item = lambda exchange: None

    def no_usage(exchange, item, dialect, echo, *, stream):  # type: ignore[no-untyped-def]
        answer = Answer(chunks=["word " * 100] * 2)

        def silent(one: Answer) -> Any:
            made = dialect(one)
            made.with_usage = False
            return made

        type(openai).__mro__[1].play(openai, exchange, answer, silent, echo, stream=stream)

    openai.play = no_usage
    told = ask(lab.engine(), "word " * 500)
    assert told.error is None and told.run.reply.usage.output_tokens is None
    assert lab.today.tokens > 400 and lab.today.output > 150
    assert lab.spent() > 400 + 1500


# --- limits that may be stale --------------------------------------------------------------------


@pytest.mark.parametrize("ago", [1.0, 30.0])
def test_a_stale_seed_of_the_minute_holds_nobody_up_for_long(lab: Lab, google, ago) -> None:
    lab.taken(5, ago)
    told = ask(lab.engine())
    assert told.error is None and told.seconds < 3 and not told.waits
    (notice,) = told.notices
    assert "5 of 5 requests a minute" in notice and "may be out of date" in notice
    assert "as published in" in notice


def test_a_seed_paces_where_the_wait_is_short(lab: Lab, google) -> None:
    lab.taken(5, 58.5)
    told = ask(lab.engine())
    assert told.error is None and 1 < told.seconds < 4 and not told.notices
    assert told.waits and "5 of 5 requests a minute" in told.waits[0].why
    assert told.waits[0].until is not None


def test_a_stale_seed_of_the_day_holds_nobody_up_at_all(lab: Lab, google) -> None:
    lab.taken(20, 300.0)
    told = ask(lab.engine())
    assert told.error is None and told.seconds < 3 and not told.waits
    assert "20 of 20 requests a day" in told.notices[0]
    (left,) = (one for one in told.run.reply.left if one.window == "rpd")
    assert (left.used, left.size, left.provenance, left.firm) == (21, 20, "seed", False)


# --- limits that hold ----------------------------------------------------------------------------


def test_a_learned_limit_stops_a_request_and_the_error_says_all(
    lab: Lab, google, openai_server
) -> None:
    lab.servers["other"] = openai_server(key=OTHER_KEY)
    lab.configure(limits())
    lab.learn(Lesson("tool", sizes=(LessonSize("rpd", 3),), tier="free"))
    lab.taken(3, 300.0)
    told = ask(lab.engine())
    error = quota_error(told)
    assert lab.sent == 0 and told.seconds < 3
    assert (error.window, error.limit, error.status) == ("rpd", 3, 0)
    assert "3 of 3 requests a day are used (as the service told)" in error.what
    assert "(00:00 Pacific)" in error.what and "opens at" in error.what
    assert f"-m other:{MODEL}" in error.next_step and "--force" in error.next_step
    assert len(error.lines()) == 2


def test_a_users_limit_stops_a_request_and_force_sends_it(lab: Lab, server) -> None:
    lab.configure(limits(rpd=2))
    lab.taken(2, 300.0)
    engine = lab.engine()
    assert "(your limit)" in quota_error(ask(engine)).what and lab.sent == 0
    assert ask(engine, force=True).error is None
    assert lab.sent == 1 and lab.today.requests == 3


def test_an_upgraded_user_is_not_held_by_yesterdays_learned_limit(lab: Lab, google) -> None:
    lab.learn(Lesson("window", "rpd", (LessonSize("rpd", 3),), tier="free"))
    engine = lab.engine()
    assert quota_error(ask(engine)).window == "rpd" and lab.sent == 0
    lab.set_clock(noon() + 86_400)
    lab.taken(3, 300.0)
    told = ask(engine)
    assert told.error is None and told.seconds < 3 and "may be out of date" in told.notices[0]


def test_a_limit_of_the_minute_is_waited_for(lab: Lab, server) -> None:
    lab.configure(limits(rpm=1))
    lab.taken(1, 58.5)
    told = ask(lab.engine())
    assert told.error is None and 1 < told.seconds < 4
    assert lab.sent == 1 and "1 of 1 requests a minute are used (your limit)" in told.waits[0].why


def test_a_wait_longer_than_max_wait_is_refused_at_once(lab: Lab, server) -> None:
    lab.configure(limits(rpm=1), settings="max_wait = 3")
    lab.taken(1, 30.0)
    told = ask(lab.engine())
    assert quota_error(told).window == "rpm" and told.seconds < 2 and lab.sent == 0
    step = quota_error(told).next_step.lower()
    assert re.search("max_wait ?= ?(29|30)", step) and "--force" in step


def test_a_prompt_larger_than_the_whole_window_is_told_so(lab: Lab, server) -> None:
    lab.configure(limits(tpm=50))
    told = ask(lab.engine(), "word " * 500)
    assert isinstance(told.error, errors.PromptTooLong) and lab.sent == 0
    assert ask(lab.engine(), "short").error is None


@pytest.mark.parametrize("change", ["set", "reset"])
def test_the_users_word_counts_at_once(lab: Lab, google, change: str) -> None:
    lab.learn(Lesson("window", "rpd", (LessonSize("rpd", 3),), tier="free"))
    engine = lab.engine()
    assert quota_error(ask(engine)).window == "rpd"
    if change == "set":
        lab.ledger().set_limits(MINE, {"rpd": 5})
    else:
        lab.ledger().reset(MINE)
    told = ask(engine)
    assert told.error is None and not told.notices


# --- what a 429 does -----------------------------------------------------------------------------


def test_a_daily_429_is_never_retried_and_the_next_cell_sends_nothing(lab: Lab, server) -> None:
    lab.configure(settings="retries = 3")
    server.set_script(day_full())
    engine = lab.engine()
    assert quota_error(ask(engine)).window == "rpd" and lab.sent == 1
    told = ask(engine)
    error = quota_error(told)
    assert lab.sent == 1 and told.seconds < 2
    assert "the day's quota of 20 requests is used up, the service said" in error.what
    assert "(00:00 Pacific)" in error.what
    now = lab.ledger().store.now()
    assert error.retry_after == pytest.approx(midnight(now) + LATE - now, abs=5)


def test_a_daily_429_shortly_after_midnight_is_lag_and_one_request_tries_later(
    lab: Lab, google
) -> None:
    lab.configure(settings="retries = 3")
    engine = lab.engine()
    begin = midnight(noon())
    lab.set_clock(begin + 120)
    google.set_script([day_full(), HI])
    assert quota_error(ask(engine)).window == "rpd" and lab.sent == 1
    told = ask(engine)
    assert quota_error(told).retry_after == pytest.approx(120, abs=5) and lab.sent == 1
    lab.set_clock(begin + 245)
    assert ask(engine).error is None and lab.sent == 2
    assert ask(engine).error is None and lab.sent == 3


def test_limit_0_is_never_retried_and_closes(lab: Lab, server) -> None:
    lab.configure(settings="retries = 3")
    server.set_script(LIMIT_0)
    engine = lab.engine()
    assert quota_error(ask(engine)).window == "limit0"
    error = quota_error(ask(engine))
    assert lab.sent == 1 and "limit 0" in error.what and "--force" in error.next_step
    server.set_script(HI)
    assert ask(engine, force=True).error is None
    assert ask(engine).error is None  # it answers again, so it is open


def test_a_429_of_the_minute_is_waited_for_and_asked_again_once(lab: Lab, server) -> None:
    lab.configure(settings="retries = 1")
    server.set_script([minute_full(0.5), HI])
    told = ask(lab.engine())
    assert told.error is None and lab.sent == 2 and 1 < told.seconds < 5
    assert any(wait.until for wait in told.waits) and "asked again after" in told.notices[0]
    assert (lab.minute.requests, lab.today.requests) == (2, 1)


def test_a_second_429_of_the_minute_ends_the_cell(lab: Lab, server) -> None:
    lab.configure(settings="retries = 1")
    server.set_script(minute_full(0.5))
    assert quota_error(ask(lab.engine())).window == "rpm" and lab.sent == 2


@pytest.mark.parametrize("settings", ["retries = 0", "retries = 1\nmax_wait = 5"])
def test_a_429_of_the_minute_is_not_waited_for_if_the_user_does_not_want_to(
    lab: Lab, server, settings: str
) -> None:
    lab.configure(settings=settings)
    server.set_script(minute_full(30))
    told = ask(lab.engine())
    assert quota_error(told).window == "rpm" and lab.sent == 1 and told.seconds < 2


def test_a_server_that_enforces_its_quota_sees_no_refusals(lab: Lab, google_server) -> None:
    running = serve(lab, google_server(key=KEY, quota=Quota(rpm=8, rpd=8, window=60)))
    lab.configure(limits(rpm=8), settings="retries = 0\nmax_wait = 0")
    engine = lab.engine()
    runs = [start(engine, str(n)) for n in range(20)]
    told = [finish(run) for run in runs]
    assert sum(one.error is None for one in told) == len(running.generate_calls) == 8


# --- asking again by itself ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure", [NO_CAPACITY, BROKEN, Fault("refuse"), Failure(502, "bad gateway")]
)
def test_what_may_pass_is_asked_once_more_and_that_is_shown(lab: Lab, server, failure) -> None:
    lab.configure(settings="retries = 1")
    server.set_script(failure)
    told = ask(lab.engine())
    assert told.error is not None
    assert len([one for one in told.notices if "asked again after" in one]) == 1
    assert any("Asking again" in wait.why for wait in told.waits)
    calls = 0 if isinstance(failure, Fault) else 2
    assert lab.sent == lab.minute.requests == lab.today.requests == calls


@pytest.mark.parametrize(
    "failure",
    [
        payloads.KEY_INVALID, LIMIT_0, day_full(), Fault("drop_before_headers"),
        Failure(504, {"error": {"code": 504, "message": "late", "status": "DEADLINE_EXCEEDED"}}),
        Fault("drop", after=1, answer=HI), Fault("error", answer=HI, failure=NO_CAPACITY),
        Answer.empty(), Answer.stopped("SAFETY"),
    ],
)  # fmt: skip
def test_what_would_not_help_is_not_asked_again(lab: Lab, server, failure) -> None:
    lab.configure(settings="retries = 3")
    server.set_script(failure)
    assert ask(lab.engine()).error is not None and lab.sent == 1


@pytest.mark.parametrize(("rpd", "calls"), [(4, 1), (5, 2)])
@pytest.mark.parametrize("provenance", ["user", "learned"])
def test_with_three_requests_of_the_day_left_none_is_risked(
    lab: Lab, server, provenance: str, rpd: int, calls: int
) -> None:
    lab.configure(limits(rpd=rpd) if provenance == "user" else "", settings="retries = 1")
    if provenance == "learned":
        lab.learn(Lesson("tool", sizes=(LessonSize("rpd", rpd),), tier="free"))
    server.set_script(NO_CAPACITY)
    assert isinstance(ask(lab.engine()).error, errors.Overloaded)
    assert lab.sent == calls


# --- along a route -------------------------------------------------------------------------------


@pytest.fixture
def two(google, openai_server, lab: Lab):  # type: ignore[no-untyped-def]
    """A second server, ``other``, along the route default; ``route(when)`` writes it."""
    lab.servers["other"] = other = openai_server(Answer(text="from other"), key=OTHER_KEY)

    def route(step: str = '"other"', more: str = "", **options: Any) -> Any:
        lab.configure(f'[routes.default]\ntargets = ["test", {step}]\n{more}', **options)
        return other

    return route


def test_a_refusal_by_our_own_ledger_goes_on_along_the_route(lab: Lab, two) -> None:
    price = f'[prices.other."{MODEL}"]\ninput = "0.30 USD"\noutput = "2.50 USD"\n'
    two(more=limits(rpd=1) + price)
    lab.taken(1, 300.0)
    told = ask(lab.engine())
    assert told.error is None and told.text == "from other"
    assert [len(one.generate_calls) for one in lab.servers.values()] == [0, 1]
    (switch,) = told.switches
    assert "1 of 1 requests a day are used" in switch.why and switch.host == "127.0.0.1"
    assert "0.3" in switch.price and "2.5" in switch.price
    assert any("other (127.0.0.1" in notice for notice in told.run.reply.notices)


@pytest.mark.parametrize(
    ("when", "refusal", "answers"),
    [
        ("rpd", limits(rpd=1), True),
        ("rpm", limits(rpd=1), False),
        ("rpd", limits(rpm=1), False),
        ("rpm", limits(rpm=1), True),
        ("overloaded", NO_CAPACITY, True),
        ("overloaded", LIMIT_0, False),
        ("limit0", LIMIT_0, True),
        ("key", payloads.KEY_INVALID, True),
        ("unreachable", Fault("refuse"), True),
        ("rpd", Fault("refuse"), False),
    ],
)
def test_a_step_answers_on_its_failures_only(lab: Lab, two, when: str, refusal, answers) -> None:
    own = refusal if isinstance(refusal, str) else ""
    two(f'{{ backend = "other", when = ["{when}"] }}', own, settings="retries = 0\nmax_wait = 1")
    if own:
        lab.taken(1, 30.0)
    else:
        lab.servers["test"].set_script(refusal)
    told = ask(lab.engine())
    assert (told.error is None) is answers is bool(told.switches)


def test_no_fallback_stays(lab: Lab, two) -> None:
    two(more=limits(rpd=1))
    lab.taken(1, 300.0)
    told = ask(lab.engine(), fallback=False)
    assert quota_error(told).window == "rpd" and not told.switches and lab.sent == 0


@pytest.mark.parametrize("when", ["rpm", "overloaded"])
def test_a_step_for_a_passing_failure_takes_over_instead_of_a_wait(
    lab: Lab, two, when: str
) -> None:
    step = f'{{ backend = "other", when = ["{when}"] }}'
    two(step, limits(rpm=1) if when == "rpm" else "", settings="retries = 1")
    if when == "rpm":
        lab.taken(1, 30.0)
    else:
        lab.servers["test"].set_script(NO_CAPACITY)
    told = ask(lab.engine())
    assert told.text == "from other" and told.seconds < 3
    assert lab.sent == (1 if when == "rpm" else 2)


def test_a_429_of_the_minute_switches_at_once_where_the_route_says_so(lab: Lab, two) -> None:
    two('{ backend = "other", when = ["rpm"] }', settings="retries = 1")
    lab.servers["test"].set_script(minute_full(30))
    told = ask(lab.engine())
    assert told.text == "from other" and told.seconds < 3 and lab.sent == 2


def test_each_step_asks_for_its_own_name_of_the_model(lab: Lab, two) -> None:
    other = two(more=limits(rpd=1))
    lab.write(
        config_text(lab).replace(
            "[backends.other]",
            f'[backends.other]\nmodels = {{ "{MODEL}" = "gemini-3.8-flash" }}',
        )
    )
    lab.taken(1, 300.0)
    told = ask(lab.engine())
    assert told.error is None and other.generate_calls[0].json["model"] == "gemini-3.8-flash"
    assert told.switches[0].new.model == "gemini-3.8-flash"


def config_text(lab: Lab) -> str:
    return (lab.home / "config" / "gemini_magic.toml").read_text("utf-8")


def test_a_failure_after_the_first_word_goes_nowhere(lab: Lab, two) -> None:
    two(settings="retries = 3")
    lab.servers["test"].set_script(Fault("drop", after=1, answer=HI))
    told = ask(lab.engine())
    assert told.error is not None and told.text == "Hi" and lab.sent == 1


# --- budgets -------------------------------------------------------------------------------------


def budget(text: str) -> str:
    return f'tier = "tier1"\nbudget = {{ {text}, zone = "UTC" }}\n'


def brief(count: int = 100) -> Settings:
    return Settings(max_output_tokens=count)


def test_a_budget_reserves_settles_and_refuses(lab: Lab, openai) -> None:
    # 100 output tokens at $10 a million are a tenth of a cent.
    lab.configure(PRICES, backend=budget('day = "0.0015 USD"'))
    openai.set_script(Answer(text="short", usage=Usage(prompt=90, output=50)))
    engine = lab.engine()
    assert ask(engine, settings=brief()).error is None and lab.spent() == 590
    told = ask(engine, settings=brief())
    error = quota_error(told)
    assert (error.window, error.when) == ("budget", "budget") and lab.sent == 1
    assert "$0.0006 of $0.0015 are used" in error.what
    assert ask(engine, settings=brief(10)).error is None
    assert ask(engine, settings=brief(), force=True).error is None


def test_a_request_larger_than_the_whole_budget_is_refused_in_words(lab: Lab, openai) -> None:
    lab.configure(PRICES, backend=budget('day = "0.0001 USD"'))
    error = quota_error(ask(lab.engine(), settings=brief()))
    assert error.window == "budget" and lab.sent == 0 and error.retry_after is None
    assert "budget of test" in error.what


def test_an_answer_that_reaches_the_budget_is_stopped_kept_and_marked(lab: Lab, openai) -> None:
    lab.configure(PRICES, backend=budget('day = "0.005 USD"'))
    openai.set_script(Answer(chunks=["seven b" * 50] * 60, delay=0.02))  # 100 tokens each
    engine = lab.engine()
    told = ask(engine, settings=brief())
    error = quota_error(told)
    assert error.window == "budget" and "stopped" in error.what
    assert told.run.reply.finish_reason == "CUT"
    assert 4 <= len(told.text) / 350 <= 7 and openai.wait_disconnects(1)
    assert 3_000 <= lab.spent() <= 5_500
    assert quota_error(ask(engine, settings=brief(300))).window == "budget" and lab.sent == 1


def test_an_unknown_price_under_a_budget_asks_for_a_row(lab: Lab, openai) -> None:
    lab.configure(backend=budget('day = "1 USD"'))
    told = ask(lab.engine())
    assert isinstance(told.error, errors.ConfigError) and lab.sent == 0
    assert "prices.test" in told.error.next_step and f'"{MODEL}"' in told.error.next_step


@pytest.mark.parametrize("text", ['month = "0.0015 USD"', 'day = "1 USD", month = "0.0015 USD"'])
def test_a_months_budget_holds_on_the_next_day(lab: Lab, openai, text: str) -> None:
    middle = datetime.fromtimestamp(noon(), UTC).replace(day=15).timestamp() + 31 * 86_400
    middle = datetime.fromtimestamp(middle, UTC).replace(day=15).timestamp()
    lab.configure(PRICES, backend=budget(text))
    lab.set_clock(middle)
    openai.set_script(Answer(text="short", usage=Usage(prompt=90, output=50)))
    engine = lab.engine()
    assert ask(engine, settings=brief()).error is None
    lab.set_clock(middle + 86_400)
    assert quota_error(ask(engine, settings=brief())).window == "budget"
    lab.set_clock(middle + 31 * 86_400)
    assert ask(engine, settings=brief()).error is None


def test_two_engines_share_a_budget(lab: Lab, openai) -> None:
    lab.configure(PRICES, backend=budget('day = "0.0015 USD"'))
    openai.set_script(Answer(chunks=["a", "b"], delay=1.0, usage=Usage(prompt=9, output=2)))
    first, second = lab.engine(), lab.engine()
    run = start(first, settings=brief())
    openai.wait_for(1)
    assert quota_error(ask(second, settings=brief())).window == "budget"
    assert finish(run).error is None
    assert ask(second, settings=brief()).error is None


def test_two_streams_together_stay_within_a_budget(lab: Lab, openai) -> None:
    lab.configure(PRICES, backend=budget('day = "0.008 USD"'))
    openai.set_script(Answer(chunks=["seven b" * 50] * 40, delay=0.05))  # 100 tokens each
    runs = [start(lab.engine(), f"number {n}", settings=brief()) for n in range(2)]
    told = [finish(run) for run in runs]
    assert [quota_error(one).window for one in told] == ["budget", "budget"]
    chunks = sum(len(one.text) for one in told) / 350
    assert 6 <= chunks <= 10  # of 8: each may be one too far


def test_a_budget_that_is_used_up_goes_on_along_the_route(lab: Lab, two) -> None:
    two('{ backend = "other", when = ["budget"] }', PRICES, backend=budget('day = "0.0001 USD"'))
    told = ask(lab.engine(), settings=brief())
    assert told.error is None and told.text == "from other"


@pytest.mark.parametrize(("tier", "paid"), [("", True), ('tier = "free"', False)])
def test_a_budget_counts_unless_the_tier_is_said_to_be_free(
    lab: Lab, google, tier: str, paid: bool
) -> None:
    lab.configure(PRICES, backend=f'budget = {{ day = "0.0001 USD", zone = "UTC" }}\n{tier}')
    told = ask(lab.engine(), settings=brief())
    assert isinstance(told.error, errors.QuotaExceeded) is paid
    assert lab.spent() == 0


# --- the ledger is away --------------------------------------------------------------------------


def corrupt(lab: Lab) -> None:
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (lab.path.parent / name).unlink(missing_ok=True)
    lab.path.write_bytes(b"this is no database\n" * 500)


def newer(lab: Lab) -> None:
    with sqlite3.connect(lab.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def a_folder(lab: Lab) -> None:
    for path in lab.path.parent.glob("*ledger.db*"):
        path.unlink()
    lab.path.mkdir()


def unreachable(lab: Lab) -> None:
    lab.write(config_text(lab).replace("[ledger]", '[ledger]\nstore = "redis://127.0.0.1:9/0"'))


TROUBLES = {
    "corrupt": (corrupt, "damaged"),
    "newer": (newer, "newer gemini_magic"),
    "a folder in its place": (a_folder, "ledger.db"),
    "unreachable Redis": (unreachable, "127.0.0.1:9"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_without_its_ledger_a_request_is_answered_with_one_notice(
    lab: Lab, server, trouble: str
) -> None:
    harm, words = TROUBLES[trouble]
    lab.configure("[ledger]")
    lab.closing.pop_all().close()
    harm(lab)
    engine = lab.engine()
    told = ask(engine)
    assert told.error is None and lab.sent == 1
    (notice,) = told.notices
    assert notice.startswith("not counted in the quota") and words in notice
    again = ask(engine)
    assert again.error is None
    assert len(again.notices) == (0 if trouble == "corrupt" else 1)
    if trouble == "corrupt":
        assert lab.minute.requests == 1  # the damaged file is kept aside, and a new one counts
        assert list(lab.path.parent.glob("ledger.db.damaged-*"))
    if trouble == "newer":
        with sqlite3.connect(lab.path) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (99,)
        database.close()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_user_who_wants_to_stop_then_is_told_how_to_go_on(lab: Lab, server, trouble: str) -> None:
    harm, words = TROUBLES[trouble]
    lab.configure('[ledger]\non_ledger_error = "stop"')
    lab.closing.pop_all().close()
    harm(lab)
    told = ask(lab.engine())
    assert isinstance(told.error, errors.LedgerError) and lab.sent == 0
    assert words in told.error.what and 'on_ledger_error = "warn"' in told.error.next_step


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_stops_nobody(lab: Lab, server) -> None:
    lab.closing.pop_all().close()
    for path in lab.path.parent.glob("*"):
        path.chmod(0o400)
    lab.path.parent.chmod(0o500)
    try:
        told = ask(lab.engine())
    finally:
        lab.path.parent.chmod(0o700)
    assert told.error is None and "not counted" in told.notices[0]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond this many bytes."""
    resource = pytest.importorskip("resource")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_nobody_and_counting_goes_on_once_there_is_room(lab: Lab, server) -> None:
    engine = lab.engine()
    assert ask(engine).error is None and lab.minute.requests == 1
    with full_disk(4096):
        told = ask(engine)
    assert told.error is None and told.text and "not counted" in told.notices[0]
    assert ask(engine).error is None and lab.minute.requests == 2


def test_a_disk_that_fills_while_an_answer_comes_loses_nothing(lab: Lab, server) -> None:
    server.set_script(Answer(chunks=["a", "b", "c"], delay=0.2))
    engine = lab.engine()
    run = start(engine)
    server.wait_for(1)
    with full_disk(4096):
        told = finish(run)
    assert told.error is None and told.text == "abc"
    assert lab.minute.requests == 1


# --- waiting behind others -----------------------------------------------------------------------


def test_a_cancelled_wait_takes_nothing_and_lets_others_in(lab: Lab, server) -> None:
    lab.configure(limits(rpm=1))
    lab.taken(1, 20.0)
    engine = lab.engine()
    run = start(engine)
    deadline = time.monotonic() + 5
    events: list[Event] = []
    while not any(isinstance(event, Waiting) for event in events):
        assert time.monotonic() < deadline
        events += run.poll(0.05)
    began = time.monotonic()
    run.cancel()
    assert run.wait(2) and time.monotonic() - began < 0.3
    assert run.reply.finish_reason == "CANCELLED"
    assert lab.sent == 0 and lab.minute.requests == 1
    lab.ledger().set_limits(MINE, {"rpm": 10})
    lab.configure(limits(rpm=10))
    assert ask(engine).error is None


def test_what_is_granted_to_a_cancelled_run_is_given_back(lab: Lab, server) -> None:
    fcntl = pytest.importorskip("fcntl")
    engine = lab.engine()
    assert ask(engine).error is None
    queue = os.open(lab.path.with_name(f".{lab.path.name}.queue"), os.O_RDWR)
    with sqlite3.connect(lab.path, isolation_level=None) as other:
        fcntl.flock(queue, fcntl.LOCK_EX)  # another kernel on a slow disk
        other.execute("BEGIN IMMEDIATE")
        run = start(engine, "never sent")
        time.sleep(0.3)
        run.cancel()
        assert run.wait(2)
        other.execute("ROLLBACK")
    other.close()
    os.close(queue)
    deadline = time.monotonic() + 5
    while lab.minute.requests != 1 or lab.today.requests != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ask(engine).error is None and lab.sent == 2


def test_who_came_first_goes_first(lab: Lab, server) -> None:
    lab.configure(limits(rpm=4))
    for ago in (58.8, 58.6, 58.4, 58.2):
        lab.taken(1, ago)
    engine = lab.engine()
    runs = []
    for n in range(4):
        runs.append(start(engine, f"number {n}"))
        time.sleep(0.05)
    assert [finish(run).error for run in runs] == [None] * 4
    sent = [str(call.json).partition("number ")[2][0] for call in server.generate_calls]
    assert sent == ["0", "1", "2", "3"]


@pytest.mark.alone
@pytest.mark.slow
def test_who_stands_in_line_is_told_so_and_waits_no_longer_than_max_wait(lab: Lab, server) -> None:
    lab.configure(limits(rpm=1))
    lab.taken(1, 20.0)
    engine = lab.engine()
    first = start(engine, "first")
    while not any(isinstance(event, Waiting) for event in first.poll(0.05)):
        pass
    lab.configure(limits(rpm=1), settings="max_wait = 5")
    second = ask(engine, "second")
    error = quota_error(second)
    assert "other requests" in second.waits[0].why and 4.5 < second.seconds < 7
    assert "more than 5 s" in error.what and "max_wait" in error.next_step.lower()
    forced = ask(engine, "third", force=True)
    assert forced.error is None and forced.seconds < 1
    first.cancel()
    assert first.wait(2) and lab.sent == 1


def test_the_time_in_line_counts_as_waiting(lab: Lab, server) -> None:
    lab.configure(limits(rpm=2), settings="max_wait = 2")
    engine = lab.engine()
    assert ask(engine, model="gemini-3.8-flash").error is None  # the SDK is imported now
    lab.taken(1, 58.6)
    lab.taken(1, 57.2)
    first, began = start(engine, "first"), time.monotonic()
    second = start(engine, "second")
    assert finish(first).error is None
    told = finish(second, began)
    assert quota_error(told).window == "rpm" and told.seconds < 2.3


@pytest.mark.parametrize("engines", [1, 2])
def test_fifty_at_once_never_pass_a_limit(lab: Lab, server, engines: int) -> None:
    lab.configure(limits(rpm=10), settings="retries = 0\nmax_wait = 0")
    asked = [lab.engine() for _ in range(engines)]

    async def one(n: int) -> str:
        run = start(asked[n % engines], f"number {n}")
        try:
            return "".join([e.text async for e in run if isinstance(e, TextDelta)])
        except errors.QuotaExceeded:
            return ""

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(one(n) for n in range(50)))

    texts = asyncio.run(all_at_once())
    assert sum(map(bool, texts)) == lab.sent == lab.minute.requests == 10


# --- who is who ----------------------------------------------------------------------------------


def test_an_alias_is_learned_from_the_answer(lab: Lab, google) -> None:
    engine = lab.engine()
    assert ask(engine, model="gemini-flash-latest").error is None
    assert ask(engine, model="gemini-3.8-flash").error is None
    (use,) = lab.ledger().snapshot(lambda host: True).buckets
    assert use.bucket.model == "gemini-3.8-flash" and use.bucket.project == "mine"
    assert {one.window: one.used for one in use.windows}["rpd"] == 2


def test_two_backends_with_one_key_share_what_is_left(lab: Lab, google) -> None:
    twin = config_text(lab).partition("[backends.test]")[2].replace('project = "mine"', "")
    lab.write(f"[settings]\nretries = 0\n[backends.test]{twin}\n[backends.twin]{twin}")
    engine = lab.engine()
    for name in ("test", "twin"):
        engine.connections.config = config.load()
        assert finish(engine.stream(request(), [Target(name, MODEL)])).error is None
    (use,) = lab.ledger().snapshot(lambda host: True).buckets
    assert use.guessed and {one.window: one.used for one in use.windows}["rpd"] == 2


def test_the_key_is_in_no_file(lab: Lab, server) -> None:
    engine = lab.engine(cache=True)
    for script in (HI, payloads.KEY_INVALID, day_full()):
        server.set_script(script)
        ask(engine, str(script)[:20])
    engine.close()
    time.sleep(0.2)
    files = {path.name: path for path in lab.home.rglob("*") if path.is_file()}
    assert {"ledger.db", "cache.db", "calibration.json"} <= set(files)
    assert not [path for path in files.values() if KEY.encode() in path.read_bytes()]


def test_the_ledger_of_the_configuration_is_the_one_that_is_used(lab: Lab, server) -> None:
    assert ask(lab.engine()).error is None
    assert open_ledger(config.load()).store.where == str(lab.path)
    assert (lab.path.stat().st_mode & 0o777) == 0o600


# --- stored answers ------------------------------------------------------------------------------


def kept(lab: Lab, count: int) -> None:
    """Wait until so many answers are stored."""
    cache = Cache(lab.home / "data" / "cache.db", size=10**8, days=30)
    deadline = time.monotonic() + 5
    while cache.usage().replies != count:
        assert time.monotonic() < deadline, cache.usage()
        time.sleep(0.02)


def test_a_stored_answer_takes_no_quota(lab: Lab, server) -> None:
    engine = lab.engine(cache=True)
    first = ask(engine)
    kept(lab, 1)
    again = ask(lab.engine(cache=True), replay=True)
    assert again.run.reply.cached and again.text == first.text
    assert lab.sent == lab.minute.requests == 1
    assert not ask(engine).run.reply.cached and lab.sent == 2


def test_a_stored_answer_comes_even_where_the_quota_is_used_up(lab: Lab, server) -> None:
    lab.configure(limits(rpd=1))
    engine = lab.engine(cache=True)
    ask(engine)
    kept(lab, 1)
    assert quota_error(ask(engine)).window == "rpd"
    assert ask(engine, replay=True).run.reply.cached


@pytest.mark.parametrize(
    "script",
    [
        Answer.stopped("MAX_TOKENS", "cut here"), Answer.stopped("SAFETY", "par"), Answer.empty(),
        Fault("drop", after=1, answer=HI), Fault("truncate", after=1, answer=HI),
    ],
)  # fmt: skip
def test_only_answers_that_the_model_ended_are_stored(lab: Lab, server, script) -> None:
    engine = lab.engine(cache=True)
    server.set_script([script, HI])
    ask(engine)
    time.sleep(0.1)
    told = ask(engine, replay=True)
    assert not told.run.reply.cached and lab.sent == 2


def test_a_fallbacks_answer_never_stands_in_for_an_earlier_targets(lab: Lab, two) -> None:
    two(settings="retries = 0")
    lab.servers["test"].set_script([NO_CAPACITY, Answer(text="from test")])
    engine = lab.engine(cache=True)
    assert ask(engine).text == "from other"
    kept(lab, 1)
    told = ask(engine, replay=True)
    assert told.text == "from test" and not told.run.reply.cached and not told.switches
    kept(lab, 2)
    assert ask(engine, replay=True).text == "from test" and lab.sent == 3


def test_a_fallbacks_stored_answer_stands_in_for_its_own_target(lab: Lab, two) -> None:
    two(settings="retries = 0")
    lab.servers["test"].set_script(NO_CAPACITY)
    engine = lab.engine(cache=True)
    assert ask(engine).text == "from other"
    kept(lab, 1)
    told = ask(engine, replay=True)
    assert told.text == "from other" and told.run.reply.cached and lab.sent == 3
