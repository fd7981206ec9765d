"""What a JavaScript program meant for Google's service, its migration asks of an OpenAI service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.migrate.javascript.program import migrate
from gemini_magic.convert.migrate.job import Options
from tests.convert.migrate.javascript import CASES, read, run
from tests.convert.migrate.meaning import meaning, plain
from tests.convert.migrate.recorder import Recorder
from tests.convert.migrate.test_javascript_wire import Ran
from tests.convert.migrate.test_openai_wire import Service

pytestmark = pytest.mark.slow
NEW = {f"genai-{name}": text for name, text in read("javascript_new_cases.txt").items()}
#: What is no chat, and what reads an answer in a way that is marked.
NOT_RUN = re.compile(r"embed|count|files|caches|request-options|chat-get|unknown")
RUN = {name: text for name, text in {**CASES, **NEW}.items() if not NOT_RUN.match(name)}
#: They read what is marked (reasons of ending), or print each piece of a stream, of which
#: OpenAI's services send a last one without text. The requests are equal.
PRINTS_OTHERWISE = {"stream.mjs", "stream-response.mjs", "chat.mjs", "chat-stream.mjs",
                    "typed-class.ts", "errors.mjs"}  # fmt: skip


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    with Recorder() as recorder:
        folder = tmp_path_factory.mktemp("old")
        printed = run(RUN, folder, recorder.url, redirect=True)
        return Ran(printed, recorder.cases())


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, dict[str, Any]]:
    with Service() as service:
        options = Options(service.url, to="openai")
        migrated = {
            name: migrate(text, Path(name).suffix, options).text for name, text in RUN.items()
        }
        root = service.url.removesuffix("/v1")
        folder = tmp_path_factory.mktemp("new")
        printed = run(migrated, folder, root, OPENAI_API_KEY=service.key)
        assert not service.errors
        return Ran(printed, service.cases()), {}


def test_there_are_enough() -> None:
    assert len(RUN) >= 55


def _bare(value: Any) -> Any:
    """Without what a schema says of null in two ways; a model's turn is one text."""
    if isinstance(value, tuple) and value[0] == "assistant" and value[1] != "calls":
        return ("assistant", ["".join(value[1])])
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if key != "nullable"}
    return [_bare(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", RUN)
def test_requests_mean_the_same(name: str, old: Ran, new: tuple[Ran, Any]) -> None:
    assert old.printed[name][1] is None, old.printed[name][1]
    made = new[0]
    assert made.printed[name][1] is None, made.printed[name][1]
    wanted = [_bare(meaning(*request)) for request in old.requests[name]]
    assert wanted
    # a refused request is repeated by openai's client
    sent = [plain(body) for body in made.requests[name]][: 1 if "errors" in name else None]
    assert sent == wanted
    if name not in PRINTS_OTHERWISE:
        assert made.printed[name][0] == old.printed[name][0]
