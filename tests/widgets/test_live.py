"""Live meters: what they read and send, by themselves and in a real kernel."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any

import ipywidgets
import pytest

from gemini_magic.quota.reader import pause
from gemini_magic.quota.rules import Bucket
from gemini_magic.quota.usage import BucketUse, Snapshot, WindowUse
from gemini_magic.widgets.live import LIVE, QUIET, LiveMeters
from tests.kernels import Kernel

AS_OF = re.compile(r'<b>0</b> <span style="[^"]*">as of \d\d:\d\d</span>')


class Ledger:
    """A ledger that a test changes; it counts how often it is looked at, and read."""

    def __init__(self) -> None:
        self.number = self.looks = self.reads = 0
        self.windows: tuple[WindowUse, ...] = ()
        self.problem: Exception | None = None
        #: What the newest meters showed since they were made.
        self.values: list[str] = []

    def read(self) -> Snapshot:
        self.reads += 1
        if self.problem:
            raise self.problem
        use = BucketUse(Bucket("p", "m"), (), (), False, self.windows)
        return Snapshot(time.time(), (use,), where=str(self.number))

    def changes(self) -> int:
        self.looks += 1
        return self.number

    def live(self, **more: Any) -> LiveMeters:
        meters = LiveMeters(
            self.read, self.changes, draw, lambda snapshot, now: snapshot.where, **more
        )
        self.values = []
        meters.widget.children[0].observe(lambda change: self.values.append(change["new"]), "value")
        return meters


def draw(snapshot: Snapshot, now: float) -> str:
    return f"<b>{snapshot.where}</b> {snapshot.problem}"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    yield Ledger()
    ipywidgets.Widget.close_all()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_change_is_drawn_and_nothing_else_is_sent(ledger: Ledger) -> None:
    meters = ledger.live()
    assert meters.shown == "<b>0</b> "
    ledger.number = 1
    wait_for(lambda: meters.shown == "<b>1</b> ")
    time.sleep(0.6)
    assert ledger.values == ["<b>1</b> "]
    meters.close()
    assert not meters.live and meters.widget.comm is None


def test_it_draws_at_most_four_times_a_second(ledger: Ledger) -> None:
    ledger.live()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        ledger.number += 1
        time.sleep(0.005)
    assert 4 <= len(ledger.values) <= 8, ledger.values


def test_errors_are_shown_and_end(ledger: Ledger) -> None:
    meters = ledger.live()
    ledger.problem = OSError("the disk is full")
    ledger.number += 1
    wait_for(lambda: meters.shown == "<b>0</b> the disk is full")
    ledger.problem = None  # it is tried again although nothing says that something changed
    wait_for(lambda: meters.shown == "<b>1</b> ")
    assert meters.live


def test_a_ledger_that_cannot_be_read_at_first(ledger: Ledger) -> None:
    ledger.problem = OSError("no such file")
    assert "no such file" in ledger.live().shown


def test_only_the_newest_follow_and_the_others_say_of_when_they_are(ledger: Ledger) -> None:
    meters = [ledger.live() for _ in range(LIVE + 2)]
    assert [one.follows for one in meters] == [False, False, *[True] * LIVE]
    ledger.number = 7
    wait_for(lambda: all("7" in one.shown for one in meters[2:]))
    wait_for(lambda: all(AS_OF.fullmatch(one.shown) for one in meters[:2]))
    meters[-1].close()
    assert ledger.live().follows and meters[2].follows, "a closed one takes no room"
    meters[0].wake()  # it was used
    wait_for(lambda: meters[0].shown == "<b>7</b> ")
    wait_for(lambda: "as of" in meters[2].shown and not meters[2].follows)


def say(meters: LiveMeters, page: str, word: str) -> None:
    """What sight.js says in a page."""
    field = next(one for one in meters.widget.children if "gemini-magic-sight" in one._dom_classes)
    field.set_state({"value": f"{page} {word}"})


def test_what_nobody_sees_looks_at_nothing(ledger: Ledger) -> None:
    meters = ledger.live()
    say(meters, "a", "seen")
    say(meters, "b", "seen")
    say(meters, "a", "hidden")
    ledger.number = 1
    wait_for(lambda: meters.shown == "<b>1</b> ")
    say(meters, "b", "hidden")
    wait_for(lambda: "as of" in meters.shown)
    looks, reads = ledger.looks, ledger.reads
    ledger.number = 2
    meters.wake()  # its panel is used, by its keyboard perhaps
    time.sleep(1)
    assert (ledger.looks, ledger.reads) == (looks, reads), "it polls"
    assert "<b>1</b>" in meters.shown and meters.live and not meters.follows
    others = [ledger.live() for _ in range(LIVE)]
    assert all(one.follows for one in others), "it takes no room"
    say(meters, "b", "seen")
    wait_for(lambda: meters.shown == "<b>2</b> ")
    wait_for(lambda: "as of" in others[0].shown)


def test_what_stays_is_drawn_before_it_rests(ledger: Ledger) -> None:
    kept: list[str] = []
    meters = ledger.live(keep=lambda data: kept.append(data["text/plain"]))
    ledger.number = 1
    wait_for(lambda: meters.shown == "<b>1</b> ")
    say(meters, "a", "hidden")
    wait_for(lambda: kept == ["1"])
    say(meters, "a", "seen")
    wait_for(lambda: meters.follows and "as of" not in meters.shown)
    say(meters, "a", "hidden")
    wait_for(lambda: "as of" in meters.shown)
    assert kept == ["1"], "nothing was counted: the notebook stays as it is"


def test_what_rests_ends_too(ledger: Ledger) -> None:
    meters = ledger.live()
    say(meters, "a", "hidden")
    wait_for(lambda: "as of" in meters.shown)
    meters.close()
    assert not meters.live
    mine = [one for one in threading.enumerate() if one.name == "gemini_magic meters"]
    wait_for(lambda: not any(one.is_alive() for one in mine))


def test_it_ends_with_its_comm(ledger: Ledger) -> None:
    left, closed = ledger.live(), ledger.live()
    left.widget.comm.handle_close({})
    closed.widget.close()
    assert not left.live and not closed.live
    before = ledger.reads
    ledger.number += 1
    time.sleep(0.6)
    assert ledger.reads == before


def test_what_readers_without_a_kernel_see_stands_beside_the_live_view(ledger: Ledger) -> None:
    meters = ledger.live()
    still, live = meters.outputs()
    assert "<b>0</b> <span" in still["text/html"] and still["text/plain"] == "0"
    assert re.search(r"as of \d{4}-\d\d-\d\d \d\d:\d\d</span></div>", still["text/html"])
    assert set(live) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == meters.widget.model_id
    assert live["text/plain"] == "", "what cannot draw it would show the same twice"
    (name,) = meters.widget._dom_classes
    assert f".{name}" in still["text/html"]
    meters.close()
    (still,) = meters.outputs()
    assert "<style" not in still["text/html"]


def test_what_stays_is_drawn_again_once_nothing_changes_any_more(ledger: Ledger) -> None:
    kept: list[str] = []
    ledger.live(keep=lambda data: kept.append(data["text/plain"]))
    for number in range(1, 6):
        ledger.number = number
        time.sleep(0.3)
    assert kept == []
    wait_for(lambda: kept == ["5"])
    time.sleep(QUIET + 1)
    assert kept == ["5"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_sends_nothing(ledger: Ledger) -> None:
    meters = ledger.live()
    child = os.fork()
    if child == 0:
        meters.freeze()
        meters.close()
        os._exit(0 if not meters.live and meters.widget.comm is not None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert meters.live


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        (WindowUse("rpm", 1), 1.0),
        (WindowUse("rpm", 0), 40.0),
        (WindowUse("rpd", 5, resets=1e9), 40.0),
        (WindowUse("rpd", 5, resets=110.0), 1.0),
        (WindowUse("rpd", 5, closed_until=21.0), 1.0),
        (WindowUse("rpd", 5, closed_until=19.0), 40.0),
    ],
)
def test_seconds_are_counted_only_while_they_matter(window: WindowUse, seconds: float) -> None:
    use = BucketUse(Bucket("p", "m"), (), (), False, (window,))
    assert pause(Snapshot(20.0, (use,))) == seconds


# --- in a kernel ----------------------------------------------------------------------------------

_SETUP = """
import threading, time
from gemini_magic.quota.usage import Snapshot
from gemini_magic.widgets.live import LiveMeters
N = [0]
def make():
    return LiveMeters(
        lambda: Snapshot(time.time(), where=str(N[0])),
        lambda: N[0],
        lambda snapshot, now: f"<b>{snapshot.where}</b>",
        lambda snapshot, now: snapshot.where,
    )
def hammer(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        N[0] += 1
        time.sleep(0.002)
"""


def messages(kernel: Kernel, seconds: float) -> list[dict[str, Any]]:
    """What the kernel sends in this time, whatever it belongs to."""
    found = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            found.append(kernel.client.get_iopub_msg(timeout=left))
        except Empty:
            break
    return found


@pytest.mark.kernel
def test_loading_the_extension_imports_no_widgets(kernel: Kernel) -> None:
    assert kernel.value("__import__('sys').modules.get('ipywidgets')") is None


@pytest.mark.kernel
def test_a_notebook_that_is_run_as_a_whole_keeps_a_table(kernel: Kernel) -> None:
    """nbclient sends no cell's id, and its result has no kernel to follow."""
    (shown,) = kernel.run("%gemini quota").outputs
    assert set(shown["data"]) == {"text/html", "text/plain"}
    assert kernel.value("__import__('sys').modules.get('ipywidgets')") is None


@pytest.mark.kernel
def test_updates_come_while_no_cell_runs_and_land_nowhere_else(kernel: Kernel) -> None:
    kernel.run(_SETUP)
    made = kernel.start(
        "live = make()\nfor data in live.outputs():\n    get_ipython().display_pub.publish(data)"
    )
    shown = kernel.finish(made)
    assert "<b>0</b>" in shown.texts("text/html")[0] and shown.texts() == ["0", ""]
    other = kernel.run("threading.Thread(target=hammer, args=(3,)).start()")
    assert other.status == "ok" and not other.outputs
    sent = messages(kernel, 4)
    updates = [message for message in sent if message["msg_type"] == "comm_msg"]
    assert 6 <= len(updates) <= 14, len(updates)  # in the 3 seconds, and one for the last state
    assert {message["msg_type"] for message in sent} == {"comm_msg"}
    assert {message["parent_header"]["msg_id"] for message in updates} == {made}
    last = updates[-1]["content"]["data"]["state"]["value"]
    assert last == f"<b>{kernel.value('N[0]')}</b>"

    busy = kernel.run("hammer(1.5); print('mine')")  # and while another cell runs
    assert busy.texts() == ["mine\n"]
    assert not [m for _, m in busy.messages if m["msg_type"] == "comm_msg"]


@pytest.mark.kernel
def test_an_idle_meter_sends_nothing_and_costs_little(kernel: Kernel) -> None:
    kernel.run(_SETUP)
    kernel.run("live = [make() for _ in range(3)]")
    messages(kernel, 0.5)
    before = kernel.value("time.process_time()")
    assert messages(kernel, 3) == []
    spent = kernel.value("time.process_time()") - before
    print(f"three idle meters: {spent / 3:.2%} of a processor")
    assert spent < 0.5
