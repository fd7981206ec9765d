"""What nobody thought of: requests made of the document itself, and paths made of pieces."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode

from gemini_magic.server.schemas import PROBLEM
from gemini_magic.server.table import ROUTES
from tests.server.lab import API, Jupyter, notebook

pytestmark = pytest.mark.slow

#: Requests of one kind for one route.
EXAMPLES = 12
CANARY = "the canary sings outside of the root"
OLD = "import google.generativeai as genai\n"
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture
def canary(own: Jupyter) -> Path:
    """Files beside the root, and ways below it that lead there."""
    folder = own.root.parent / "outside"
    folder.mkdir()
    (folder / "a.py").write_text(f"# {CANARY}\n{OLD}")
    (folder / "a.ipynb").write_text(json.dumps(notebook(f"%%gemini\n{CANARY}")))
    prompt = {"runSettings": {}, "chunkedPrompt": {"chunks": [{"text": CANARY, "role": "user"}]}}
    (folder / "a").write_text(json.dumps(prompt))
    subprocess.run(["git", "init", "--quiet", str(folder / "repo")], check=True)
    (own.root / "link").symlink_to(folder)
    (own.root / ".hidden").mkdir()
    (own.root / ".hidden" / "a.py").write_text(f"# {CANARY}\n{OLD}")
    (own.root / "in").mkdir()
    (own.root / "in" / "good.ipynb").write_text(json.dumps(notebook("%%gemini\nhi")))
    return folder


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def check(verb: str, path: str, status: int, content: bytes) -> None:
    """An answer that its route's schema knows, or a refusal in the one form."""
    assert status < 500, (verb, path, status, content)
    assert CANARY.encode() not in content and Jupyter.KEY.encode() not in content
    route = next((one for one in ROUTES if (one.verb, f"/{one.path}") == (verb, path)), None)
    if status >= 400:
        Draft202012Validator(PROBLEM).validate(json.loads(content))
    elif route is not None and route.answer is not None:
        assert status == route.status
        Draft202012Validator(route.answer).validate(json.loads(content))


def fuzz(own: Jupyter, verb: str, path: str, cases: Any, asked: dict[str, int]) -> None:
    """Send what a strategy makes for one route, the first of it without a token, too."""
    token, none = ({"Authorization": f"token {value}"} for value in (own.token, "none"))

    @seed(1)
    @BOUNDED
    @given(cases)
    def send(case: Any) -> None:
        answer = case.call(base_url=f"{own.url}{API}", headers=token, timeout=60)
        check(verb, path, answer.status_code, answer.content)
        if f"{verb} {path}" not in asked:
            nobody = case.call(base_url=f"{own.url}{API}", headers=none, timeout=60)
            assert nobody.status_code == 403
        asked[f"{verb} {path}"] = asked.get(f"{verb} {path}", 0) + 1

    send()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_requests_that_the_document_allows_and_forbids(
    own: Jupyter, canary: Path, mode: GenerationMode
) -> None:
    before = state(canary)
    document = json.loads(own.get(f"{API}/openapi.json"))
    del document["paths"]["/live"]
    schema = schemathesis.openapi.from_dict(document)
    asked: dict[str, int] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        verb, path = operation.method.upper(), operation.path
        try:
            fuzz(own, verb, path, operation.as_strategy(generation_mode=mode), asked)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with this one
    assert len(asked) >= (len(ROUTES) if mode is GenerationMode.POSITIVE else 8)
    assert state(canary) == before
    assert CANARY not in own.log.read_text()


GOOD = "in/good.ipynb"
PIECES = st.sampled_from(
    ["..", "outside", "link", ".hidden", "in", "a", "a.py", "a.ipynb", "good.ipynb", "repo", ".",
     "", "~", "\0", "\udcff", "C:", "%2e%2e", "..\\outside", "x" * 300, " ", "é"]
)  # fmt: skip
PATHS = st.builds(
    lambda start, pieces: start + "/".join(pieces),
    st.sampled_from(["", "/", "//", "./"]),
    st.lists(PIECES, max_size=6),
)


BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("migrate", {"path": None, "to": "openai", "write": True}),
    ("import", {"path": None}),
    ("import", {"path": None, "to": None, "overwrite": True}),
    ("export", {"path": None, "target": "python-genai"}),
    ("export/write", {"path": None, "target": "curl", "to": None, "overwrite": True}),
    ("export/write", {"path": GOOD, "target": "curl", "to": None, "overwrite": True}),
    ("export/write", {"path": GOOD, "target": "curl", "to": None, "form": "zip",
                      "overwrite": True}),
    ("export/write", {"path": GOOD, "target": "curl", "remote": None, "form": "git", "yes": True}),
)  # fmt: skip


def test_paths_made_of_pieces(own: Jupyter, canary: Path) -> None:
    before = state(canary)
    for route, form in BODIES:
        paths_of(own, route, form)
        assert state(canary) == before, (route, form)


def paths_of(own: Jupyter, route: str, form: dict[str, Any]) -> None:
    """Fill what is None in a body with paths."""
    holes = [name for name, value in form.items() if value is None]

    @seed(1)
    @settings(BOUNDED, max_examples=60)
    @given(st.lists(PATHS, min_size=len(holes), max_size=len(holes)))
    def send(paths: list[str]) -> None:
        filled = {**form, **dict(zip(holes, paths, strict=True))}
        status, content = own.ask("POST", f"{API}/{route}", filled)
        check("POST", f"/{route}", status, content)

    send()
