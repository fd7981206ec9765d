"""What can go wrong, in the user's words: what happened, why, and what to do next.

A face draws these errors; everyone else only raises them. In IPython the first drawing is two
lines, and ``%tb`` then shows the whole traceback.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias


class GeminiMagicError(Exception):
    """Something that the user can do something about.

    ``what`` is one line; ``next_step`` is what to do now, ideally something to paste.
    """

    #: What a route's ``when`` calls this kind of failure; empty where no other backend helps.
    when: str = ""
    #: What had come of the answer (a ``types.Reply``); None where nothing was asked.
    reply: Any = None

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what = _one_line(what)
        self.next_step = _one_line(next_step)
        self._shown_in: int | None = None

    def __str__(self) -> str:
        return f"{self.what} {self.next_step}".strip()

    def lines(self) -> list[str]:
        """The two lines that a face shows."""
        first = f"{type(self).__name__}: {self.what}"
        return [first, f"  → {self.next_step}"] if self.next_step else [first]

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: two lines, and the whole traceback when a later cell asks with ``%tb``.

        IPython calls this twice for the cell that failed: to show it, and for the history.
        Source: IPython.core.interactiveshell.InteractiveShell.showtraceback and
        _format_exception_for_storage.
        """
        shell = _ipython()
        now = getattr(shell, "execution_count", 0)
        if self._shown_in is None:
            self._shown_in = now
        if shell is None or self._shown_in == now:
            return self.lines()
        whole = shell.InteractiveTB.structured_traceback(type(self), self, self.__traceback__)
        return [*whole, *self.lines()[1:]]


def _ipython() -> Any:
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def _one_line(text: str) -> str:
    return " ".join(text.split())


class UsageError(GeminiMagicError):
    """The cell's or the command's words are off; nothing was sent."""


class PlaceholderError(UsageError):
    """A placeholder could not be filled; nothing was sent."""


class ConfigError(GeminiMagicError):
    """A configuration file, variable or setting is off."""


class MissingExtra(GeminiMagicError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package}, which is not installed.",
            f"run: pip install 'gemini-magic[{extra}]'",
        )
        self.args = (package, extra)  # what a copy is made from


class LedgerError(GeminiMagicError):
    """The quota cannot be counted, and the user wants to stop then."""


class MissingKey(GeminiMagicError):
    """No key was found for a backend."""

    when = "key"


class MissingWeights(GeminiMagicError):
    """The embedded model's weights are not on this machine."""

    when = "model"


class BackendError(GeminiMagicError):
    """A service did not answer as asked; ``status`` is its HTTP status, 0 where there was none."""

    def __init__(self, what: str, next_step: str = "", *, status: int = 0) -> None:
        super().__init__(what, next_step)
        self.status = status


class InvalidKey(BackendError):
    when = "key"


class UnknownModel(BackendError):
    when = "model"


class Unreachable(BackendError):
    """No connection to the service, or it fell silent."""

    when = "unreachable"


class Overloaded(BackendError):
    """The service has no capacity now (HTTP 5xx); it is not the user's quota."""

    when = "overloaded"


class QuotaExceeded(BackendError):
    """HTTP 429 or 402. ``window`` is "rpm", "tpm", "ipm", "rpd", "tpd", "limit0" (this tier has
    none at all), "budget" (money), or "" where the body does not say; ``limit`` is the window's
    size, ``retry_after`` seconds where they are true."""

    def __init__(
        self,
        what: str,
        next_step: str = "",
        *,
        status: int = 429,
        window: str = "",
        limit: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, next_step, status=status)
        self.window = window
        self.limit = limit
        self.retry_after = retry_after
        self.when = when_of(window)


def when_of(window: str) -> str:
    """What a route's ``when`` calls a full window; one that is not told is taken for the minute."""
    return {"": "rpm", "ipm": "rpm", "tpd": "rpd"}.get(window, window)


class PromptTooLong(BackendError):
    """The prompt is larger than the model's window."""


class Blocked(BackendError):
    """The service refused the prompt or withheld the answer (safety)."""


class NotServed(BackendError):
    """The service does not serve the user's country."""

    when = "unreachable"


class BadRequest(BackendError):
    """The service refused the request's form."""


class Interrupted(GeminiMagicError, KeyboardInterrupt):
    """The user stopped the cell; what had come is kept."""


class short_interrupts:
    """Within it, an interrupt leaves as ``Interrupted``, two lines instead of a traceback."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, KeyboardInterrupt) and not isinstance(error, Interrupted):
            raise Interrupted("you stopped it.") from None


WirePhase: TypeAlias = Literal["connect", "send", "headers", "stream"]


class WireError(Exception):
    """How a backend tells a failure: raw facts, no judgement (``quota.diagnosis`` judges).

    ``phase`` is how far the request got, ``status`` the HTTP status or None, ``body`` the decoded
    JSON or text of the answer, ``headers`` its headers in lower case, ``detail`` the transport's
    own words. Never holds a key.
    """

    def __init__(
        self,
        phase: WirePhase,
        status: int | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(f"{phase}: {status or detail}")
        self.phase = phase
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        self.detail = detail


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words most like ``word``, best first."""
    lower: dict[str, str] = {}
    for name in known:
        lower.setdefault(name.lower(), name)
    found = difflib.get_close_matches(word.lower(), lower, n=count, cutoff=0.6)
    return [lower[name] for name in found]


def did_you_mean(word: str, known: Iterable[str], count: int = 3) -> str:
    """A sentence with the nearest known words, or nothing."""
    names = nearest(word, known, count)
    return f"did you mean {' or '.join(names)}?" if names else ""


def sentence(text: str) -> str:
    """The text with a capital at its start; the names in it stay as they are."""
    return text[:1].upper() + text[1:]
