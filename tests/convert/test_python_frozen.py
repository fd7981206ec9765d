"""``--freeze``: a script sends what the notebook sent, and knows none of its variables."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.options import Options
from tests.convert.fixtures import ANSWERS, NOTEBOOKS, OPENAI_ONLY, PNG
from tests.convert.lab import (
    GEMINI,
    GPT,
    as_json,
    bodies,
    kinds,
    ran_notebook,
    ruff_complaints,
    run_script,
    script_of,
    setting,
)  # fmt: skip
from tests.kernels import Kernel

pytestmark = pytest.mark.kernel
FREEZE = Options(freeze=True)
#: Notebooks whose requests are literals under ``--freeze``: their own code is taken out.
NAMES = [
    "system", "raw", "text placeholders", "values from functions", "literal braces", "unicode",
    "crlf", "long", "schema of a class", "schema in short", "schema in a variable", "pictures",
    "tables", "use", "another model", "more braces", "system from a file", "values of many kinds",
    "attributes of answers", "chat", "chat over models", "chat with pictures", "figures and arrays",
    "photos and bytes", "documents", "sounds", "schema and chat", "compared",
]  # fmt: skip
CASES = [(name, target) for name in NAMES for target in ("python-genai", "python-openai")]


@pytest.fixture
def lab(google_server, openai_server, configure, shared_kernel, monkeypatch, tmp_path: Path):  # type: ignore
    google, openai = google_server(), openai_server()
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    other = tmp_path / "elsewhere"
    other.mkdir()
    (Path.cwd() / "photo.png").write_bytes(PNG)
    (Path.cwd() / "notes.txt").write_text("Some notes\nin lines", "utf-8")

    def begin(model: str, answers: Any) -> tuple[Kernel, Any, Path]:
        configure(setting(google, openai, model))
        for server in (google, openai):
            server.clear()
            server.set_script(answers)
        return shared_kernel.fresh(), (google, openai), other

    return begin


@pytest.mark.parametrize(("name", "target"), CASES, ids=["-".join(case) for case in CASES])
def test_the_requests_are_those_that_were_sent(lab, name: str, target: str) -> None:
    gemini = target == "python-genai"
    model, another = (
        (f"gem:{GEMINI}", "gem:gemini-2.5-pro") if gemini else (f"oai:{GPT}", "oai:gpt-5-mini")
    )  # fmt: skip
    cells = [one.replace("MODEL", another).replace("OTHER", model) for one in NOTEBOOKS[name]]
    cells = [one.replace("--quiet", "") for one in cells]  # which leaves no output to read
    answers = ANSWERS.get(name)
    kernel, servers, folder = lab(model, answers)
    ran = ran_notebook(cells, kernel)
    wanted = bodies(*servers)
    made = script_of(*ran, target=target, options=FREEZE)
    assert "differs" not in kinds(made) or name == "compared", made.notes
    # The cells' own code goes: what was sent is all there.
    alone = [one for one in ran if "gemini" in one["source"].split("\n")[0]]
    bare = script_of(*(one for one in alone), target=target, options=FREEZE)
    if name in ("schema of a class", "schema and chat", "schema in a variable"):
        bare = made  # the type is the notebook's
    for server in servers:
        server.clear()
        server.set_script(answers)
    done = run_script(bare.text, folder, files=bare.files)
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{bare.text}"
    found = bodies(*servers)
    if name == "compared":
        found, wanted = sorted(found, key=as_json), sorted(wanted, key=as_json)
    assert as_json(found) == as_json(wanted), bare.text
    assert not ruff_complaints(bare.text)


def test_large_media_are_files_beside_the_script(lab) -> None:
    kernel, servers, folder = lab(f"gem:{GEMINI}", None)
    data = random.Random(5).randbytes(3 * 60 * 60)
    code = "from PIL import Image\nbig = Image.frombytes('RGB', (60, 60), bytes.fromhex(hexed))"
    ran = ran_notebook(
        [f"hexed = '{data.hex()}'\n{code}", "%%gemini\n{{ big }} and {{ big }}"], kernel
    )
    made = script_of(ran[1], options=FREEZE)
    ((name, content),) = made.files
    assert name.startswith("inputs/") and name.endswith(".png") and len(name) == 19
    assert len(content) > 2_000 and made.text.count(f'"{name[7:]}"') == 2
    wanted = bodies(*servers)
    servers[0].clear()
    assert run_script(made.text, folder, files=made.files).returncode == 0
    assert bodies(*servers) == wanted


def test_what_is_not_known_stays_live_and_is_told(lab) -> None:
    kernel, _, _ = lab(f"gem:{GEMINI}", None)
    ran = ran_notebook(
        [
            "x = 'one'",
            "%%gemini\nEdited {{ x }}",
            "%%gemini --quiet\nUnseen {{ x }}",
            "for x in ('a', 'b'):\n    %gemini Loop {{ x }}",
            "%%gemini\nGone {{ x }}",
            "%%gemini --def f\nLater {{ x }}",
            "%%gemini\nKept {{ x }}",
        ],
        kernel,
    )
    ran[1]["source"] += "!"
    ran[4]["outputs"][0]["metadata"]["gemini_magic"]["request"] = "0" * 64
    made = script_of(*ran, options=FREEZE)
    told = {note.cell: note.text for note in made.notes}
    assert "changed since" in told["c2"] and "no output" in told["c3"]
    assert "2 times" in told["c4"] and "log of runs" in told["c5"] and "c7" not in told
    for live in ('f"Edited {x}!"', 'f"Unseen {x}"', 'f"Loop {x}"', 'f"Gone {x}"', '"Kept b"'):
        assert live in made.text, live
    assert 'f"Kept' not in made.text


def test_a_chat_stays_a_conversation(lab) -> None:
    kernel, servers, folder = lab(f"gem:{GEMINI}", None)
    ran = ran_notebook(
        ["x = 'one'", "%%gemini --chat c\nFirst {{ x }}", "%%gemini --chat c\nThen {{ x }}"], kernel
    )
    made = script_of(*ran[1:], options=FREEZE)
    assert "history=c_history" in made.text and '"First one"' in made.text
    wanted = bodies(*servers)
    servers[0].clear()
    done = run_script(made.text, folder)
    assert done.returncode == 0 and bodies(*servers) == wanted


def test_pictures_of_openais_interface_are_frozen(lab) -> None:
    name = "pictures edited"
    kernel, servers, folder = lab(f"oai:{GPT}", ANSWERS[name])
    ran = ran_notebook(OPENAI_ONLY[name], kernel)
    wanted = bodies(*servers)
    for server in servers:
        server.clear()
        server.set_script(ANSWERS[name])
    made = script_of(*ran[1:], options=FREEZE, target="python-openai")
    done = run_script(made.text, folder, files=made.files)
    assert done.returncode == 0, done.stderr
    assert as_json(bodies(*servers)) == as_json(wanted)
