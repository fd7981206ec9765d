"""Finds keys in what is about to be written; the text of a key is never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

#: What keys of well-known services look like.
_KEYS = re.compile(
    r"\b(?:AIza[\w-]{30,}|AQ\.[\w-]{30,}|ya29\.[\w-]{20,}|sk-(?:[a-z]+-)*[\w-]{20,}|sk_[\w-]{20,}|"
    r"gsk_[\w]{20,}|hf_[A-Za-z0-9]{30,}|xai-[\w]{20,}|nvapi-[\w-]{20,}|r8_[\w]{20,}|"
    r"pplx-[\w]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|AKIA[0-9A-Z]{16}|"
    r"xox[abprs]-[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
#: A value of the environment that is shorter than this is found in many texts by chance.
_SHORTEST = 12


def lines_with_keys(
    text: str, key_names: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> list[int]:
    """The numbers of the lines, from 1, that hold a key.

    A key is what looks like one, and the value of an environment variable with one of these names.
    """
    environ = os.environ if environ is None else environ
    values = {environ.get(name, "").strip() for name in key_names}
    known = [value for value in values if len(value) >= _SHORTEST]
    return [
        number
        for number, line in enumerate(text.split("\n"), 1)
        if _KEYS.search(line) or any(value in line for value in known)
    ]
