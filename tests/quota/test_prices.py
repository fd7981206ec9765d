"""Prices: whose they are, what is unknown, when they change, and what is kept of the library."""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.config_backends import Backend, make
from gemini_magic.errors import ConfigError
from gemini_magic.quota import prices
from gemini_magic.quota.prices import Price, Rates, Step
from gemini_magic.types import Usage

NOVEMBER = datetime(2026, 11, 20, tzinfo=UTC).timestamp()


def service(name: str = "mine", **row: object) -> Backend:
    made = make(name, row, "here", {}, allow_http=True)
    assert made is not None
    return made


STUDIO = service(kind="google")
COMPAT = service(preset="gemini-compat")
VERTEX = service(kind="google", vertex={"project": "p"})
ROUTER = service(preset="openrouter")
CLOUD = service(
    kind="openai",
    base_url="https://europe-west4-aiplatform.googleapis.com/v1/projects/p/endpoints/openapi",
)


def found(where: Backend, model: str, at: float = NOVEMBER) -> Price | None:
    return prices.find(where, model, {}, at)


def amounts(price: Price | None) -> tuple[str, ...] | None:
    return price and tuple(str(one) for one in (price.input, price.output, price.cached))


# --- whose price ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [STUDIO, COMPAT, VERTEX])
def test_googles_price_is_googles_own(where: Backend) -> None:
    price = found(where, "models/gemini-2.5-flash")
    assert price is not None and amounts(price) == ("0.3", "2.5", "0.03")
    assert price.source.startswith("genai-prices 0.") and not price.steps


def test_google_cloud_and_openrouter_put_a_publisher_before_the_name() -> None:
    assert amounts(found(CLOUD, "google/gemini-2.5-flash")) == ("0.3", "2.5", "0.03")
    assert amounts(found(ROUTER, "google/gemini-2.5-flash")) == ("0.3", "2.5", "0.03")
    assert found(ROUTER, "gemini-2.5-flash") is None  # it has no such model


def test_other_services_are_known_by_their_address() -> None:
    openai = service(preset="openai")
    groq = service(kind="openai", base_url="https://api.groq.com/openai/v1")
    assert found(groq, "openai/gpt-oss-120b") is not None
    assert found(openai, "gpt-4o") is not None and found(openai, "gemini-2.5-flash") is None


@pytest.mark.parametrize(
    "where",
    [
        service(preset="apiyi"),
        service(preset="litellm"),
        service(kind="openai", base_url="https://proxy.example/v1"),
        service(kind="google", base_url="https://proxy.example"),
        service(kind="openai", base_url="http://127.0.0.1:9999/v1"),
        service(preset="ollama", base_url="https://elsewhere.example/v1"),
        service(kind="openai", base_url="https://generativelanguage.googleapis.com.evil.example"),
        service(kind="openai", base_url="https://aiplatform.googleapis.com.evil.example/v1"),
    ],
)
def test_a_proxys_price_is_unknown_not_nothing(where: Backend) -> None:
    assert found(where, "gemini-2.5-flash") is None
    assert not prices.tier_is_free(where)


@pytest.mark.parametrize(
    "model",
    ["gemini-3.8-flash-lite", "gemini-4-carbon", "gemini-3.8-flash-turbo", "gemini-9-pro", "", "-"],
)
def test_a_model_that_the_library_only_guesses_is_unknown(model: str) -> None:
    assert found(STUDIO, model) is None


@pytest.mark.parametrize(
    ("model", "same"),
    [
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("gemini-flash-latest", "gemini-3.8-flash"),
        ("gemini-3.5-flash-001", "gemini-3.5-flash"),
        ("Gemini-2.5-Flash", "gemini-2.5-flash"),
    ],
)
def test_other_spellings_of_a_model_are_known(model: str, same: str) -> None:
    known = found(STUDIO, same)
    assert known is not None and found(STUDIO, model) == known


@pytest.mark.parametrize(
    ("where", "model"),
    [
        (STUDIO, "gemma-4-31b-it"),
        (ROUTER, "someone/something:free"),
        (service(preset="ollama"), "llama3:8b"),
        (service("local", kind="local"), "qwen2.5-coder-0.5b"),
    ],
)
def test_what_is_free_says_so(where: Backend, model: str) -> None:
    price = found(where, model)
    assert price is not None and price.source and prices.cost(price, Usage(9999, 9999)) == 0


def test_what_is_free_in_ai_studio_is_not_in_google_cloud() -> None:
    assert found(VERTEX, "gemma-4-31b-it") is None


def test_a_free_tier_is_googles_and_not_google_clouds() -> None:
    assert prices.tier_is_free(STUDIO) and prices.tier_is_free(COMPAT)
    assert prices.tier_is_free(service(kind="google", tier="free"))
    assert prices.tier_is_free(service(kind="google", base_url="http://127.0.0.1:8080"))
    assert not prices.tier_is_free(service(kind="google", tier="tier1"))
    others = (VERTEX, CLOUD, ROUTER, service("local", kind="local"))
    assert not any(map(prices.tier_is_free, others))


def test_an_answer_of_a_picture_model_is_paid_as_a_picture() -> None:
    assert amounts(found(STUDIO, "gemini-3-pro-image"))[:2] == ("2", "120")  # type: ignore[index]


# --- the user's own ------------------------------------------------------------------------------


def test_the_users_price_wins_under_either_name() -> None:
    proxy = service("apiyi", preset="apiyi", models={"gemini-2.5-flash": "google/gemini-2.5-flash"})
    row = {"input": "0.10 USD", "output": "1USD", "cached": "0.01 USD"}
    own = {"apiyi": {"gemini-2.5-flash": row}}
    for name in ("gemini-2.5-flash", "google/gemini-2.5-flash"):
        price = prices.find(proxy, name, own, NOVEMBER)
        assert amounts(price) == ("0.10", "1", "0.01")
        assert price is not None and price.source == "your configuration"
    assert prices.find(proxy, "gemini-3.8-flash", own, NOVEMBER) is None
    assert prices.find(STUDIO, "gemini-2.5-flash", own, NOVEMBER) == found(
        STUDIO, "gemini-2.5-flash"
    )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"input": "0.10 EUR", "output": "1 USD"}, "only US dollars"),
        ({"input": "0.10 USD", "output": "1 USD", "cached": "1 CNY"}, "only US dollars"),
        ({"input": "0.10 USD"}, "output is missing"),
    ],
)
def test_a_price_that_cannot_be_counted_is_an_error(row: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prices.find(STUDIO, "x", {"mine": {"x": row}}, NOVEMBER)
    assert says in caught.value.what and 'prices.mine."x"' in caught.value.what
    assert "USD" in caught.value.next_step


# --- days and hours ------------------------------------------------------------------------------


def test_a_price_changes_on_its_day() -> None:
    new_year = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert amounts(found(STUDIO, "gemini-3.8-flash", new_year - 1)) == ("0.75", "3.75", "0.075")
    after = found(STUDIO, "gemini-3.8-flash", new_year)
    assert amounts(after) == ("1.5", "7.5", "0.15")
    assert after is not None and after.as_of == "2027-01-01"


@pytest.mark.parametrize(
    ("where", "model"),
    [
        (STUDIO, "gemini-3.8-flash"),
        (STUDIO, "gemini-3.1-pro-preview"),
        (STUDIO, "gemini-2.5-pro"),
        (ROUTER, "google/gemini-2.5-pro"),
        (service(kind="openai", base_url="https://api.deepseek.com/v1"), "deepseek-v4-flash"),
    ],
)
@given(
    hours=st.integers(0, 24 * 800),
    tokens=st.one_of(st.integers(0, 10**6), st.sampled_from([200_000, 200_001])),
    output=st.integers(0, 10**5),
    share=st.floats(0, 1),
)
def test_we_reckon_as_the_library_does(
    where: Backend, model: str, hours: int, tokens: int, output: int, share: float
) -> None:
    import genai_prices

    at = datetime(2025, 6, 1, 0, 30, tzinfo=UTC).timestamp() + hours * 3600
    cached = int(tokens * share)
    price = found(where, model, at)
    assert price is not None
    if price.cached is None:
        cached = 0
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=tokens, output_tokens=output, cache_read_tokens=cached or None
        ),
        model,
        provider_api_url=where.base_url,
        genai_request_timestamp=datetime.fromtimestamp(at, UTC),
    )
    thoughts = output // 3
    ours = prices.cost(price, Usage(tokens, output - thoughts, thoughts, cached))
    assert ours == math.ceil(theirs.total_price * 1_000_000)


# --- reckoning -----------------------------------------------------------------------------------

PRICE = Price(
    *map(Decimal, ("1.25", "10", "0.125")),
    source="",
    as_of="",
    steps=(Step(200_000, Rates(*map(Decimal, ("2.5", "15", "0.25")))),),
)
TOKENS = st.integers(0, 10**6)


def test_a_longer_input_costs_more_for_every_token() -> None:
    assert prices.cost(PRICE, Usage(200_000, 100)) == 250_000 + 1_000
    assert prices.cost(PRICE, Usage(200_001, 100)) == 500_003 + 1_500
    assert PRICE.rates(200_001).cached == Decimal("0.25")


def test_thinking_is_output_and_cached_input_is_cheaper() -> None:
    assert prices.cost(PRICE, Usage(0, 10, 90)) == 1_000
    assert prices.cost(PRICE, Usage(1_000, 0, 0, 800)) == 250 + 100
    assert prices.cost(PRICE, Usage(1_000, 0, 0, 5_000)) == 125  # never more than all of it
    assert prices.cost(PRICE, Usage()) == 0
    assert prices.cost(PRICE, Usage(1)) == 2  # rounded up
    dear = Price(Decimal(3), Decimal(0), None, "", "")
    assert prices.cost(dear, Usage(100, cached_tokens=50)) == 300


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_no_answer_costs_more_than_was_planned(
    tokens: int, output: int, thoughts: int, cached: int
) -> None:
    cost = prices.cost(PRICE, Usage(tokens, output, thoughts, cached))
    assert isinstance(cost, int) and 0 <= cost <= prices.planned(PRICE, tokens, output + thoughts)


# --- what is kept --------------------------------------------------------------------------------

PROBE = """
import sys
from gemini_magic.config_backends import make
from gemini_magic.quota import prices
studio = make("studio", {"kind": "google"}, "", {})
proxy = make("p", {"kind": "openai", "base_url": "https://proxy.example/v1"}, "", {})
for model in ("gemini-3.8-flash", "nothing"):
    print(prices.find(studio, model, {}, float(sys.argv[1])))
print(prices.find(proxy, "gemini-3.8-flash", {}, 0.0))
print("genai_prices" in sys.modules)
"""


def kernel(at: float = NOVEMBER) -> list[str]:
    """What a new process finds, and whether it had to import the library."""
    command = [sys.executable, "-c", PROBE, str(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return done.stdout.splitlines()


@pytest.fixture
def book(home: Path) -> Path:
    return home / "cache" / "prices.json"


def test_the_next_kernel_does_not_import_the_library(book: Path) -> None:
    first, second = kernel(), kernel()
    assert first[:3] == second[:3] and "0.75" in first[0] and first[1:3] == ["None", "None"]
    assert (first[3], second[3]) == ("True", "False")
    if os.name == "posix":
        assert stat.S_IMODE(book.stat().st_mode) == 0o600
    later = kernel(datetime(2027, 2, 1, tzinfo=UTC).timestamp())
    assert "7.5" in later[0] and later[3] == "False"  # dates are kept, not only today's price


def test_without_looking_up_only_what_is_kept_is_known(home: Path) -> None:
    openai = service(preset="openai")
    for where, model in ((STUDIO, "gemini-2.5-flash"), (openai, "gpt-4o")):
        assert prices.find(where, model, {}, NOVEMBER, look_up=False) is None
        known = found(where, model)
        assert known is not None
        assert prices.find(where, model, {}, NOVEMBER, look_up=False) == known


def test_another_version_is_asked_again(book: Path) -> None:
    kernel()
    kept = json.loads(book.read_text())
    for key, rows in kept["said"].items():
        if key.endswith("gemini-3.8-flash"):
            rows[0]["rates"][0][1] = "99"
    book.write_text(json.dumps(kept))
    assert "99" in kernel()[0]
    book.write_text(json.dumps({**kept, "version": "0.0.1"}))
    again = kernel()
    assert "99" not in again[0] and again[3] == "True"
    assert kernel()[3] == "False"


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: "{",
        lambda kept: "[]",
        lambda kept: json.dumps({**kept, "said": 3}),
        lambda kept: json.dumps({**kept, "said": {k: [{}] for k in kept["said"]}}),
        lambda kept: json.dumps({**kept, "said": dict.fromkeys(kept["said"], 3)}),
        lambda kept: json.dumps(
            {
                **kept,
                "said": {
                    k: [{"since": "", "hours": None, "rates": [[0, "x", "1", None]]}]
                    for k in kept["said"]
                },
            }
        ),
    ],
)
def test_a_damaged_file_costs_a_moment_and_nothing_else(book: Path, damage) -> None:  # type: ignore[no-untyped-def]
    sound = kernel()
    book.write_text(damage(json.loads(book.read_text())))
    assert kernel()[:3] == sound[:3]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_without_a_place_to_keep_it_the_price_is_still_found(book: Path) -> None:
    book.parent.write_text("a file where the folder should be")
    assert "0.75" in kernel()[0]
