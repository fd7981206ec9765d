"""Uploads: what is too large for a request, once for each content and key, and never counted."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.backends import google_files
from gemini_magic.backends.google import GoogleBackend
from gemini_magic.backends.wire import noting_departure, noting_headers
from gemini_magic.errors import BadRequest, UsageError, WireError
from gemini_magic.events import BackendEvent, Ended, TextDelta, Uploading, Waiting
from gemini_magic.keys import Secret
from gemini_magic.types import File, Message, Part, Request
from tests.backends.google_lab import PNG, ask, backend, only, request, said, sent
from tests.wire import Answer, GoogleServer, payloads

MOVIE, PAPER = "video/mp4", "application/pdf"
ROOT = Path(__file__).parents[2]


def stored_file(folder: Path, size: int = 3000, name: str = "report.pdf", fill: int = 7) -> Part:
    path = folder / name
    data = bytes([fill]) * size
    path.write_bytes(data)
    mime = MOVIE if name.endswith("mp4") else PAPER
    return Part(file=File(str(path), size, hashlib.sha256(data).hexdigest()), mime_type=mime)


def uploads(server: GoogleServer) -> int:
    """How many uploads were begun."""
    begun = [r for r in server.requests if r.headers.get("x-goog-upload-command") == "start"]
    return len(begun)


def looks(server: GoogleServer) -> int:
    return len([r for r in server.requests if r.method == "GET" and "/files/" in r.path])


def asking(server: GoogleServer, *requests: Request) -> list[list[BackendEvent]]:
    """The same backend is asked these, one after the other."""

    async def work() -> list[list[BackendEvent]]:
        asked = backend(server)
        try:
            return [await said(asked, one) for one in requests]
        finally:
            await asked.aclose()

    return asyncio.run(work())


def test_a_file_is_uploaded_and_named_by_its_address(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path, 20_000_000)
    events = ask(server, request("read", part))
    steps = only(Uploading, events)
    assert {(step.name, step.total) for step in steps} == {("report.pdf", 20_000_000)}
    done = [step.done for step in steps]
    assert done == sorted(set(done)) and done[-1] == 20_000_000
    assert only(TextDelta, events)
    [file] = server.files.values()
    assert file.json["displayName"] == "report.pdf" and file.json["mimeType"] == PAPER
    assert part.file is not None
    assert file.json["sizeBytes"] == str(part.file.size)
    assert sent(server)["contents"][0]["parts"][1] == {
        "file_data": {"file_uri": file.json["uri"], "mime_type": PAPER}
    }
    assert (uploads(server), len(server.generate_calls)) == (1, 1)


def test_data_goes_along_until_it_does_not_fit(google_server) -> None:
    server = google_server(Answer("seen"))
    small = Part(data=PNG, mime_type="image/png")
    large = Part(data=b"%PDF-" + bytes(15_000_000), mime_type=PAPER, name="a.pdf")
    asking(server, request("x", small, large))
    _, first, second = sent(server)["contents"][0]["parts"]
    assert "inline_data" in first and "file_data" in second
    assert server.files["file1"].json["displayName"] == "a.pdf"
    assert len(server.generate_calls[0].body) < 20_000_000


def test_one_upload_for_each_content(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part, other = stored_file(tmp_path), stored_file(tmp_path, name="b.pdf", fill=8)
    events = asking(server, request("one", part, part), request("two", part), request("x", other))
    assert uploads(server) == 2 and looks(server) == 0
    assert not only(Uploading, events[1])
    assert len(server.generate_calls) == 3


def test_each_key_has_uploads_of_its_own(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"), key={"a" * 20: "project-a", "b" * 20: "project-b"})
    part = stored_file(tmp_path)

    async def work() -> None:
        for key in server.keys:
            asked = backend(server, key)
            await said(asked, request("x", part))
            await asked.aclose()

    asyncio.run(work())
    assert uploads(server) == 2
    assert [file.project for file in server.files.values()] == ["project-a", "project-b"]


def test_a_file_that_is_gone_is_uploaded_anew_before_anything_is_asked(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_files, "_SURE", 0.0)
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        await said(asked, request("x", part))
        await said(asked, request("x", part))
        assert (uploads(server), looks(server)) == (1, 1)
        server.files.clear()
        events = await said(asked, request("x", part))
        assert only(Ended, events)[0].finish_reason == "STOP"
        await asked.aclose()

    asyncio.run(work())
    assert (uploads(server), len(server.generate_calls)) == (2, 3)


def test_a_file_that_will_soon_expire_is_uploaded_anew(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"), date_offset=-3 * 3600.0)  # a clock that is far off
    part = stored_file(tmp_path)
    asking(server, request("x", part), request("x", part))
    assert uploads(server) == 1
    server.file_life = 500.0
    asking(server, request("x", part), request("x", part))
    assert uploads(server) == 3


def test_a_file_that_went_while_it_was_sure_is_looked_at_the_next_time(
    google_server, tmp_path: Path
) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        await said(asked, request("x", part))
        server.files.clear()
        with pytest.raises(WireError) as caught:
            await said(asked, request("x", part))
        assert (caught.value.phase, caught.value.status) == ("headers", 403)
        await said(asked, request("x", part))
        await asked.aclose()

    asyncio.run(work())
    assert (uploads(server), len(server.generate_calls)) == (2, 3)


def test_a_film_is_waited_for(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_files, "_POLL", 0.02)
    monkeypatch.setattr(google_files, "_PACE", 0.01)
    server = google_server(Answer("seen"))
    server.processing = 3
    events = ask(server, request("x", stored_file(tmp_path, name="a.mp4")))
    assert any("a.mp4" in event.why for event in only(Waiting, events))
    assert looks(server) == 4 and len(server.generate_calls) == 1


def test_a_film_that_google_cannot_read_is_told(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_files, "_POLL", 0.02)
    server = google_server(Answer("seen"))
    server.unreadable = "The video has no frames."
    with pytest.raises(BadRequest, match=r"a\.mp4.*no frames.*nothing was asked"):
        ask(server, request("x", stored_file(tmp_path, name="a.mp4")))
    assert server.generate_calls == []


def test_two_that_want_the_same_content_share_its_upload(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path, 9_000_000)

    async def work() -> None:
        asked = backend(server)
        both = (said(asked, request("one", part)), said(asked, request("two", part)))
        for events in await asyncio.gather(*both):
            assert only(Uploading, events)[-1].done == 9_000_000
        await asked.aclose()

    asyncio.run(work())
    assert (uploads(server), len(server.generate_calls)) == (1, 2)


@pytest.mark.parametrize("name", ["Bericht für Zoë.pdf", "报告.pdf", "two\nlines.pdf", 'a;b".pdf'])
def test_any_name_of_a_file_goes(google_server, tmp_path: Path, name: str) -> None:
    server = google_server(Answer("read"))
    ask(server, request("x", stored_file(tmp_path, name=name)))
    assert [file.json["displayName"] for file in server.files.values()] == [name]


def test_a_file_that_changed_is_not_sent(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)
    (tmp_path / "report.pdf").write_bytes(bytes([9]) * 2999)
    with pytest.raises(UsageError, match=r"report\.pdf has changed"):
        ask(server, request("x", part))
    assert server.requests == []
    (tmp_path / "report.pdf").write_bytes(bytes([9]) * 3000)
    with pytest.raises(UsageError, match=r"report\.pdf has changed"):
        ask(server, request("x", part))
    assert server.files == {} and server.generate_calls == []
    (tmp_path / "report.pdf").unlink()
    with pytest.raises(UsageError, match="cannot read"):
        ask(server, request("x", part))


def test_what_google_does_not_take_is_told_before_it_is_sent(google_server, tmp_path: Path) -> None:
    server = google_server()
    huge = Part(file=File(str(tmp_path / "x.mp4"), 2_100_000_000, "0" * 64), mime_type=MOVIE)
    with pytest.raises(UsageError, match=r"2\.1 GB"):
        ask(server, request("x", huge))
    vertex = GoogleBackend(server.url, None, vertex=("project", "location"))
    for part in (stored_file(tmp_path), Part(data=bytes(16_000_000), mime_type=MOVIE)):
        with pytest.raises(UsageError, match="gs://"):
            asyncio.run(said(vertex, request("x", part)))
    assert server.requests == []


@pytest.mark.parametrize("failure", [payloads.OVERLOADED, payloads.KEY_INVALID, payloads.BARE])
def test_an_upload_that_fails_was_not_sent(google_server, tmp_path: Path, failure: Any) -> None:
    server = google_server(Answer("read"))
    server.set_script(failure, op="upload")

    async def work() -> list[str]:
        departed, answered = noting_departure(), noting_headers()
        asked = backend(server)
        with pytest.raises(WireError) as caught:
            await said(asked, request("x", stored_file(tmp_path)))
        assert (caught.value.phase, caught.value.status) == ("connect", failure.status)
        assert answered == []
        await asked.aclose()
        return departed

    assert asyncio.run(work()) == []
    assert server.generate_calls == []


def test_a_piece_that_was_not_taken_is_sent_again(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    server.set_script([Answer(), payloads.OVERLOADED, Answer()], op="upload")
    events = ask(server, request("x", stored_file(tmp_path)))
    done = [step.done for step in only(Uploading, events)]
    assert done == sorted(done) and done[-1] == 3000
    commands = [r.headers.get("x-goog-upload-command") for r in server.requests]
    assert commands == ["start", "upload, finalize", "upload, finalize", None]


def test_two_that_find_a_file_gone_bring_it_once(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_files, "_SURE", 0.0)
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        await said(asked, request("x", part))
        server.files.clear()
        await asyncio.gather(*(said(asked, request(str(n), part)) for n in range(5)))
        await asked.aclose()

    asyncio.run(work())
    assert (uploads(server), len(server.generate_calls)) == (2, 6)


def test_an_upload_that_nobody_understands_is_told(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    odd = payloads.Failure(200, {"error": "a proxy that has no Files API"})
    server.set_script(odd, op="upload")
    with pytest.raises(WireError) as caught:
        ask(server, request("x", stored_file(tmp_path)))
    assert (caught.value.phase, caught.value.status) == ("connect", None)
    assert "report.pdf" in caught.value.detail


def test_an_interrupt_ends_an_upload_at_once_and_nothing_was_sent(
    google_server, tmp_path: Path
) -> None:
    server = google_server(Answer("read"))
    server.hang_uploads = True
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        departed: list[list[str]] = []

        async def cell() -> None:
            departed.append(noting_departure())
            await said(asked, request("x", part))

        task = asyncio.create_task(cell())
        await asyncio.to_thread(server.wait_for, 2, op="upload")
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 0.3
        assert departed == [[]]
        await asyncio.to_thread(server.wait_disconnects, 1)
        server.hang_uploads = False
        assert only(TextDelta, await said(asked, request("x", part)))  # the next cell works
        await asked.aclose()

    asyncio.run(work())
    assert len(server.generate_calls) == 1


def test_an_interrupt_of_one_leaves_the_upload_to_the_other(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    server.hang_uploads = True
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        one = asyncio.create_task(said(asked, request("one", part)))
        await asyncio.to_thread(server.wait_for, 2, op="upload")
        other = asyncio.create_task(said(asked, request("two", part)))
        await asyncio.sleep(0.1)
        one.cancel()
        await asyncio.sleep(0.1)
        assert not other.done() and server.disconnects == []
        other.cancel()
        await asyncio.to_thread(server.wait_disconnects, 1)
        await asked.aclose()

    asyncio.run(work())
    assert uploads(server) == 1


def test_an_upload_that_stands_still_is_given_up(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_files, "_STALLED", 0.1)
    monkeypatch.setattr(google_files, "_PACE", 0.05)
    server = google_server(Answer("read"))
    server.hang_uploads = True
    with pytest.raises(WireError) as caught:
        ask(server, request("x", stored_file(tmp_path)))
    assert caught.value.phase == "connect" and "stood still" in caught.value.detail


def test_a_look_that_nobody_answers_is_given_up(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        await said(asked, request("x", part))
        asked._files.doubt()
        monkeypatch.setattr(google_files, "_STALLED", 0.1)
        server.network = (1.0, 1.0)
        with pytest.raises(WireError) as caught:
            await said(asked, request("x", part))
        assert caught.value.phase == "connect" and "no word" in caught.value.detail
        await asked.aclose()

    asyncio.run(work())
    assert len(server.generate_calls) == 1


def test_a_slow_upload_is_not_silent(
    google_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_files, "_ALIVE", 0.05)
    monkeypatch.setattr(google_files, "_PACE", 0.02)
    server = google_server(Answer("read"), network=(0.2, 0.2))
    events = ask(server, request("x", stored_file(tmp_path)))
    done = [step.done for step in only(Uploading, events)]
    assert len(done) > 4 and done == sorted(done)


def test_progress_is_said_a_few_times_a_second(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path, 30_000_000)
    began = time.monotonic()
    events = ask(server, request("x", part))
    steps = len(only(Uploading, events))
    assert 2 <= steps <= 3 + (time.monotonic() - began) / google_files._PACE


def test_a_file_in_the_history_is_named_again(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)
    history = Request(
        (
            *request("read", part).messages,
            Message("model", (Part(text="it says so"),)),
            *request("and now?").messages,
        )
    )
    asking(server, request("read", part), history)
    assert uploads(server) == 1
    assert "file_data" in sent(server)["contents"][0]["parts"][1]


def test_an_answer_of_files_get_that_fails_is_told(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("read"))
    part = stored_file(tmp_path)

    async def work() -> None:
        asked = backend(server)
        await said(asked, request("x", part))
        asked._files.doubt()
        server.set_script(payloads.OVERLOADED, op="upload")
        with pytest.raises(WireError) as caught:
            await said(asked, request("x", part))
        assert (caught.value.phase, caught.value.status) == ("connect", 503)
        await asked.aclose()

    asyncio.run(work())
    assert len(server.generate_calls) == 1


_PEAK = """
import asyncio, resource, sys
from pathlib import Path
from gemini_magic.backends.google import GoogleBackend
from gemini_magic.keys import Secret
from gemini_magic.types import File, Message, Part, Request

async def main(url, path, size, digest):
    asked = GoogleBackend(url, Secret("k" * 20))
    asked.warm_up()
    small = Request((Message("user", (Part(text="x"),)),))
    [event async for event in asked.stream(small, "gemini-2.5-flash")]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    part = Part(file=File(path, int(size), digest), mime_type="video/mp4")
    large = Request((Message("user", (part,)),))
    [event async for event in asked.stream(large, "gemini-2.5-flash")]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) * (1 if sys.platform == "darwin" else 1024))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module")
def test_a_hundred_megabytes_take_a_few(google_server, tmp_path: Path) -> None:
    server = google_server(Answer("seen"), key="k" * 20)
    size = 100_000_000
    part = stored_file(tmp_path, size, "film.mp4")
    assert part.file is not None
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, server.url, part.file.path, str(size), part.file.digest],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 50_000_000
    assert len(server.generate_calls) == 2 and Secret("k" * 20).reveal() not in done.stderr
