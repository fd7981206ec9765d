"""Quota, requests and live news: what other processes ask is seen by a server, as it happens."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gemini_magic as gm
from gemini_magic import api, errors
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.windows import dawn
from gemini_magic.server import backends
from gemini_magic.server.desk import Desk, Given
from gemini_magic.server.live import Watcher
from gemini_magic.server.places import Root
from tests.kernels import Kernel
from tests.server.lab import Jupyter, heard, notebook
from tests.wire import Answer, Failure, payloads

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
MODEL = "gemini-2.5-flash"


@pytest.fixture(autouse=True)
def asking(
    google_server: Any, configure: Callable[[str], Path], home: Path, monkeypatch: Any
) -> Iterator[Any]:
    """A service ``test`` of project "mine", 20 requests a day, at noon by the ledger's clock."""
    served = google_server([Answer("one"), Answer("two"), Answer("three")], key=KEY)
    monkeypatch.setenv("TEST_KEY", KEY)
    configure(
        f'[settings]\nroute = "test"\nretries = 0\n[backends.test]\nkind = "google"\n'
        f'base_url = "{served.url}"\nkey_env = "TEST_KEY"\nproject = "mine"\ntier = "tier1"\n'
        f'model = "{MODEL}"\nbudget = {{ day = "1 USD" }}\n[limits.mine."{MODEL}"]\nrpd = 20\n'
        f'[prices.test]\n"{MODEL}" = {{ input = "1.00 USD", output = "2.00 USD" }}\n'
    )
    noon = dawn(time.time() + 86_400) + 12 * 3600  # the day does not end under us
    store = SqliteStore(home / "data" / "ledger.db")
    store.correct_clock(noon - store.now())
    store.close()
    served.date_offset = noon - time.time()
    yield served
    api.close()


def until(look: Callable[[], Any]) -> Any:
    """What a look finds, once it finds something."""
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_what_another_process_asked_is_told(own: Jupyter) -> None:
    nothing = own.call("GET", "quota")
    assert (nothing["tightest"], nothing["text"], nothing["meters"]) == (None, None, [])
    gm.ask(f"Remember {KEY} please, and tell nobody. " + "x" * 200)
    quota = own.call("GET", "quota")
    (meter,) = quota["meters"]
    assert (meter["backend"], meter["kind"], meter["model"]) == ("test", "google", MODEL)
    assert (meter["project"], meter["tier"], meter["state"]) == ("mine", "tier1", "ok")
    windows = {one["window"]: one for one in meter["windows"]}
    day = windows["RPD"]
    assert (day["used"], day["limit"], day["provenance"], day["state"]) == (1, 20, "user", "ok")
    assert day["note"] == "yours" and 3600 < day["resets_at"] - quota["at"] < 14 * 3600
    assert quota["text"] == "RPD 1/20 · 2.5-flash"
    assert quota["tightest"] == {**day, "backend": "test", "model": MODEL, "project": "mine"}
    (budget,) = quota["budget"]
    assert (budget["period"], budget["limit"], budget["state"]) == ("day", 1.0, "ok")
    assert 0 < budget["used"] < 1
    assert quota["problem"] is None

    api.close()  # the log is written once an answer is drawn
    (row,) = until(lambda: own.call("GET", "requests"))
    assert (row["backend"], row["model"], row["status"]) == ("test", MODEL, "STOP")
    assert row["prompt"].startswith("Remember <key> please, and tell nobody. xxx")
    assert len(row["prompt"]) == 80 and KEY not in row["prompt"]
    assert row["price"] == pytest.approx(budget["used"]) and row["output_tokens"] > 0
    assert (row["cached"], row["notebook"], row["cell_id"]) == (False, None, None)
    for about in ("", f"?backend=test&model={MODEL}", "?backend=test"):
        history = own.call("GET", f"quota/history{about}")
        assert len(history["hours"]) == 24 and len(history["days"]) == 14
        assert [point["requests"] for point in history["days"]] == [*[0] * 13, 1], about
        assert history["days"][-1]["price"] == pytest.approx(budget["used"])
        assert history["days"][-1]["tokens"] == row["input_tokens"] + row["output_tokens"]
    for about in ("?backend=studio", "?model=other", f"?backend=other&model={MODEL}"):
        history = own.call("GET", f"quota/history{about}")
        assert not any(point["requests"] for point in (*history["hours"], *history["days"]))


def test_a_backend_that_is_used_up_says_until_when(own: Jupyter, asking: Any) -> None:
    before = {one["name"]: one for one in own.call("GET", "backends")}["test"]
    assert (before["state"], before["exhausted_until"], before["in_route"]) == ("ready", None, True)
    assert before["key"] == {"needed": True, "found": True, "where": "TEST_KEY", "kernels": []}
    assert before["models"] == [MODEL] and before["project"] == "mine"
    found = payloads.violation(
        payloads.FREE_REQUESTS, "GenerateRequestsPerDayPerProjectPerModel-FreeTier", MODEL, 20
    )
    asking.set_script([payloads.quota_failure([found], 0)])
    with pytest.raises(errors.QuotaExceeded):
        gm.ask("hello")
    after = {one["name"]: one for one in own.call("GET", "backends")}["test"]
    assert after["state"] == "exhausted"
    (meter,) = own.call("GET", "quota")["meters"]
    day = next(one for one in meter["windows"] if one["window"] == "RPD")
    assert (meter["state"], day["state"]) == ("empty", "empty")
    assert after["exhausted_until"] == day["resets_at"]


def test_news_come_as_they_happen(own: Jupyter) -> None:
    async def talk(client: Any) -> None:
        first = await heard(client, "quota")
        assert first["data"]["meters"] == []
        assert (await heard(client, "requests"))["data"] == []
        gm.ask("hello")
        news = await heard(client, "quota", lambda one: one["data"]["text"])
        assert news["data"]["text"] == "RPD 1/20 · 2.5-flash"
        rows = await heard(client, "requests", lambda one: one["data"])
        assert rows["data"][0]["prompt"] == "hello"

    own.live(talk)

    async def later(client: Any) -> None:
        """Who connects later is told at once what is."""
        news = await heard(client, "quota")
        assert news["data"]["text"] == "RPD 1/20 · 2.5-flash"
        assert (await heard(client, "requests"))["data"][0]["prompt"] == "hello"
        await client.write_message("what a client says is not listened to")
        gm.ask("again")
        news = await heard(client, "quota", lambda one: "2/20" in one["data"]["text"])

    own.live(later)


def test_nobody_looks_at_the_ledger_while_nobody_is_connected() -> None:
    class Client:
        def __init__(self) -> None:
            self.told: list[dict[str, Any]] = []

        def tell(self, message: str) -> None:
            self.told.append(json.loads(message))

        def has(self, kind: str) -> bool:
            return any(one["type"] == kind for one in self.told)

    async def wait(look: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not look():
                await asyncio.sleep(0.01)

    async def watch() -> None:
        watcher = Watcher(Desk(Root(Path.cwd())))
        assert not watcher.watching
        for _ in range(2):
            one, two = Client(), Client()
            watcher.add(one)  # type: ignore[arg-type]
            await wait(lambda: one.has("quota") and one.has("requests"))  # noqa: B023
            watcher.add(two)  # type: ignore[arg-type]
            assert two.has("quota") and two.has("requests")
            watcher.saved("a.ipynb", [])
            assert one.has("secrets") and two.has("secrets")
            watcher.remove(one)  # type: ignore[arg-type]
            assert watcher.watching
            watcher.remove(two)  # type: ignore[arg-type]
            await wait(lambda: not watcher.watching)

    asyncio.run(watch())


def test_who_connects_hears_of_notebooks_that_still_hold_keys() -> None:
    class Client:
        def __init__(self) -> None:
            self.told: list[dict[str, Any]] = []

        def tell(self, message: str) -> None:
            self.told.append(json.loads(message))

    def heard_by_a_new_one() -> list[dict[str, Any]]:
        client = Client()
        watcher.add(client)  # type: ignore[arg-type]
        watcher.remove(client)  # type: ignore[arg-type]
        return client.told

    async def talk() -> None:
        watcher.saved("a.ipynb", [{"id": "x"}])
        watcher.saved("b.ipynb", [{"id": "y"}])
        watcher.saved("a.ipynb", [])
        assert heard_by_a_new_one() == [
            {"type": "secrets", "path": "b.ipynb", "findings": [{"id": "y"}], "again": True}
        ]
        for number in range(60):
            watcher.saved(f"{number}.ipynb", [{"id": "x"}])
        paths = [one["path"] for one in heard_by_a_new_one()]
        assert paths == [f"{number}.ipynb" for number in range(10, 60)]
        async with asyncio.timeout(60):
            while watcher.watching:
                await asyncio.sleep(0.01)

    watcher = Watcher(Desk(Root(Path.cwd())))
    asyncio.run(talk())


@pytest.mark.parametrize("ends", [False, True])
def test_a_watch_that_fails_lets_everybody_go(ends: bool) -> None:
    class Broken(Desk):
        def reader(self) -> Any:
            raise RuntimeError("a look that fails")

    class Client:
        code: int | None = None

        def tell(self, message: str) -> None: ...

        def close(self, code: int) -> None:
            self.code = code

    async def watch() -> None:
        desk = Broken(Root(Path.cwd()))
        watcher, client = Watcher(desk), Client()
        if ends:  # as when the server does
            desk.counting.shutdown()
        watcher.add(client)  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            while watcher.watching:
                await asyncio.sleep(0.01)
        assert client.code == (None if ends else 1011)

    asyncio.run(watch())


def test_a_configuration_that_cannot_be_read_is_told_and_passes(
    own: Jupyter, configure: Callable[[str], Path]
) -> None:
    good = (Path(os.environ["GEMINI_MAGIC_HOME"]) / "config" / "gemini_magic.toml").read_text()

    async def talk(client: Any) -> None:
        await heard(client, "quota", lambda one: one["data"]["problem"] is None)
        configure("[backends]\nnonsense")
        broken = await heard(client, "quota", lambda one: one["data"]["problem"])
        assert "gemini_magic.toml, line 2" in broken["data"]["problem"]
        configure(good)
        await heard(client, "quota", lambda one: one["data"]["problem"] is None)

    own.live(talk)
    configure("[backends]\nnonsense")
    for path in ("quota", "backends", "models", "cache", "quota/history"):
        status, message, _ = own.refused("GET", path)
        assert status == 422 and "line 2" in message


def test_a_failure_is_a_request_too(own: Jupyter, asking: Any) -> None:
    asking.set_script([Failure(503, {"error": {"code": 503, "message": "busy"}})])
    with pytest.raises(errors.GeminiMagicError):
        gm.ask("hello")
    api.close()
    (row,) = until(lambda: own.call("GET", "requests"))
    assert (row["status"], row["backend"], row["prompt"]) == ("error", "test", "hello")


def test_a_backend_that_answered_a_kernel_has_a_key_there(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(Root(Path.cwd()))

    def told(name: str) -> tuple[Any, str]:
        (one,) = (one for one in backends.read(desk, Given({}, {})) if one["name"] == name)
        return one["key"], one["state"]

    missing = ({"needed": True, "found": False, "where": None, "kernels": []}, "no key")
    monkeypatch.delenv("TEST_KEY")
    assert told("test") == told("studio") == missing
    monkeypatch.setenv("TEST_KEY", KEY)
    gm.ask("hello")
    api.close()
    monkeypatch.delenv("TEST_KEY")
    until(lambda: desk.log.newest(1))
    known = {"needed": True, "found": True, "where": "a kernel", "kernels": []}
    assert told("test") == (known, "ready")
    assert told("studio") == missing


@pytest.mark.kernel
def test_a_request_of_a_notebook_says_of_which_cell(own: Jupyter) -> None:
    (own.root / "a b.ipynb").write_text(json.dumps(notebook("%gemini hi")))
    os.environ["JPY_SESSION_NAME"] = str(own.root / "a b.ipynb")
    try:
        with Kernel() as kernel:
            kernel.run("%%gemini\nhi", cell_id="c0")
            rows = until(lambda: own.call("GET", "requests"))
    finally:
        del os.environ["JPY_SESSION_NAME"]
    assert (rows[0]["notebook"], rows[0]["cell_id"]) == ("a b.ipynb", "c0")
