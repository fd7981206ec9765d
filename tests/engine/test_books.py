"""What is asked of the ledger before a request, and whose word is taken after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gemini_magic import config
from gemini_magic.engine.books import Books
from gemini_magic.events import Answered
from gemini_magic.quota import prices
from gemini_magic.quota.ledger import Grant
from gemini_magic.types import Message, Part, Reply, Request, Usage

MODEL = "gemini-2.5-flash"
REQUEST = Request((Message("user", (Part("word " * 100),)),))


@pytest.fixture
def books(configure) -> Iterator[Books]:  # type: ignore[no-untyped-def]
    configure(
        "\n".join(
            f'[backends.{name}]\nkind = "google"\nbase_url = "{url}"\n'
            for name, url in {
                "google": "https://generativelanguage.googleapis.com",
                "gateway": "https://gateway.example.com",
            }.items()
        )
    )
    loaded = config.load()
    made = Books(lambda: loaded)
    yield made
    made.close()


def admit(books: Books, backend: str) -> tuple[Grant, int]:
    """A request to a backend, and how many tokens are reserved for it."""
    question = books.question(backend, None, MODEL, REQUEST, force=True)
    grant = books.admit(question)
    assert isinstance(grant, Grant)
    return grant, question.amount.tokens


def test_what_one_service_counts_teaches_nothing_of_another(books: Books) -> None:
    _, before = admit(books, "google")
    for _ in range(20):
        question = books.question("gateway", None, MODEL, REQUEST, force=True)
        grant = books.admit(question)
        assert isinstance(grant, Grant)
        said = Reply("x", usage=Usage(before * 3, 50_000))
        books.settle(question, grant, "answered", said, None)
    assert admit(books, "gateway")[1] > before * 2
    assert admit(books, "google")[1] == before
    google, gateway = (
        books._output(books._config().backend(name), MODEL, REQUEST)
        for name in ("google", "gateway")
    )
    assert google < 50_000 <= gateway


@pytest.mark.parametrize(("backend", "moved"), [("google", True), ("gateway", False)])
def test_only_googles_own_clock_tells_the_time(books: Books, backend: str, moved: bool) -> None:
    grant, _ = admit(books, backend)
    before, now = books.ledger.store.now(), time.time()
    books.answered(grant, Answered(at=now, date=before + 3600.0))
    after = books.ledger.store.now()
    assert (after > before + 3500) is moved and (after < before + 60) is not moved


@pytest.mark.parametrize(
    ("backend", "model"), [("google", "gemini-3.8-flash"), ("gateway", "gemini-flash-latest")]
)
def test_only_google_itself_says_which_model_it_asked(
    books: Books, backend: str, model: str
) -> None:
    asked = "gemini-flash-latest"
    question = books.question(backend, None, asked, REQUEST, force=False)
    grant = books.admit(question)
    assert isinstance(grant, Grant)
    said = Reply("x", usage=Usage(5, 5), model_version="gemini-3.8-flash")
    books.settle(question, grant, "answered", said, None)
    assert [bucket.model for bucket in books.ledger.buckets()] == [model]


def test_a_price_that_nobody_knows_is_looked_for_once(
    configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('[backends.mine]\nkind = "openai"\nbase_url = "https://mine.example.com/v1"\n')
    loaded = config.load()
    books, service = Books(lambda: loaded), loaded.backend("mine")
    looked: list[bool] = []
    find = prices.find

    def counting(*given: Any, look_up: bool) -> prices.Price | None:
        looked.append(look_up)
        return find(*given, look_up=look_up)

    monkeypatch.setattr(prices, "find", counting)
    for look_up in (False, False, True, True, False, True):
        assert books.price(service, "nobodys-model", look_up=look_up) is None
    assert looked == [False, True]
