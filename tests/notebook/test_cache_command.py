"""``%gemini cache``: what it shows, empties and refuses."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic.engine.cache import Cache
from gemini_magic.errors import ConfigError, UsageError
from gemini_magic.notebook import cache_command
from gemini_magic.types import Reply, digest

SHELL = SimpleNamespace()  # a terminal: no kernel


def run(cache: Cache | None, *words: str, shell: Any = SHELL) -> None:
    cache_command.run(shell, cache, list(words), "ask")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "data" / "cache.db", size=1_500_000_000, days=30)


def fill(cache: Cache, count: int) -> None:
    for n in range(count):
        cache.keep(digest(str(n)), Reply.saying("x" * 1000))


def test_the_table_says_what_is_kept(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    fill(cache, 1200)
    run(cache)
    head, _, row, hint = capsys.readouterr().out.splitlines()
    assert re.split(r"  +", head) == ["replies", "size", "at most", "oldest", "kept for", "where"]
    replies, size, most, oldest, days, where = re.split(r"  +", row)
    assert (replies, most, days) == ("1,200", "1.5 GB", "30 days")
    assert re.fullmatch(r"[12]\.\d MB", size)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", oldest) and where == str(cache.path)
    assert hint == "To empty it: %ask cache clear"


def test_an_empty_cache_is_no_trouble(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    run(cache)
    assert "0 bytes" in capsys.readouterr().out
    run(cache, "size")
    assert capsys.readouterr().out == "0 bytes of 1.5 GB, 0 replies\n"
    run(cache, "clear")
    assert capsys.readouterr().out.startswith("0 replies forgotten")
    assert not cache.path.exists()


def test_clear_says_how_many(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    for count, said in ((1, "1 reply forgotten"), (7, "7 replies forgotten")):
        fill(cache, count)
        run(cache, "clear")
        assert capsys.readouterr().out.startswith(said)
        assert cache.usage().replies == 0


def test_a_notebook_gets_html(cache: Cache) -> None:
    published: list[dict[str, str]] = []
    pub = SimpleNamespace(publish=lambda data, metadata: published.append(data))
    run(cache, shell=SimpleNamespace(kernel=object(), display_pub=pub))
    assert published[0]["text/html"].startswith("<table>") and "text/plain" in published[0]


def test_without_a_cache_it_says_how_to_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("size",), ("clear",)):
        run(None, *words)
        assert 'cache = { size = "1 GB", days = 30 }' in capsys.readouterr().out


@pytest.mark.parametrize("words", [("clean",), ("clear", "all"), ("size", "2 GB"), ("--clear",)])
def test_misuse_is_one_line_and_a_next_step(cache: Cache, words: tuple[str, ...]) -> None:
    fill(cache, 1)
    for one in (cache, None):
        with pytest.raises(UsageError) as error:
            run(one, *words)
        assert error.value.lines() == [
            "UsageError: usage: %ask cache [clear|size]",
            "  → To send it as a prompt, write: %ask -- cache ...",
        ]
    assert cache.usage().replies == 1


@pytest.mark.parametrize("words", [(), ("size",), ("clear",)])
def test_trouble_is_reported(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "cache.db").mkdir()
    with pytest.raises(ConfigError) as error:
        run(Cache(tmp_path / "cache.db", size=10**9, days=30), *words)
    assert "cannot be used" in error.value.what and error.value.next_step
