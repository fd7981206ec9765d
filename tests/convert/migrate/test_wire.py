"""What the old SDK sends for a program, the new one sends for its migration; and both print it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import certifi
import pytest

from gemini_magic.convert.migrate.program import migrate
from tests.convert.migrate import old_sdk
from tests.convert.migrate.cases import CASES, OLD
from tests.convert.migrate.normal import normal
from tests.convert.migrate.recorder import Recorder
from tests.wire.proto import normalise

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


class Ran(NamedTuple):
    printed: dict[str, tuple[str, str | None]]
    requests: dict[str, list[tuple[str, str, Any]]]


def run(python: str, programs: dict[str, str], folder: Path) -> Ran:
    # Reading all authorities takes a tenth of a second for every client; none is asked here.
    one = re.search(r"-+BEGIN CERT.*?END CERT[A-Z]*-+\n", Path(certifi.where()).read_text(), re.S)
    assert one is not None
    authorities = folder / "authority.pem"
    authorities.write_text(one[0])
    with Recorder() as recorder:
        done = subprocess.run(
            [python, str(HERE / "runner.py"), recorder.url, str(folder)],
            input=json.dumps(list(programs.items())), text=True, capture_output=True, timeout=1800,
            env={**os.environ, "SSL_CERT_FILE": str(authorities), "NO_PROXY": "*"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not recorder.errors
        return Ran(json.loads(done.stdout), recorder.cases())


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Ran]:
    old = run(old_sdk.python(), OLD, tmp_path_factory.mktemp("old"))
    migrated = {name: migrate(text).text for name, text in CASES.items()}
    return old, run(sys.executable, migrated, tmp_path_factory.mktemp("new"))


def test_there_are_enough() -> None:
    assert len(CASES) >= 80


@pytest.mark.parametrize("name", CASES)
def test_requests_are_equal(name: str, both: tuple[Ran, Ran]) -> None:
    old, new = both
    assert old.printed[name][1] is None, old.printed[name][1]
    assert new.printed[name][1] is None, new.printed[name][1]
    wanted = [normal(*request) for request in old.requests[name]]
    assert wanted
    assert [normal(*request) for request in new.requests[name]] == wanted
    assert new.printed[name][0] == old.printed[name][0]


@pytest.mark.parametrize("name", CASES)
def test_the_new_requests_are_valid(name: str, both: tuple[Ran, Ran]) -> None:
    for _, path, body in both[1].requests[name]:
        if path.endswith((":generateContent", ":streamGenerateContent")):
            assert normalise(body, "GenerateContentRequest")[1] == []
