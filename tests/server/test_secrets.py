"""The guard on save: by the routes, and by Jupyter's own saving, whatever front end saves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.server import secrets
from gemini_magic.server.desk import Desk
from gemini_magic.server.places import Root
from tests.server.lab import API, Jupyter, heard, notebook

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
OTHER = "sk-proj-" + "abcdefghij0123456789ABCDEFGHIJ"


def found(jupyter: Jupyter, content: Any) -> list[dict[str, Any]]:
    answer = jupyter.call("POST", "secrets/scan", {"content": content})
    findings: list[dict[str, Any]] = answer["findings"]
    return findings


def test_keys_are_found_and_taken_out(jupyter: Jupyter) -> None:
    content = notebook("1", f'key = "{KEY}"')
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": KEY}]
    findings = found(jupyter, content)
    assert [(one["cell"], one["cell_id"], one["where"]) for one in findings] == [
        (1, "c1", "source"), (1, "c1", "output"),
    ]  # fmt: skip
    assert len({one["id"] for one in findings}) == 1 and KEY not in json.dumps(findings)
    body = {"content": content, "ids": [findings[0]["id"]]}
    clean = jupyter.call("POST", "secrets/redact", body)["content"]
    assert KEY not in json.dumps(clean) and found(jupyter, clean) == []
    assert clean["cells"][0] == content["cells"][0]
    kept = {"content": content, "id": findings[0]["id"], "name": "mine"}
    status, message, _ = jupyter.refused("POST", "secrets/keyring", kept)
    assert status == 422 and KEY not in message  # there is no keyring here
    assert jupyter.refused("POST", "secrets/keyring", {**kept, "id": "none"})[0] == 404
    for name in ('x"', "a b", "", "x\n", 'a") or exit("'):
        assert jupyter.refused("POST", "secrets/keyring", {**kept, "name": name})[0] == 400
    assert found(jupyter, notebook(f"x = '{Jupyter.KEY}'"))[0]["kind"] == "GEMINI_API_KEY"


def test_a_broken_configuration_does_not_switch_the_guard_off(
    own: Jupyter, configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("[backends]\nnonsense")
    content = notebook(f'key = "{KEY}"', "'correct-horse-9'")
    findings = found(own, content)
    assert [one["kind"] for one in findings] == ["GEMINI_API_KEY"]
    body = {"content": content, "ids": [one["id"] for one in findings]}
    assert KEY not in json.dumps(own.call("POST", "secrets/redact", body))
    monkeypatch.setenv("GOOGLE_API_KEY", "correct-horse-9")
    kinds = [one["kind"] for one in secrets.findings(Desk(Root(own.root)), content)]
    assert kinds == ["GEMINI_API_KEY", "GOOGLE_API_KEY"]


@pytest.mark.parametrize(
    "content",
    [{}, {"cells": None}, {"cells": [1, None, {}, {"source": 1}, {"source": [1]}]},
     {"cells": [{"outputs": [[KEY, {"a": [KEY]}], KEY]}]}, {"metadata": KEY, "cells": {}},
     {"cells": [{"source": "\ud800" + KEY, "id": 5, "cell_type": []}]}],
)  # fmt: skip
def test_whatever_calls_itself_a_notebook_is_looked_at(jupyter: Jupyter, content: Any) -> None:
    findings = found(jupyter, content)
    body = {"content": content, "ids": [one["id"] for one in findings]}
    assert bool(findings) == (KEY in json.dumps(content))
    assert KEY not in json.dumps(jupyter.call("POST", "secrets/redact", body))


def test_what_is_nested_too_deeply_is_refused(jupyter: Jupyter) -> None:
    depth = 900  # JSON itself takes it, walking it takes more than one call a level
    body = b'{"content": {"metadata": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}}"
    status, _ = jupyter.ask("POST", f"{API}/secrets/scan", body)
    assert status in (200, 400)


def test_keys_move_to_the_keyring_and_saves_are_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = tmp_path / "ring.json"
    monkeypatch.setenv("TEST_KEYRING", str(ring))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.server.file_keyring.FileKeyring")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    jupyter = Jupyter(tmp_path)
    try:
        moved(jupyter, ring)
        watched(jupyter)
    finally:
        jupyter.close()
    log = jupyter.log.read_text()
    assert KEY not in log and OTHER not in log


def moved(jupyter: Jupyter, ring: Path) -> None:
    content = notebook(f'key = "{KEY}"\nother = "{OTHER}"', f"# {KEY}")
    first = found(jupyter, content)[0]
    body = {"content": content, "id": first["id"], "name": "mine"}
    kept = jupyter.call("POST", "secrets/keyring", body)
    assert json.loads(ring.read_text()) == {"gemini_magic/notebook.mine": KEY}
    source = kept["content"]["cells"][0]["source"]
    assert source == f'key = {kept["expression"]}\nother = "{OTHER}"'
    assert kept["content"]["cells"][1]["source"] == "# <GEMINI_API_KEY>"
    shown = subprocess.run([sys.executable, "-c", f"{source}\nprint(key)"], check=True,
                           stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert shown.stdout.strip() == KEY
    jupyter.call("POST", "secrets/keyring", body)  # the same again
    second = next(one for one in found(jupyter, content) if one["id"] != first["id"])
    status, _, _ = jupyter.refused("POST", "secrets/keyring", {**body, "id": second["id"]})
    assert status == 409
    for source in (f"%env K={KEY}", f'f"{KEY}"'):
        bad = notebook(source)
        body = {"content": bad, "id": found(jupyter, bad)[0]["id"], "name": "other"}
        assert jupyter.refused("POST", "secrets/keyring", body)[0] == 400
    assert json.loads(ring.read_text()) == {"gemini_magic/notebook.mine": KEY}
    form = {"name": "mine", "kind": "openai", "base_url": "https://p.example", "key": OTHER}
    made = jupyter.call("POST", "backends", form)
    assert made["key"]["where"] == "keyring gemini_magic/mine" and made["state"] == "ready"
    both = {"gemini_magic/mine": OTHER, "gemini_magic/notebook.mine": KEY}
    assert json.loads(ring.read_text()) == both
    jupyter.call("DELETE", "backends/mine")
    assert json.loads(ring.read_text()) == {"gemini_magic/notebook.mine": KEY}


def watched(jupyter: Jupyter) -> None:
    def save(*cells: str) -> None:
        model = {"type": "notebook", "format": "json", "content": notebook(*cells)}
        status, _ = jupyter.ask("PUT", "/api/contents/saved.ipynb", model)
        assert status in (200, 201)

    async def talk(client: Any) -> None:
        await heard(client, "quota")
        save(f"key = '{KEY}'")
        message = await heard(client, "secrets")
        assert message["path"].strip("/") == "saved.ipynb" and KEY not in json.dumps(message)
        (finding,) = message["findings"]
        assert (finding["cell"], finding["where"]) == (0, "source")
        save(f"key = '{KEY}'")  # nothing is new
        save(f"key = '{KEY}'", f"'{OTHER}'")
        assert len((await heard(client, "secrets"))["findings"]) == 2
        save("x = 1")
        assert (await heard(client, "secrets"))["findings"] == []

    jupyter.live(talk)
    assert json.loads((jupyter.root / "saved.ipynb").read_text())["cells"][0]["source"]
    end = time.monotonic() + 60
    line = "saved.ipynb is saved with a key in it: source of cell 1 (GEMINI_API_KEY)"
    while line not in jupyter.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.1)
    assert jupyter.log.read_text().count("is saved with a key in it") == 2
