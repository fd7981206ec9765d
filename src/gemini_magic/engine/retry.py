"""Whether a request that failed may be sent again by itself, and after how long."""

from __future__ import annotations

import random

from gemini_magic.engine.attempt import Outcome
from gemini_magic.errors import Overloaded, QuotaExceeded, Unreachable

#: Seconds before a service without capacity is asked again, at least and at most.
_PAUSE = (1.0, 3.0)
#: What can pass within seconds: an internal error, no capacity. A 504 took its time already.
_PASSING = (500, 502, 503, 529)


def pause_before_retry(outcome: Outcome, patience: float) -> float | None:
    """Seconds to wait before the same target is asked again; None where that cannot help.

    A full minute's window can be waited for: the ledger knows of it by then, and lets in when it
    has room. A full day, a limit of 0, a wrong key or a silent service cannot, and with hardly any
    request of the day left none is risked. What had begun to answer, were it with thinking, is paid
    and not asked again. ``patience`` is the longest wait in seconds.
    """
    error, wire = outcome.error, outcome.wire
    if wire is None or outcome.begun:  # None: our own ledger's word, or an answer
        return None
    match error:
        case QuotaExceeded(window="rpm" | "tpm" | "ipm"):
            wait = error.retry_after or 60.0
            if outcome.counted:  # the ledger lets it in when it is time
                return 0.0 if wait <= patience else None
            return wait if wait <= patience else None
        case Overloaded(status=status) if status in _PASSING and not outcome.scarce:
            return random.uniform(*_PAUSE)
        case Unreachable() if wire.phase in ("connect", "send") and not outcome.scarce:
            return random.uniform(*_PAUSE)
        case _:
            return None
