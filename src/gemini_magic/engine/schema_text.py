"""Finds the JSON in an answer: models put fences, prose and byte order marks around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from gemini_magic.types import first_fence

#: Brackets at which a value may begin; prose has few, and hostile text shall not take long.
_TRIES = 32
_TOKENS = 1_000_000
#: A bracket, or a string, which may hold some; one that never ends takes the rest.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\]]', re.S)
_BRACKET = re.compile(r"[{\[]")


def candidates(text: str) -> Iterator[str]:
    """The texts within an answer that are JSON and may be meant, the likeliest first.

    They are the whole answer, or else its first fence, or else the first value in its prose.
    """
    whole = text.strip("\ufeff \t\r\n")
    if is_json(whole):
        yield whole
        return
    fenced = first_fence(whole)
    if fenced is not None and is_json(fenced.strip()):
        yield fenced.strip()
        return
    if (found := _first_value(whole)) is not None:
        yield found


def _first_value(text: str) -> str | None:
    """The first balanced object or array within a text that is JSON."""
    at, left = 0, _TOKENS
    for _ in range(_TRIES):
        if (bracket := _BRACKET.search(text, at)) is None or left <= 0:
            return None
        at = bracket.start()
        end, looked = _closing(text, at, left)
        left -= looked
        if end and is_json(text[at:end]):
            return text[at:end]
        at += 1
    return None


def _closing(text: str, start: int, limit: int) -> tuple[int, int]:
    """Where the value that begins at this bracket ends (0: it does not); the tokens looked at."""
    depth = looked = 0
    for token in islice(_TOKEN.finditer(text, start), limit):
        looked += 1
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
            if depth == 0:
                return token.end(), looked
    return 0, looked


def is_json(text: str) -> bool:
    try:
        loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def loads(text: str) -> Any:
    """JSON as the standard has it: no NaN. Raises ``ValueError`` and ``RecursionError``."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def complaint(text: str) -> str:
    """Why a text holds no JSON, in a few words."""
    whole = text.strip("\ufeff \t\r\n")
    if not whole:
        return "it is empty"
    fenced = first_fence(whole)
    try:
        loads(whole if fenced is None else fenced.strip())
    except json.JSONDecodeError as error:
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError as error:
        return str(error)
    except RecursionError:
        pass
    return "it is nested too deeply"
