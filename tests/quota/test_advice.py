"""Advice: its numbers come from the use and the tables, and what is not known stays unknown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gemini_magic.config import Config, load
from gemini_magic.quota import advice, habits
from gemini_magic.quota.advice import Advice, LocalModel, advise
from gemini_magic.quota.usage import DayUse

#: A Pacific noon.
NOW = datetime(2026, 11, 20, 20, tzinfo=UTC).timestamp()
TODAY = date(2026, 11, 20)
GIB = 1 << 30
WEIGHTS = (LocalModel("small", 500_000_000, False), LocalModel("large", 4 * GIB, False))

FLASH, LITE, PRO = "gemini-2.5-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview"


def use(
    ago: int, model: str = FLASH, requests: int = 10, backend: str = "studio", tier: str = "",
    tokens: int = 1000, output: int = 200, project: str = "key:1",
) -> DayUse:  # fmt: skip
    """A day's use; tokens are those of one request."""
    day = (TODAY - timedelta(days=ago)).isoformat()
    return DayUse(
        day, backend, project, model, tier, requests, requests * tokens, requests * output
    )


def told(
    *days: DayUse,
    config: Config | None = None,
    memory: int = 8 * GIB,
    weights: tuple[LocalModel, ...] = WEIGHTS,
) -> Advice:
    return advise(days, config or load(), now=NOW, memory=memory, weights=weights)


def text(lines: tuple[str, ...]) -> str:
    return "\n".join(lines)


# --- the numbers ---------------------------------------------------------------------------------


def test_a_calm_user_is_told_so() -> None:
    said = told(*(use(n, LITE, requests) for n, requests in enumerate((30, 34, 90))))
    assert (
        said.verdict == f"You ask 34 requests on a usual day; the free tier of {LITE} allows 500."
    )
    assert not said.reached and "none of the daily limits" in text(said.notes)
    free = said.ways[0]
    assert f"{LITE}: 500 requests a day (as of Oct 2026, medium confidence)" in text(free.limits)
    assert "34 usually, 90 at most" in text(free.limits)
    assert free.commands[0] == f"use studio:{LITE}"


def test_days_on_which_a_limit_was_reached_count() -> None:
    said = told(use(0, requests=5), use(1, requests=20), use(2, requests=25), use(3, requests=19))
    (full,) = said.reached
    assert (full.model, full.limit.window, full.limit.size, full.days) == (FLASH, "rpd", 20, 2)
    assert f"{FLASH} reached its 20 requests a day on 2 of 4 days" in said.verdict
    assert f"free tier of {LITE} allows 500" in said.verdict and "(25 to Google)" in said.verdict
    assert said.ways[0].commands[0] == f"use studio:{LITE}"
    assert "500 → 250 → 20 a day since Dec 2025" in text(said.ways[0].stability)


def test_two_backends_of_one_project_share_a_limit() -> None:
    same = [
        use(n, requests=10, backend=name) for n in range(3) for name in ("studio", "gemini-compat")
    ]
    assert told(*same).reached[0].days == 3
    apart = [use(n, requests=10, project=f"p{m}") for n in range(3) for m in range(2)]
    assert not told(*apart).reached


def test_the_users_own_limit_goes_first(configure: Callable[[str], Path]) -> None:
    configure(
        f'[backends.studio]\nkind = "google"\nproject = "p"\n[limits.p."{FLASH}"]\nrpd = 100\n'
    )
    said = told(*(use(n, requests=30, project="p") for n in range(3)))
    assert not said.reached and said.verdict.endswith("allows 100.")
    assert "100 requests a day (yours)" in text(said.ways[0].limits)


def test_a_month_is_reckoned_from_all_days_since_the_first() -> None:
    days = [use(n, tokens=1_000_000, output=0, requests=1) for n in (0, 4, 9)]
    # 3 million tokens at 0.30 dollars in 10 days.
    said = told(*days)
    assert "$2.70 a month at list for your own use (3 recorded days of the last 10)" in text(
        said.ways[2].cost
    )
    assert "$0 for what it allows (list $2.70 a month)" in text(said.ways[0].cost)


def test_a_price_that_rises_with_the_prompt_is_taken_by_one_prompt() -> None:
    config = load()
    short = habits.study([use(0, PRO, 10, tokens=150_000, output=0)], config, NOW)
    long = habits.study([use(0, PRO, 10, tokens=250_000, output=0)], config, NOW)
    studio = config.backends["studio"]
    assert habits.cost_at(studio, short, config, NOW).amount == 10 * 150_000 * 2
    assert habits.cost_at(studio, long, config, NOW).amount == 10 * 250_000 * 4


def test_other_services_names_are_googles() -> None:
    days = [use(n, "google/gemini-2.5-flash", backend="openrouter") for n in range(3)]
    found = habits.study(days, load(), NOW)
    assert [one.model for one in found.models] == [FLASH] and not found.others
    assert not told(
        *(use(n, "google/gemini-2.5-flash", 50, "openrouter") for n in range(3))
    ).reached


def test_what_is_not_googles_is_left_out_and_said() -> None:
    days = [use(n, "qwen2.5-coder-0.5b", 7, "local") for n in range(3)]
    said = told(*days)
    assert said.verdict == "You ask 7 requests on a usual day, none of them of Google's models."
    assert "Not in the costs: 21 requests" in text(said.notes)


# --- what is not known ---------------------------------------------------------------------------


def test_an_unknown_price_is_never_nothing() -> None:
    said = told(*(use(n) for n in range(3)))
    (apiyi,) = (line for line in said.ways[1].cost if line.startswith("apiyi"))
    assert "?" in apiyi and "$" not in apiyi and "[prices.apiyi." in apiyi


def test_a_price_known_in_part_says_so() -> None:
    said = told(*(use(n, model) for n in range(3) for model in (FLASH, "gemini-9-future")))
    paid = text(said.ways[2].cost)
    assert paid.startswith("at least $") and "without gemini-9-future: ?" in paid


def test_tokens_that_nobody_counted_have_no_price() -> None:
    said = told(*(use(n, tokens=0, output=0) for n in range(3)))
    assert text(said.ways[2].cost).startswith("?") and "(list ?)" in text(said.ways[0].cost)


def test_without_use_only_what_is_known_is_shown() -> None:
    said = told()
    assert said.verdict.startswith("Nothing was recorded yet") and not said.notes
    assert "$0.30 in, $2.50 out a million tokens" in text(said.ways[2].cost)
    assert "a month at list" not in text(said.ways[2].cost)
    assert f"{LITE}: 500 requests a day" in text(said.ways[0].limits)


def test_two_days_make_no_month() -> None:
    said = told(use(0), use(1))
    assert said.verdict.startswith("Only 2 days recorded, so a first look: you ask")
    assert "at list for 2 days recorded" in text(said.ways[2].cost)
    assert "reckoned from 3 recorded days" in text(said.notes)


def test_a_model_outside_the_free_tier_has_another_beside_it() -> None:
    said = told(*(use(n, PRO) for n in range(3)))
    assert f"{PRO} is not in the free tier; {LITE} is, with 500 a day" in said.verdict
    assert not said.reached  # a limit of 0 that answered says nothing


def test_an_unknown_limit_is_no_number() -> None:
    said = told(*(use(n, "gemini-4-argon") for n in range(3)))
    assert "is not known here" in said.verdict
    assert "gemini-4-argon: ? requests a day" in text(said.ways[0].limits)
    assert "gemini-4-argon: ?" in text(said.ways[2].limits)


def test_nothing_free_has_room_for_everybody() -> None:
    said = told(*(use(n, LITE, 20_000) for n in range(3)))
    assert "no free model known here has room" in said.verdict
    assert not any(one.startswith("use studio") for one in said.ways[0].commands)


# --- this machine --------------------------------------------------------------------------------


def test_what_fits_is_offered() -> None:
    free = told().ways[0]
    assert "fit small" in text(free.limits) and "large" not in text(free.limits)
    assert free.commands[1:] == ("local install small", "use local:small")
    more = told(memory=64 * GIB).ways[0]
    assert more.commands[1:] == ("local install large", "use local:large")


def test_what_is_here_goes_before_what_is_larger() -> None:
    here = (WEIGHTS[0]._replace(installed=True), WEIGHTS[1])
    free = told(memory=64 * GIB, weights=here).ways[0]
    assert free.commands[1:] == ("use local:small",)


@pytest.mark.parametrize(("memory", "said"), [(0, "what fits is ?"), (GIB, "none of the known")])
def test_a_small_or_unknown_machine_is_offered_nothing(memory: int, said: str) -> None:
    free = told(memory=memory).ways[0]
    assert said in text(free.limits)
    assert not any("local" in command for command in free.commands)


# --- lines to paste ------------------------------------------------------------------------------


def test_what_is_to_be_pasted_is_a_configuration(configure: Callable[[str], Path]) -> None:
    said = told(*(use(n) for n in range(3)))
    path = configure("\n".join(way.config + "\n" for way in said.ways))
    assert Path(said.file).expanduser() == path
    config = load()
    assert config.backends["studio"].tier == "tier1"
    assert [step.backend for step in config.steps("default")] == ["studio", "openrouter"]
    again = told(*(use(n) for n in range(3)), config=config)
    assert not any(way.config for way in again.ways)
    assert again.ways[1].commands == ("use default",)


def test_a_route_that_is_there_is_not_written_twice(configure: Callable[[str], Path]) -> None:
    before = '[routes.default]\ntargets = ["studio", "local"]\n'
    configure(before)
    said = told()
    configure(before + said.ways[1].config)
    assert [step.backend for step in load().steps("with-openrouter")] == ["studio", "openrouter"]
    assert said.ways[1].commands[-1] == "use with-openrouter"


def test_a_configured_service_goes_first(configure: Callable[[str], Path]) -> None:
    configure('[backends."my proxy"]\nkind = "openai"\nbase_url = "https://p.example/v1"\n')
    way = told().ways[1]
    assert way.title.endswith("my proxy") and "[backends" not in way.config
    assert way.config.startswith("[routes.default]") and '"my proxy"' in way.config


def test_a_proxy_that_speaks_googles_protocol_is_another_service(
    configure: Callable[[str], Path],
) -> None:
    configure('[backends.mine]\nkind = "google"\nbase_url = "https://p.example"\n')
    way = told(*(use(n) for n in range(3))).ways[1]
    assert way.title.endswith("mine") and way.cost[0].startswith("mine: ?")


# --- the paid tiers ------------------------------------------------------------------------------


def test_the_tier_is_the_lowest_with_room_for_the_money() -> None:
    def title(tokens: int) -> str:
        return told(*(use(n, tokens=tokens, requests=1) for n in range(3))).ways[2].title

    assert title(1_000_000).endswith("tier 1")
    assert title(100_000_000).endswith("tier 2")  # 900 dollars a month


def test_who_pays_already_is_told_where_they_are(configure: Callable[[str], Path]) -> None:
    configure('[backends.studio]\nkind = "google"\ntier = "tier2"\n')
    said = told(*(use(n, LITE, 1000) for n in range(3)))
    paid = said.ways[2]
    assert "tier 2 of" in said.verdict and "350,000" in said.verdict
    assert paid.effort == ("none: you are in tier 2",) and not paid.config
    full = told(*(use(n, LITE, 350_000, tokens=1, output=1) for n in range(3)))
    assert full.ways[2].title.endswith("tier 3")
    assert full.ways[2].config.startswith("# change or add in [backends.studio]")


def test_upgrading_has_steps_and_an_address() -> None:
    paid = told().ways[2]
    assert paid.pages[0].startswith("https://aistudio.google.com/")
    assert [line[:2] for line in paid.effort] == ["1.", "2.", "3."]


def test_every_fact_has_a_day_and_a_source() -> None:
    facts = advice._facts()
    for row in (facts["free"], facts["paid"], *facts["tiers"]):
        assert isinstance(row["as_of"], date) and row["source"].startswith("https://")
