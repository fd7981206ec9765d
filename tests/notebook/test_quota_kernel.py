"""The quota in real kernels: footers, countdowns, refusals, meters, stored answers."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.engine.cache import Cache
from gemini_magic.quota.clock import Reading, system_clock
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.store import GRACE, MINUTE, Amount
from gemini_magic.quota.windows import dawn, day
from tests.kernels import Executed, Kernel
from tests.wire import Answer, Failure, Fault, payloads

pytestmark = pytest.mark.kernel

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
OTHER_KEY = "sk-TESTKEYtestkeyTESTKEYtestkey0123456789"
MODEL = "gemini-2.5-flash"
NO_CAPACITY = Failure(503, {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})


def refusal(window: str, size: int, seconds: float = 38.5) -> Failure:
    name = f"GenerateRequestsPer{window}PerProjectPerModel-FreeTier"
    found = payloads.violation(payloads.FREE_REQUESTS, name, MODEL, size)
    return payloads.quota_failure([found], seconds)


class Lab:
    """A google server behind the backend ``test`` (project "mine"); the ledger's clock at noon."""

    def __init__(self, server: Any, configure: Callable[[str], Path], home: Path) -> None:
        self.server = server
        self.path = home / "data" / "ledger.db"
        self._configure = configure
        self.configure()
        noon = dawn(time.time() + 86_400) + 12 * 3600  # Pacific; the day does not end under us
        store = self.store()
        store.correct_clock(noon - store.now())
        store.close()
        server.date_offset = noon - time.time()

    def configure(self, more: str = "", settings: str = "") -> None:
        self._configure(
            f'[settings]\nmodel = "test:{MODEL}"\n{settings}\n[backends.test]\nkind = "google"\n'
            f'base_url = "{self.server.url}"\nkey_env = "TEST_KEY"\nproject = "mine"\n{more}'
        )

    def limit(self, settings: str = "", **sizes: int) -> None:
        rows = "\n".join(f"{window} = {size}" for window, size in sizes.items())
        self.configure(f'[limits.mine."{MODEL}"]\n{rows}\n', settings)

    def store(self, later: float = 0.0) -> SqliteStore:
        """The ledger's store as another process sees it so many seconds from now."""

        def clock() -> Reading:
            now = system_clock()
            return Reading(now.wall + later, now.since_boot + later, now.boot)

        return SqliteStore(self.path, clock)

    def used(self, later: float = 0.0) -> tuple[Amount, Amount]:
        """What the minute and the day hold."""
        store = self.store(later)
        scopes = {scope for scope, _ in store.history("")}
        found = store.minute(scopes), store.totals(scopes, day(store.now()))
        store.close()
        return found

    def kept(self, count: int) -> None:
        """Wait until so many answers are stored, which nobody else waits for."""
        cache = Cache(self.path.with_name("cache.db"), size=10**9, days=30)
        deadline = time.monotonic() + 10
        while cache.usage().replies != count:
            assert time.monotonic() < deadline, cache.usage()
            time.sleep(0.02)

    @property
    def sent(self) -> int:
        return len(self.server.generate_calls)


@pytest.fixture
def lab(google_server, configure, home: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", OTHER_KEY)
    return Lab(google_server(Answer(text="fine"), key=KEY), configure, home)


def drawn(done: Executed) -> list[str]:
    """All texts that were ever shown, in order."""
    contents = (message["content"] for _, message in done.messages)
    texts = (content.get("data", {}).get("text/plain", "") for content in contents)
    return [text for text in texts if text]


# --- what is left --------------------------------------------------------------------------------


def test_the_footer_tells_what_is_left_today(lab: Lab, kernel: Kernel) -> None:
    assert "about 19 of 20 requests left today" in kernel.run("%%gemini\nhello").text
    kernel.run(f"%gemini quota set test:{MODEL} rpd=250")
    text = kernel.run("%%gemini\nhello").text
    assert "248 of 250 requests left today" in text and "about 248" not in text
    assert kernel.value("[one.used for one in _.left if one.window == 'rpd']") == [2]


def test_meters_show_every_window_and_where_its_limit_comes_from(lab: Lab, kernel: Kernel) -> None:
    kernel.run("%%gemini\nhello")
    text = kernel.run("%gemini quota").text
    assert "mine" in text and MODEL in text
    assert re.search(r"1 / 20\b", text) and re.search(r"1 / 5\b", text), text
    kernel.run(f"%gemini quota set mine/{MODEL} rpm=7 rpd=9")
    text = kernel.run("%gemini quota").text
    assert re.search(r"1 / 9\b", text) and re.search(r"1 / 7\b", text), text


def test_meters_know_the_tier_that_is_configured(lab: Lab, kernel: Kernel) -> None:
    lab.configure('tier = "tier1"')
    kernel.run("%%gemini\nhello")
    text = kernel.run("%gemini quota").text
    assert "tier1" in text and not re.search(r"1 / 20\b", text), text


# --- refusals ------------------------------------------------------------------------------------


def test_after_a_daily_429_the_next_cell_sends_nothing_until_the_user_says_so(
    lab: Lab, kernel: Kernel
) -> None:
    lab.server.set_script([refusal("Day", 20), Answer(text="fine")])
    assert kernel.run("%%gemini\nhello").ename == "QuotaExceeded" and lab.sent == 1
    done = kernel.run("%%gemini\nhello")
    assert done.ename == "QuotaExceeded" and lab.sent == 1 and len(done.traceback) == 2
    assert "20" in done.error and "Pacific" in done.error and "--force" in done.error
    assert re.search(r"20 / 20\b", kernel.run("%gemini quota").text)
    assert kernel.run("%%gemini --force\nhello").status == "ok" and lab.sent == 2
    assert kernel.run("%%gemini\nhello").status == "ok" and lab.sent == 3


@pytest.mark.parametrize("command", ["set {} rpd=250", "reset {}", "reset {} --counts"])
@pytest.mark.parametrize("name", [f"test:{MODEL}", f"mine/{MODEL}", MODEL])
def test_the_user_corrects_what_was_learned(lab: Lab, kernel: Kernel, command, name) -> None:
    lab.server.set_script([refusal("Day", 20), Answer(text="fine")])
    kernel.run("%%gemini\nhello")
    assert kernel.run("%%gemini\nhello").ename == "QuotaExceeded"
    said = kernel.run(f"%gemini quota {command.format(name)}")
    assert said.status == "ok" and "mine" in said.text, said.error
    assert kernel.run("%%gemini\nhello").status == "ok" and lab.sent == 2


@pytest.mark.alone
def test_a_countdown_is_shown_and_interruptible_at_once(lab: Lab, kernel: Kernel) -> None:
    lab.limit(rpm=1)
    kernel.run("%%gemini\nfirst")
    request = kernel.start("%%gemini\nsecond")
    time.sleep(4)
    struck = time.monotonic()
    kernel.manager.interrupt_kernel()
    done = kernel.finish(request)
    assert done.ename == "Interrupted" and done.ended - struck < 0.3, done.ended - struck
    seconds = [int(n) for text in drawn(done) for n in re.findall(r"waiting (\d+) s", text)]
    assert len(seconds) >= 3 and seconds == sorted(seconds, reverse=True) and seconds[0] <= 66
    assert any("1 of 1 requests a minute are used (your limit)" in text for text in drawn(done))
    assert lab.sent == 1 and lab.used()[1].requests == 1
    assert kernel.run("%%gemini --force\nthird").status == "ok"


def test_a_429_of_the_minute_is_counted_down_and_asked_again_once(lab: Lab, kernel: Kernel) -> None:
    lab.server.set_script([refusal("Minute", 10, 2.5), Answer(text="fine")])
    done = kernel.run("%%gemini\nhello")
    assert done.status == "ok" and lab.sent == 2
    assert any(re.search(r"waiting [1-4] s", text) for text in drawn(done))
    assert "asked again after" in done.text and "fine" in done.text


def test_max_wait_refuses_instead(lab: Lab, kernel: Kernel) -> None:
    lab.limit("max_wait = 5", rpm=1)
    kernel.run("%%gemini\nfirst")
    done = kernel.run("%%gemini\nsecond")
    assert done.ename == "QuotaExceeded" and done.ended - done.began < 2
    assert "max_wait" in done.error.lower() and lab.sent == 1


def test_a_request_that_was_asked_twice_in_vain_says_so(lab: Lab, kernel: Kernel) -> None:
    lab.limit(rpd=100)
    lab.server.set_script(NO_CAPACITY)
    done = kernel.run("%%gemini\nhello")
    assert done.ename == "Overloaded" and lab.sent == 2
    assert "asked again after" in done.text


def test_a_switch_is_announced_with_reason_host_and_price(
    lab: Lab, kernel: Kernel, openai_server
) -> None:
    other = openai_server(Answer(text="from other"), key=OTHER_KEY)
    lab.configure(
        f'[limits.mine."{MODEL}"]\nrpd = 0\n[backends.other]\nkind = "openai"\n'
        f'base_url = "{other.url}"\nkey_env = "OTHER_KEY"\nmodel = "{MODEL}"\n'
        f'[prices.other."{MODEL}"]\ninput = "0.30 USD"\noutput = "2.50 USD"\n'
        '[routes.default]\ntargets = ["test", "other"]\n'
    )
    done = kernel.run(f"%%gemini -m {MODEL}\nhello")
    assert done.status == "ok" and "from other" in done.text and lab.sent == 0
    assert re.search(r"other \(127\.0\.0\.1, \$0\.3.*\) was asked because .*test:", done.text)
    done = kernel.run(f"%%gemini -m {MODEL} --no-fallback\nhello")
    assert done.ename == "QuotaExceeded" and len(other.generate_calls) == 1
    assert f"-m other:{MODEL}" in done.error


def test_what_nobody_answered_tells_the_whole_way(lab: Lab, kernel: Kernel, openai_server) -> None:
    other = openai_server(payloads.OPENAI_KEY_INVALID, key=OTHER_KEY)
    lab.configure(
        f'[limits.mine."{MODEL}"]\nrpd = 0\n[backends.other]\nkind = "openai"\n'
        f'base_url = "{other.url}"\nkey_env = "OTHER_KEY"\nmodel = "{MODEL}"\n'
        '[routes.default]\ntargets = ["test", "other"]\n'
    )
    done = kernel.run(f"%%gemini -m {MODEL}\nhello")
    assert done.ename == "InvalidKey" and "was asked because" in done.text


# --- without the ledger --------------------------------------------------------------------------


def test_a_damaged_ledger_is_told_once_and_the_next_request_counts(lab: Lab) -> None:
    for path in lab.path.parent.glob("*ledger.db*"):
        path.unlink()
    lab.path.write_bytes(b"no database\n" * 1000)
    with Kernel() as kernel:
        done = kernel.run("%%gemini\nhello")
        assert done.status == "ok" and done.text.count("not counted in the quota") == 1
        again = kernel.run("%%gemini\nhello")
        assert "not counted" not in again.text and "left today" in again.text
    assert list(lab.path.parent.glob("ledger.db.damaged-*"))


def test_a_user_may_want_to_stop_then(lab: Lab, kernel: Kernel) -> None:
    lab.configure('[ledger]\nstore = "redis://127.0.0.1:9/0"\non_ledger_error = "stop"\n')
    done = kernel.run("%%gemini\nhello")
    assert done.ename == "LedgerError" and lab.sent == 0
    assert "on_ledger_error" in done.error and len(done.traceback) == 2
    lab.configure('[ledger]\nstore = "redis://127.0.0.1:9/0"\n')
    done = kernel.run("%%gemini\nhello")
    assert done.status == "ok" and done.text.count("not counted in the quota") == 1
    for command in ("quota", f"quota set test:{MODEL} rpd=3", f"quota reset {MODEL}"):
        done = kernel.run(f"%gemini {command}")
        assert "127.0.0.1:9" in done.text + done.error and len(done.traceback) <= 2


# --- several kernels -----------------------------------------------------------------------------


def test_two_kernels_share_the_meters(lab: Lab, kernel: Kernel) -> None:
    lab.limit(rpd=2)
    with Kernel() as other:
        assert "1 of 2 requests left today" in kernel.run("%%gemini\nhello").text
        assert "0 of 2 requests left today" in other.run("%%gemini\nhello again").text
        for one in (kernel, other):
            assert one.run("%%gemini --fresh\nhello").ename == "QuotaExceeded"
            assert re.search(r"2 / 2\b", one.run("%gemini quota").text)
        kernel.run(f"%gemini quota set {MODEL} rpd=3")
        assert other.run("%%gemini --fresh\nhello").status == "ok"
    assert lab.sent == 3


def test_two_kernels_at_once_never_pass_a_limit(lab: Lab, kernel: Kernel) -> None:
    lab.limit("max_wait = 0", rpm=7)
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from gemini_magic import GeminiCell\n"
        "session = get_ipython().magics_manager.registry['GeminiMagic'].session\n"
        "def one(n):\n"
        "    try:\n"
        "        return session.ask(GeminiCell.of(f'{n}', {'quiet': True})).text\n"
        "    except Exception as error:\n"
        "        return type(error).__name__\n"
        "with ThreadPoolExecutor(10) as pool:\n"
        "    print(sorted(pool.map(one, range(10))))\n"
    )
    with Kernel() as other:
        asked = [(one, one.start(code)) for one in (kernel, other)]
        told = [one.finish(request) for one, request in asked]
    answers = [word for done in told for word in eval(done.texts()[0])]
    assert answers.count("fine") == lab.sent == 7, answers
    assert answers.count("QuotaExceeded") == 13


def test_a_killed_kernel_leaves_its_request_counted_and_no_longer_than_its_window(
    lab: Lab,
) -> None:
    lab.server.set_script(Fault("hang"))
    with Kernel() as kernel:
        kernel.start("%%gemini\nhello")
        lab.server.wait_for(1)
        kernel.manager.signal_kernel(signal.SIGKILL)
        lab.server.wait_disconnects(1)
    minute, today = lab.used()
    assert minute.requests == today.requests == 1 and today.tokens > 0
    minute, today = lab.used(later=MINUTE + GRACE + 1)
    assert minute == Amount() and today.requests == 1
    minute, today = lab.used(later=86_400)
    assert today == Amount()
    lab.server.set_script(Answer(text="fine"))
    with Kernel() as kernel:
        assert "about 18 of 20 requests left today" in kernel.run("%%gemini\nhello").text


# --- stored answers ------------------------------------------------------------------------------

CELLS = ["%%gemini\none", "x = %gemini two\nx.text", "%%gemini --as text\nthree"]


@pytest.mark.parametrize("ids", [True, False], ids=["with cell ids", "without"])
def test_restart_and_run_all_costs_nothing(lab: Lab, ids: bool) -> None:
    for round in range(2):
        with Kernel() as kernel:
            for n, cell in enumerate(CELLS):
                done = kernel.run(cell, cell_id=f"cell-{n}" if ids else None)
                assert done.status == "ok"
                assert ("cached · 0 quota" in done.text) is (round == 1), done.text
            lab.kept(3)
            assert kernel.value("_.text") == "fine"
        assert lab.sent == 3 and lab.used()[1].requests == 3


@pytest.mark.parametrize("ids", [True, False], ids=["with cell ids", "without"])
def test_the_second_run_of_a_cell_asks_again(lab: Lab, ids: bool) -> None:
    cell = {"cell_id": "a"} if ids else {}
    with Kernel() as kernel:
        kernel.run("%%gemini\none", **cell)  # type: ignore[arg-type]
        kernel.run("%%gemini\none", **cell)  # type: ignore[arg-type]
        assert lab.sent == 2
        lab.kept(1)
    with Kernel() as kernel:
        runs = [kernel.run("%%gemini\none", **cell).text for _ in range(2)]  # type: ignore[arg-type]
        assert ["cached" in text for text in runs] == [True, False] and lab.sent == 3
        assert "cached" not in kernel.run("%%gemini --fresh\none", **cell).text  # type: ignore[arg-type]
        assert "cached" in kernel.run("%%gemini --cached\none", **cell).text  # type: ignore[arg-type]
        assert lab.sent == 4


def test_fresh_asks_in_the_first_run_too(lab: Lab) -> None:
    with Kernel() as kernel:
        kernel.run("%%gemini\none", cell_id="a")
    with Kernel() as kernel:
        assert "cached" not in kernel.run("%%gemini --fresh\none", cell_id="a").text
    assert lab.sent == 2


def test_another_cell_with_the_same_prompt_is_replayed_the_first_time(lab: Lab) -> None:
    with Kernel() as kernel:
        kernel.run("%%gemini\none", cell_id="a")
        lab.kept(1)
        assert "cached" in kernel.run("%%gemini\none", cell_id="b").text
        assert "cached" not in kernel.run("%%gemini\none", cell_id="b").text
    assert lab.sent == 2


@pytest.mark.parametrize(
    "script", [Answer.stopped("MAX_TOKENS", "cut here"), Fault("truncate", answer=Answer(text="a"))]
)
def test_an_unfinished_answer_is_not_replayed(lab: Lab, script: Any) -> None:
    lab.server.set_script([script, Answer(text="whole")])
    with Kernel() as kernel:
        kernel.run("%%gemini\none", cell_id="a")
    with Kernel() as kernel:
        done = kernel.run("%%gemini\none", cell_id="a")
        assert "whole" in done.text and "cached" not in done.text
    assert lab.sent == 2
