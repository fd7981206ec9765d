"""What a program meant for Google's service, its migration asks of a strict OpenAI service.

The old SDK's requests are brought to OpenAI's form by ``meaning``, and have to be what the migrated
programs send; the service refuses what OpenAI's would.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.program import migrate
from tests.convert.migrate import old_sdk
from tests.convert.migrate.cases import CASES, OLD
from tests.convert.migrate.meaning import meaning, plain
from tests.convert.migrate.test_wire import Ran, run
from tests.wire.openai import OpenAIServer
from tests.wire.payloads import openai_error
from tests.wire.script import Answer, Call, Usage
from tests.wire.server import Exchange

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
#: What is no chat, and what reads an answer in a way that is marked and does not run as it is.
NOT_RUN = re.compile(
    r"embed|count|await-(?:embed|count)|list-models|get-model|cache|.*file|answer-feedback"
    # without a function to call, and with the word that OpenAI's JSON mode wants missing
    r"|tools-automatic|settings-json$"
)
RAISES = {"chat-history", "answer-lists", "chat-on-self-streamed"}
OPTIONS = Options("ADDRESS", to="openai")
RUN = [name for name in CASES if not NOT_RUN.match(name)]
#: They read answers in a way that is marked (reasons of ending, histories), or print each piece of
#: a stream, of which OpenAI's services send a last one without text. The requests are equal.
PRINTS_OTHERWISE = {"answer-parts", "answer-lists", "chat-history", "chat-on-self-streamed",
                    "stream-variable", "chat-stream", "await-stream"}  # fmt: skip


class Service(OpenAIServer):
    """Remembers which case asks, and says what the recorder says."""

    def __init__(self) -> None:
        models = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-1.5-flash-002")
        super().__init__(self.reply, models=models)

    @staticmethod
    def reply(body: Any) -> Any:
        if "429" in json.dumps(body):
            return openai_error(429, "Quota", code="rate_limit_exceeded")
        last = body["messages"][-1]
        if body.get("tools") and last["role"] != "tool":
            return Answer(calls=(Call(body["tools"][0]["function"]["name"], {"a": 1}),))
        said = last["content"]
        if not isinstance(said, str):
            said = said[-1].get("text")
        if last["role"] == "tool":
            said = None
        text = f"answer to {json.dumps(said)}"
        usage = Usage(prompt=3, output=2)
        if body.get("stream"):
            return Answer(chunks=("Hel", text), usage=usage)
        return Answer(text, usage=usage)

    def handle(self, exchange: Exchange) -> None:
        if exchange.request.path.startswith("/case/"):
            exchange.extra_headers = {}
            exchange.send(200, b"", {})
        else:
            super().handle(exchange)

    def cases(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        name = ""
        for request in self.requests:
            if request.path.startswith("/case/"):
                name = request.path.removeprefix("/case/")
                found[name] = []
            else:
                found[name].append(request.json)
        return found


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    programs = {name: OLD[name] for name in RUN}
    return run(old_sdk.python(), programs, tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    with Service() as service:
        address = service.url
        programs = [[name, migrate(CASES[name], OPTIONS._replace(base_url=address)).text]
                    for name in RUN]  # fmt: skip
        root = address.removesuffix("/v1")
        done = subprocess.run(
            [sys.executable, str(HERE / "runner.py"), root, str(tmp_path_factory.mktemp("new"))],
            input=json.dumps(programs), text=True, capture_output=True, timeout=1800,
            env={**os.environ, "OPENAI_API_KEY": service.key, "NO_PROXY": "*"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not service.errors
        return Ran(json.loads(done.stdout), service.cases())


def test_there_are_enough() -> None:
    assert len(RUN) >= 100


@pytest.mark.parametrize("name", RUN)
def test_requests_mean_the_same(name: str, old: Ran, new: Ran) -> None:
    assert old.printed[name][1] is None, old.printed[name][1]
    error = new.printed[name][1]
    assert error is None or name in RAISES, error
    wanted = [meaning(*request) for request in old.requests[name]]
    assert wanted
    # a refused request is repeated by openai's client
    sent = [plain(body) for body in new.requests[name]]
    assert (sent[:1] if name.startswith("answer-error") else sent) == wanted
    if name not in PRINTS_OTHERWISE:
        assert new.printed[name][0] == old.printed[name][0]
