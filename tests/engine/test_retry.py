"""Whether a request that failed is asked again by itself, and after how long."""

from __future__ import annotations

import pytest

from gemini_magic.engine.attempt import Outcome
from gemini_magic.engine.retry import pause_before_retry
from gemini_magic.errors import QuotaExceeded, WireError
from gemini_magic.types import CUT

REFUSED = WireError("headers", 429)


def full(window: str, wait: float | None, *, counted: bool) -> Outcome:
    error = QuotaExceeded("full.", "Wait.", status=429, window=window, retry_after=wait)
    return Outcome(error, CUT, REFUSED, counted=counted)


@pytest.mark.parametrize("window", ["rpm", "tpm", "ipm"])
@pytest.mark.parametrize(("wait", "pause"), [(7.0, 7.0), (90.0, 90.0), (None, 60.0), (0.0, 60.0)])
def test_with_the_ledger_away_a_full_minute_is_waited_for_before_it_is_asked_again(
    window: str, wait: float | None, pause: float
) -> None:
    assert pause_before_retry(full(window, wait, counted=False), 90.0) == pause


@pytest.mark.parametrize("wait", [7.0, 90.0, None])
def test_the_ledger_lets_in_when_it_is_time(wait: float | None) -> None:
    assert pause_before_retry(full("rpm", wait, counted=True), 90.0) == 0.0


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    ("wait", "patience"), [(91.0, 90.0), (None, 59.0), (7.0, 5.0), (1e12, 90.0)]
)
def test_nobody_waits_longer_than_max_wait(
    wait: float | None, patience: float, counted: bool
) -> None:
    assert pause_before_retry(full("rpm", wait, counted=counted), patience) is None


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("window", ["rpd", "tpd", "limit0", "budget", ""])
def test_no_other_refusal_is_asked_again(window: str, counted: bool) -> None:
    assert pause_before_retry(full(window, 1.0, counted=counted), 90.0) is None
