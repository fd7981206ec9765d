"""What the old JavaScript SDK sends for a program, the new one sends for its migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gemini_magic.convert.migrate.javascript.program import migrate
from gemini_magic.convert.migrate.job import Options
from tests.convert.migrate.javascript import CASES, run
from tests.convert.migrate.normal import normal
from tests.convert.migrate.recorder import Recorder
from tests.wire.proto import normalise

pytestmark = pytest.mark.slow


class Ran(NamedTuple):
    printed: dict[str, tuple[str, str | None]]
    requests: dict[str, list[tuple[str, str, Any]]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Ran]:
    with Recorder() as recorder:
        folder = tmp_path_factory.mktemp("old")
        printed = run(CASES, folder, recorder.url, redirect=True)
        old = Ran(printed, recorder.cases())
    with Recorder() as recorder:
        options = Options(base_url=recorder.url)
        migrated = {
            name: migrate(text, Path(name).suffix, options).text for name, text in CASES.items()
        }
        folder = tmp_path_factory.mktemp("new")
        printed = run(migrated, folder, recorder.url)
        return old, Ran(printed, recorder.cases())


def test_there_are_enough() -> None:
    assert len(CASES) >= 45


def _normal(method: str, path: str, body: Any) -> Any:
    """Also without what the old SDK calls who answers a function, the pieces of a stream in a
    chat's history, and a body where there is nothing to say."""
    method, path, made = normal(method, path, body)
    if method == "DELETE":
        return method, path
    for content in made.get("contents", ()) if isinstance(made, dict) else ():
        content["role"] = {"function": "user"}.get(content["role"], content["role"])
        parts = content["parts"]
        if content["role"] == "model" and all(set(part) == {"text"} for part in parts):
            content["parts"] = [{"text": "".join(part["text"] for part in parts)}]
    return method, path, made


@pytest.mark.parametrize("name", CASES)
def test_requests_are_equal(name: str, both: tuple[Ran, Ran]) -> None:
    old, new = both
    assert old.printed[name][1] is None, old.printed[name][1]
    assert new.printed[name][1] is None, new.printed[name][1]
    wanted = [_normal(*request) for request in old.requests[name]]
    assert wanted
    assert [_normal(*request) for request in new.requests[name]] == wanted
    assert new.printed[name][0] == old.printed[name][0]


@pytest.mark.parametrize("name", CASES)
def test_the_new_requests_are_valid(name: str, both: tuple[Ran, Ran]) -> None:
    for _, path, body in both[1].requests[name]:
        if path.endswith((":generateContent", ":streamGenerateContent")):
            assert normalise(body, "GenerateContentRequest")[1] == []
