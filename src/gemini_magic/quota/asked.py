"""Whom we asked: what an error about a service has to name.

Apart from ``diagnosis``, which is loaded with the first failure only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gemini_magic.keys import Secret


class Asked(NamedTuple):
    """Whom we asked, as far as an error's text needs it.

    ``host`` is the service's host; ``key_from`` says where the key was found, and ``secret`` is
    the key, so that it can be cut out; ``known`` are the service's models, for suggestions.
    ``tokens`` is about how many tokens the prompt has, None where nobody counted.
    """

    backend: str
    host: str = ""
    key_from: str = ""
    model: str = ""
    known: tuple[str, ...] = ()
    secret: Secret | None = None
    tokens: int | None = None

    def of(self, model: str, tokens: int | None = None) -> Asked:
        return self._replace(model=model, tokens=tokens)

    def knowing(self, names: Sequence[str]) -> Asked:
        return self._replace(known=tuple(names))

    @property
    def label(self) -> str:
        return f"{self.model} on {self.backend}" if self.model else self.backend
