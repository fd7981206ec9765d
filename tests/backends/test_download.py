"""Downloads: taken up where they broke off, verified, and quiet about credentials."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemini_magic.backends import download, indexes
from gemini_magic.errors import GeminiMagicError, Interrupted
from tests.backends.index_server import IndexServer, Site

CONTENT = random.Random(1).randbytes(300_000)
NAME = "tiny_part1-1.0-py3-none-any.whl"


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with IndexServer(Site(b"GGUF" + CONTENT)) as server:
        yield server
        server.shutdown()


def fetch(server: IndexServer, target: Path, **options: object) -> list[int]:
    seen: list[int] = []
    settings = {
        "sha256": hashlib.sha256(server.site.wheels[NAME]).hexdigest(),
        "limit": 10_000_000,
        "progress": seen.append,
        "cancelled": lambda: False,
    } | options
    download.fetch(f"{server.url}/files/{NAME}", target, **settings)  # type: ignore[arg-type]
    return seen


def test_a_file_arrives_whole(server: IndexServer, tmp_path: Path) -> None:
    target = tmp_path / "x.part"
    seen = fetch(server, target)
    assert target.read_bytes() == server.site.wheels[NAME]
    assert seen == sorted(seen)
    assert seen[-1] == target.stat().st_size


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_where_it_broke_off(server: IndexServer, tmp_path: Path, ranges: bool) -> None:
    server.drops = [5000, 20_000] if ranges else [5000]
    server.ranges = ranges
    fetch(server, tmp_path / "x.part")
    asked = [request.get("range") for request in server.fetched()]
    assert asked == ([None, "bytes=5000-", "bytes=25000-"] if ranges else [None, "bytes=5000-"])


def test_an_earlier_runs_part_is_used(server: IndexServer, tmp_path: Path) -> None:
    target = tmp_path / "x.part"
    target.write_bytes(server.site.wheels[NAME][:777])
    fetch(server, target)
    assert [request.get("range") for request in server.fetched()] == ["bytes=777-"]


def test_a_whole_earlier_part_is_only_verified(server: IndexServer, tmp_path: Path) -> None:
    target = tmp_path / "x.part"
    target.write_bytes(server.site.wheels[NAME])
    fetch(server, target)
    assert target.read_bytes() == server.site.wheels[NAME]


def test_a_bad_earlier_part_is_replaced(server: IndexServer, tmp_path: Path) -> None:
    target = tmp_path / "x.part"
    target.write_bytes(b"z" * 777)
    fetch(server, target)
    assert target.read_bytes() == server.site.wheels[NAME]
    assert [request.get("range") for request in server.fetched()] == ["bytes=777-", None]


def test_wrong_bytes_are_refused_and_deleted(server: IndexServer, tmp_path: Path) -> None:
    server.wrong.add(NAME)
    with pytest.raises(download.Unfetched, match="wrong SHA-256"):
        fetch(server, tmp_path / "x.part")
    assert not (tmp_path / "x.part").exists()


def test_an_endless_file_is_refused(server: IndexServer, tmp_path: Path) -> None:
    with pytest.raises(download.Unfetched, match="too large"):
        fetch(server, tmp_path / "x.part", limit=10_000)


def test_a_server_that_keeps_breaking_off_is_given_up(server: IndexServer, tmp_path: Path) -> None:
    server.drops = [0] * 20
    with pytest.raises(download.Unfetched):
        fetch(server, tmp_path / "x.part")
    assert len(server.fetched()) == download.PATIENCE


def test_a_passing_failure_is_waited_out(server: IndexServer, tmp_path: Path) -> None:
    server.refuse = [503]
    fetch(server, tmp_path / "x.part")
    assert len(server.fetched()) == 2


def test_a_stop_keeps_what_came(server: IndexServer, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        fetch(server, tmp_path / "x.part", cancelled=lambda: (tmp_path / "x.part").exists())
    assert (tmp_path / "x.part").stat().st_size > 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_is_an_error_for_people(server: IndexServer, tmp_path: Path) -> None:
    import resource
    import signal

    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        with pytest.raises(GeminiMagicError, match="full") as caught:
            fetch(server, tmp_path / "x.part")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert "goes on" in caught.value.next_step
    assert (tmp_path / "x.part").exists()


# --- indexes ------------------------------------------------------------------------------------


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings of pip's and uv's but those that a test makes below this folder."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(indexes, "_user_folders", lambda: [tmp_path / "user"])
    monkeypatch.setattr(indexes, "_machine_folders", lambda: [tmp_path / "machine"])
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_settings_it_is_pypi(settings: Path) -> None:
    assert indexes.indexes() == [indexes.PYPI]


def test_pips_files_in_their_order(settings: Path) -> None:
    put(settings / "machine/pip/pip.conf", "[global]\nindex-url = https://machine/simple\n")
    put(
        settings / "user/pip/pip.conf",
        "[global]\nindex_url = https://user/simple\n"
        "extra-index-url = https://one/simple\n  file:///two/simple\n",
    )
    assert indexes.indexes() == ["https://user/simple", "https://one/simple"]
    put(settings / "venv/pip.conf", "[install]\nindex-url = https://venv/simple\n")
    assert indexes.indexes()[0] == "https://venv/simple"


def test_uvs_file(settings: Path) -> None:
    put(
        settings / "user/uv/uv.toml",
        '[[index]]\nname = "a"\nurl = "https://extra/simple"\n'
        '[[index]]\nurl = "https://main/simple"\ndefault = true\n',
    )
    assert indexes.indexes() == ["https://main/simple", "https://extra/simple"]


def test_the_environment_wins(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings / "user/pip/pip.conf", "[global]\nindex-url = https://user/simple\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "corp=https://uv/simple")
    monkeypatch.setenv("UV_INDEX", "x=https://x/simple https://y/simple")
    assert indexes.indexes() == ["https://uv/simple", "https://x/simple", "https://y/simple"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip/simple")
    assert indexes.indexes()[0] == "https://pip/simple"


def test_a_damaged_file_is_passed_over(settings: Path) -> None:
    put(settings / "user/pip/pip.conf", "no section\n")
    put(settings / "user/uv/uv.toml", "= =")
    assert indexes.indexes() == [indexes.PYPI]


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("tell_hashes", [False, True])
def test_both_kinds_of_index(
    server: IndexServer,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    html: bool,
    tell_hashes: bool,
) -> None:
    server.html, server.tell_hashes = html, tell_hashes
    (found,) = indexes.listed(f"{server.url}/simple", "Tiny.Part1")
    digest = hashlib.sha256(server.site.wheels[NAME]).hexdigest() if tell_hashes else ""
    assert found == indexes.IndexFile(
        NAME,
        f"{server.url}/files/{NAME}" + (f"#sha256={digest}" if html and tell_hashes else ""),
        digest,
    )


def wheel(server: IndexServer, target: Path) -> None:
    indexes.fetch_wheel(
        "tiny-part1",
        "1.0",
        target,
        sha256=server.site.row.mirror.sha256[0],  # type: ignore[union-attr]
        limit=10_000_000,
        progress=lambda _: None,
        cancelled=lambda: False,
    )


def test_credentials_reach_their_host_and_no_message(
    server: IndexServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.password = "me:s3cr:t/"
    address = server.url.replace("//", "//me:s3cr%3At%2F@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
    wheel(server, tmp_path / "w")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address.replace('s3cr', 'wr0ng')}/simple")
    with pytest.raises(download.Unfetched) as caught:
        wheel(server, tmp_path / "w2")
    assert "401" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


def test_credentials_do_not_follow_to_another_host(server: IndexServer) -> None:
    of = indexes.authorization_of
    assert of("https://u:p@a/simple", "https://a/f.whl")
    assert not of("https://u:p@a/simple", "https://b/f.whl")
    assert not of("https://u:p@a/simple", "http://a/f.whl")


def test_the_next_index_is_asked(
    server: IndexServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with IndexServer(Site(CONTENT[:999])) as other:
        monkeypatch.setenv("PIP_INDEX_URL", f"{other.url}/simple")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.url}/simple")
        wheel(server, tmp_path / "w")
        other.shutdown()
    assert (tmp_path / "w").read_bytes() == server.site.wheels[NAME]
