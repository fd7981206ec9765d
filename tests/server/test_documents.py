"""Export, import and migration: what is shown, what is written, and that no path leads outside."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.server.lab import API, Jupyter, notebook

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
CANARY = "the canary sings outside of the root"
TARGETS = ("python-genai", "python-openai", "node-genai", "node-openai", "curl", "aistudio")
BOOK = notebook("x = 1", "%%gemini -m gemini-2.5-flash\nSay hello")
OLD = (
    "import google.generativeai as genai\n"
    "genai.GenerativeModel('gemini-pro').generate_content('x')\n"
)
PROMPT = {
    "runSettings": {"model": "models/gemini-2.5-flash", "temperature": 1.0},
    "systemInstruction": {},
    "chunkedPrompt": {"chunks": [{"text": "Name a colour", "role": "user"}], "pendingInputs": []},
}


def save(jupyter: Jupyter, name: str, content: Any = BOOK) -> str:
    path = jupyter.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return jupyter.path(name)


def written(jupyter: Jupyter) -> set[str]:
    return {path.relative_to(jupyter.folder).as_posix()
            for path in jupyter.folder.rglob("*") if not path.is_dir()}  # fmt: skip


# --- export ---


def test_targets_say_what_they_take(jupyter: Jupyter) -> None:
    told = jupyter.call("GET", "export")
    assert [one["target"] for one in told["targets"]] == [*TARGETS]
    options = {one["target"]: one["options"] for one in told["targets"]}
    assert options["python-genai"] == ["freeze", "params", "retry", "lift_keys"]
    assert options["curl"] == ["freeze", "lift_keys"] and options["aistudio"] == ["lift_keys"]
    assert {one["name"] for one in told["options"]} == {"freeze", "params", "retry", "lift_keys"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_preview_is_what_would_be_written(jupyter: Jupyter, target: str) -> None:
    path = save(jupyter, "a b.ipynb")
    shown = jupyter.call("POST", "export", {"path": path, "target": target})
    assert written(jupyter) == {"a b.ipynb"}
    assert "Say hello" in shown["files"][0]["text"]
    body = {"path": path, "target": target, "to": jupyter.path("out"), "form": "files"}
    made = jupyter.call("POST", "export/write", body)
    assert made["written"] == [jupyter.path(f"out/{shown['files'][0]['name']}")]
    assert made["notes"] == shown["notes"]
    place = jupyter.root / made["written"][0]
    assert place.read_text("utf-8") == shown["files"][0]["text"]
    jupyter.call("POST", "export/write", body)  # it is the same already
    place.write_text("mine")
    status, message, _ = jupyter.refused("POST", "export/write", body)
    assert status == 409 and place.name in message and str(jupyter.root) not in message
    assert place.read_text() == "mine"
    jupyter.call("POST", "export/write", {**body, "overwrite": True})
    assert place.read_text("utf-8") == shown["files"][0]["text"]


def test_what_stands_in_the_editor_is_exported(jupyter: Jupyter) -> None:
    path = save(jupyter, "a.ipynb")
    changed = notebook("%%gemini\nnot saved yet")
    body = {"path": path, "target": "python-genai", "content": changed,
            "options": {"retry": True, "params": False}}  # fmt: skip
    (shown,) = jupyter.call("POST", "export", body)["files"]
    assert "not saved yet" in shown["text"] and "Say hello" not in shown["text"]
    new = {**body, "path": jupyter.path("new.ipynb")}
    assert jupyter.call("POST", "export", new)["files"][0]["name"] == "new.py"
    zipped = {**body, "form": "zip", "to": jupyter.path("a.zip"), "all": True}
    assert jupyter.call("POST", "export/write", zipped)["written"] == [jupyter.path("a.zip")]
    with zipfile.ZipFile(io.BytesIO((jupyter.folder / "a.zip").read_bytes())) as archive:
        names = set(archive.namelist())
        assert {"python/a.py", "node/a.mjs", "curl/a.sh", "README.md"} <= names
        assert "not saved yet" in archive.read("python/a.py").decode()
    one = {**zipped, "all": False, "to": jupyter.path("one.zip")}
    jupyter.call("POST", "export/write", one)
    with zipfile.ZipFile(jupyter.folder / "one.zip") as archive:
        assert not any(name.startswith("node/") for name in archive.namelist())
    for to in ("a.txt", "", "a.ipynb"):
        assert jupyter.refused("POST", "export/write", {**zipped, "to": jupyter.path(to)})[0] == 400
    own = {**body, "target": "aistudio", "to": path, "overwrite": True}
    assert jupyter.refused("POST", "export/write", own)[0] in (400, 422)
    assert json.loads((jupyter.root / path).read_text()) == BOOK


def test_a_key_gets_into_no_export(jupyter: Jupyter) -> None:
    path = save(jupyter, "a.ipynb", notebook(f'key = "{KEY}"', "%%gemini\nhi"))
    body = {"path": path, "target": "python-genai"}
    for route in ("export", "export/write"):
        status, message, step = jupyter.refused("POST", route, body)
        assert status == 422 and "key" in message and KEY not in message + step
    lifted = jupyter.call("POST", "export", {**body, "options": {"lift_keys": True}})
    assert KEY not in json.dumps(lifted) and "GEMINI_API_KEY" in lifted["files"][0]["text"]
    assert any(note["kind"] == "key" for note in lifted["notes"])


@pytest.fixture
def repository(jupyter: Jupyter, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = jupyter.folder / "repo"
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for name, value in (("user.name", "Me"), ("user.email", "me@example.com")):
        subprocess.run(["git", "-C", str(folder), "config", name, value], check=True)
    return folder


def test_a_commit_is_shown_first(jupyter: Jupyter, repository: Path) -> None:
    path = save(jupyter, "a.ipynb")
    body = {"path": path, "target": "curl", "form": "git", "remote": jupyter.path("repo"),
            "branch": "exported", "content": BOOK}  # fmt: skip
    shown = jupyter.call("POST", "export/write", body)
    assert shown["written"] == [] and "+++ b/curl/a.sh" in shown["diff"]

    def branches() -> str:
        return subprocess.run(["git", "-C", str(repository), "branch"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout  # fmt: skip

    assert "exported" not in branches()
    made = jupyter.call("POST", "export/write", {**body, "yes": True})
    assert made["written"] == [f"exported of {jupyter.path('repo')}"] and "exported" in branches()
    again = jupyter.call("POST", "export/write", {**body, "yes": True})
    assert again["written"] == [] and "already" in again["notes"][-1]["text"]
    for remote in ("/etc", "..", "../..", "ext::sh -c id", "file:///tmp", "-u", "none", path,
                   "http://127.0.0.1/x", "https://me:secret@host/x"):  # fmt: skip
        status, message, _ = jupyter.refused("POST", "export/write", {**body, "remote": remote})
        assert 400 <= status < 500 and "secret" not in message, remote
    assert jupyter.refused("POST", "export/write", {**body, "branch": "--x"})[0] == 400


def test_a_repository_around_the_root_is_not_ours(own: Jupyter) -> None:
    subprocess.run(["git", "init", "--quiet", str(own.root.parent)], check=True)
    (own.root / "inner").mkdir()
    save(own, "a.ipynb")
    body = {"path": "a.ipynb", "target": "curl", "form": "git", "remote": "inner", "yes": True}
    status, message, _ = own.refused("POST", "export/write", body)
    assert status == 400 and "outside" in message


# --- import ---


def test_a_prompt_becomes_a_notebook(jupyter: Jupyter) -> None:
    path = save(jupyter, "Colours", PROMPT)
    made = jupyter.call("POST", "import", {"path": path})
    assert made["notebooks"] == [jupyter.path("Colours.ipynb")]
    assert made["notebooks"][0] in made["written"]
    assert "Name a colour" in (jupyter.folder / "Colours.ipynb").read_text()
    (jupyter.folder / "Colours.ipynb").write_text("mine")
    assert jupyter.refused("POST", "import", {"path": path})[0] == 409
    jupyter.call("POST", "import", {"path": path, "overwrite": True})
    made = jupyter.call("POST", "import", {"path": path, "to": jupyter.path("deep/er")})
    assert made["written"] == [jupyter.path("deep/er/Colours.ipynb")]
    assert jupyter.refused("POST", "import", {"path": path, "to": path})[0] == 400
    save(jupyter, "text", "no prompt")
    status, message, _ = jupyter.refused("POST", "import", {"path": jupyter.path("text")})
    assert status == 422 and str(jupyter.root) not in message


def test_an_archive_becomes_many_and_says_what_does_not(jupyter: Jupyter) -> None:
    with zipfile.ZipFile(jupyter.folder / "takeout.zip", "w") as archive:
        archive.writestr("Drive/one", json.dumps(PROMPT))
        archive.writestr("Drive/two", json.dumps(PROMPT))
        archive.writestr("Drive/../../evil", json.dumps(PROMPT))
        archive.writestr("Drive/broken", '{"chunkedPrompt": ')
    status, content = jupyter.ask("POST", f"{API}/import", {"path": jupyter.path("takeout.zip")})
    if status == 200:
        made = json.loads(content)
        assert all(one.startswith(jupyter.work) for one in made["written"])
        assert jupyter.path("one.ipynb") in made["notebooks"]
    assert not list(jupyter.root.parent.glob("*evil*")) and not list(jupyter.root.glob("*evil*"))


# --- migration ---


def test_a_program_is_migrated_after_a_look(jupyter: Jupyter) -> None:
    path = save(jupyter, "old.py", f"# {KEY}\n{OLD}")
    body = {"path": path, "to": "google-genai"}
    shown = jupyter.call("POST", "migrate", body)
    assert (shown["path"], shown["written"]) == (path, False)
    assert "google.generativeai" in shown["before"] and "genai.Client(" in shown["after"]
    assert shown["diff"].startswith(f"--- {path}") and KEY not in json.dumps(shown)
    assert {one["verdict"] for one in shown["places"]} <= {"done", "assisted", "left"}
    assert all(one["why"] and one["cell"] is None for one in shown["places"])
    stale = {**body, "write": True, "before": "other"}
    assert jupyter.refused("POST", "migrate", stale)[0] == 409
    assert OLD in (jupyter.root / path).read_text()
    done = jupyter.call("POST", "migrate", {**body, "write": True, "before": shown["before"]})
    assert done["written"] and KEY in (jupyter.root / path).read_text()
    assert "genai.Client(" in (jupyter.root / path).read_text()
    again = jupyter.call("POST", "migrate", {**body, "write": True})
    assert (again["diff"], again["written"]) == ("", False)


def test_a_notebook_is_migrated_by_cell(jupyter: Jupyter) -> None:
    text = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# old"}
    proxy = "q7Zp0L2mXw9Rt4Vb"  # a key of no known shape
    given = f"%env MY_API_KEY={proxy}\n{OLD}"
    path = save(jupyter, "old.ipynb", notebook(text, given, f"key = '{KEY}'"))
    body = {"path": path, "to": "openai", "base_url": "https://proxy.example/v1"}
    shown = jupyter.call("POST", "migrate", body)
    assert "# %% [c1]\n%env MY_API_KEY=[MY_API_KEY]\nimport google" in shown["before"]
    assert " %env MY_API_KEY=[MY_API_KEY]\n" in shown["diff"]
    assert proxy not in json.dumps(shown)
    assert KEY not in json.dumps(shown) and "openai" in shown["after"]
    assert {(one["cell"], one["index"]) for one in shown["places"]} == {("c1", 1), ("c2", 2)}
    assert jupyter.call("POST", "migrate", {**body, "write": True})["written"]
    for wrong in ({"base_url": "ftp://x"}, {"base_url": "https://a b"}, {"to": "other"}):
        assert jupyter.refused("POST", "migrate", {**body, **wrong})[0] == 400
    save(jupyter, "x.txt", "x")
    for name in ("x.txt", "none.py", ""):
        assert jupyter.refused("POST", "migrate", {**body, "path": jupyter.path(name)})[0] in (
            400, 404,
        )  # fmt: skip
    save(jupyter, "broken.py", OLD + "def (:")
    assert jupyter.refused("POST", "migrate", {**body, "path": jupyter.path("broken.py")})[0] == 422


# --- paths ---


@pytest.fixture
def canary(jupyter: Jupyter) -> Path:
    """A folder beside the root with files that nobody may see, and links that lead there."""
    folder = jupyter.root.parent / "outside"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "a.txt").write_text(CANARY)
    (folder / "a.ipynb").write_text(json.dumps(notebook(f"%%gemini\n{CANARY}")))
    (folder / "a.py").write_text(f"# {CANARY}\n{OLD}")
    prompt = json.dumps(PROMPT).replace("Name a colour", CANARY)
    (folder / "a").write_text(prompt)
    (jupyter.folder / "link").symlink_to(folder)
    (jupyter.folder / "link.ipynb").symlink_to(folder / "a.ipynb")
    (jupyter.folder / ".hidden").mkdir()
    for name in ("a.ipynb", "a.py", "a", "a.txt"):
        shutil.copy(folder / name, jupyter.folder / ".hidden" / name)
    return folder


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WAYS = ("../../outside/{}", "link/{}", ".hidden/{}", "./link/../link/{}", "//link//{}",
        "x/../../../outside/{}", "link/{}\0", "\udc80{}", "..\\..\\outside\\{}", "~/{}",
        "%2e%2e/%2e%2e/outside/{}", "link/./{}/")  # fmt: skip


#: These are names of files below the root, as Jupyter itself reads them.
STRANGE = ("~/{}", "%2e%2e/%2e%2e/outside/{}", "..\\..\\outside\\{}", "\udc80{}", "absolute")


@pytest.mark.parametrize("way", [*WAYS, "absolute"])
def test_no_path_leads_outside(jupyter: Jupyter, canary: Path, way: str) -> None:
    before = state(canary)
    save(jupyter, "good.ipynb")
    save(jupyter, "Good", PROMPT)
    good, saved = jupyter.path("good.ipynb"), jupyter.path("Good")

    def path(name: str) -> str:
        if way == "absolute":
            return str(canary / name)
        return jupyter.path(way.format(name))

    tries: list[tuple[str, dict[str, Any]]] = [
        ("migrate", {"path": path("a.py"), "to": "openai", "write": True}),
        ("import", {"path": path("a")}),
        ("import", {"path": path("")}),
        ("import", {"path": saved, "to": path("new")}),
        ("import", {"path": saved, "to": path(""), "overwrite": True}),
    ]
    for target in TARGETS:
        tries += [
            ("export", {"path": path("a.ipynb"), "target": target}),
            ("export/write", {"path": good, "target": target, "to": path("out.py")}),
            ("export/write", {"path": good, "target": target, "to": path("")}),
            ("export/write", {"path": good, "target": "curl", "form": "zip",
                              "to": path("x.zip"), "overwrite": True}),
            ("export/write", {"path": good, "target": "curl", "form": "git", "yes": True,
                              "remote": path("")}),
        ]  # fmt: skip
    for route, body in tries:
        status, content = jupyter.ask("POST", f"{API}/{route}", body)
        assert status < 500, (route, body, content)
        assert CANARY.encode() not in content
        if way not in STRANGE:
            assert status >= 400, (route, body, content)
    assert state(canary) == before


@pytest.mark.parametrize("target", TARGETS)
def test_a_prompt_brings_in_no_file_from_outside(
    jupyter: Jupyter, canary: Path, target: str
) -> None:
    for name in (canary / "a.txt", "../../outside/a.txt", "link/a.txt", ".hidden/a.txt",
                 "~/../../../../../../etc/passwd"):  # fmt: skip
        cells = (f"%%gemini {option} {name} -m gemini-2.5-flash\nlook" for option in
                 ("--file", "--image"))  # fmt: skip
        content = notebook(*cells)
        body = {"path": jupyter.path("a.ipynb"), "target": target, "content": content}
        for route, more in (("export", {}), ("export", {"options": {"freeze": True}}),
                            ("export/write", {"form": "zip", "to": jupyter.path("a.zip"),
                                              "overwrite": True})):  # fmt: skip
            if target == "aistudio" and "options" in more:
                continue
            status, answer = jupyter.ask("POST", f"{API}/{route}", {**body, **more})
            assert status < 500
            assert leaks(answer) is None, (route, name)
    for path in (jupyter.folder / "a.zip",):
        if path.exists():
            assert leaks(path.read_bytes()) is None


def leaks(content: bytes) -> str | None:
    for secret in (CANARY.encode(), b"root:x:0"):
        for text in (secret, *(base64.b64encode(b"\0" * n + secret)[4:-4] for n in range(3))):
            if text in content:
                return text.decode()
    return None


def test_a_file_beside_the_notebook_is_brought_in(jupyter: Jupyter) -> None:
    """Or else the tests above prove nothing."""
    (jupyter.folder / "a.txt").write_text(CANARY)
    content = notebook("%%gemini --file a.txt -m gemini-2.5-flash\nlook")
    for target in ("node-genai", "curl", "aistudio"):
        body = {"path": jupyter.path("a.ipynb"), "target": target, "content": content}
        assert leaks(jupyter.ask("POST", f"{API}/export", body)[1]) is not None, target


def test_nothing_is_written_through_links(jupyter: Jupyter, canary: Path) -> None:
    before = state(canary)
    (jupyter.folder / "out").mkdir()
    (jupyter.folder / "out" / "a.py").symlink_to(canary / "a.py")
    (jupyter.folder / "out" / "a.zip").symlink_to(canary / "new.zip")
    (jupyter.folder / "out" / "Good.ipynb").symlink_to(canary / "a.ipynb")
    path, good = save(jupyter, "a.ipynb"), save(jupyter, "Good", PROMPT)
    body = {"path": path, "target": "python-genai", "overwrite": True}
    for more in ({"to": jupyter.path("out")}, {"to": jupyter.path("out/a.py")},
                 {"to": jupyter.path("out/a.zip"), "form": "zip"}):  # fmt: skip
        assert jupyter.refused("POST", "export/write", {**body, **more})[0] >= 400
    given = {"path": good, "to": jupyter.path("out"), "overwrite": True}
    assert jupyter.refused("POST", "import", given)[0] >= 400
    assert state(canary) == before and not (canary / "new.zip").exists()
    assert os.path.islink(jupyter.folder / "out" / "Good.ipynb")
