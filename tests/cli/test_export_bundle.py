"""``jupyter gemini export --bundle``: what is in it, that it runs, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.cli import main
from tests.convert.fixtures import PNG
from tests.convert.lab import bodies, document, ran_notebook, run_script, setting
from tests.kernels import Kernel

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
OWN = {".env.example", ".gitignore", "README.md", "requirements.txt", "node/package.json"}


def written(name: str, *cells: str | dict[str, Any]) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(*cells)), "utf-8")
    return path


def packed(*words: str, out: str = "out.zip") -> zipfile.ZipFile:
    main(["export", *words, "--bundle", out])
    return zipfile.ZipFile(io.BytesIO(Path(out).read_bytes()))


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["export", *words])
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_what_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photo.png").write_bytes(PNG)
    written("Über `uns`.ipynb", "x = 1", "%%gemini -m studio:gemini-2.5-pro --image photo.png\nHi",
            "%nonsense", "!pip install numpy")  # fmt: skip
    archive = packed("Über `uns`.ipynb")
    names = archive.namelist()
    assert names == sorted(names) and set(names) >= OWN | {"photo.png"}
    stem = "Über _uns_"
    scripts = {f"python/{stem}.py", f"python/{stem}_openai.py", f"node/{stem}.mjs",
               f"node/{stem}_openai.mjs", f"curl/{stem}.sh"}  # fmt: skip
    assert scripts <= set(names)
    rest = set(names) - OWN - scripts - {"photo.png"}
    assert all(name.startswith("inputs/") for name in rest)
    for entry in archive.infolist():
        assert entry.date_time == (1980, 1, 1, 0, 0, 0) and entry.compress_type == 0
        assert entry.external_attr >> 16 == (0o100755 if entry.filename.endswith(".sh")
                                             else 0o100644)  # fmt: skip
        if not entry.filename.endswith(".png"):
            assert b"\r" not in archive.read(entry)
    env = archive.read(".env.example").decode()
    assert "GEMINI_API_KEY=\n" in env and ".env" in archive.read(".gitignore").decode()
    needed = archive.read("requirements.txt").decode().splitlines()
    assert needed == sorted(needed) and any(one.startswith("google-genai") for one in needed)
    assert "numpy" in needed
    package = json.loads(archive.read("node/package.json"))
    assert set(package["dependencies"]) == {"@google/genai", "openai"}
    assert package["engines"] == {"node": ">=22"} and package["private"] is True
    readme = archive.read("README.md").decode()
    assert "uv run --env-file .env 'python/Über _uns_.py'" in readme
    assert "%nonsense" in readme and "`Über 'uns'.ipynb`" in readme
    assert "python/Über _uns_.py" in capsys.readouterr().err


def test_the_same_bytes_whenever_and_wherever(tmp_path: Path) -> None:
    made = []
    for folder, seed, zone in (("a", "1", "UTC"), ("b", "2", "Asia/Tokyo")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "n.ipynb").write_text(json.dumps(document("x = 1", "%gemini Hi")))
        os.utime(tmp_path / folder / "n.ipynb", (1e9 + len(made), 1e9))
        subprocess.run(
            [sys.executable, "-m", "gemini_magic", "export", "n.ipynb", "--bundle", "o.zip"],
            cwd=tmp_path / folder, check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
        )  # fmt: skip
        made.append((tmp_path / folder / "o.zip").read_bytes())
        time.sleep(0.01)
    assert made[0] == made[1]


def test_check_and_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    words = ["a.ipynb", "--bundle", "out.zip"]
    assert "is missing" in failure(capsys, *words, "--check") and not Path("out.zip").exists()
    main(["export", *words])
    main(["export", *words, "--check"])
    written("a.ipynb", "x = 2")
    capsys.readouterr()
    shown = failure(capsys, *words, "--check")
    assert "jupyter gemini export a.ipynb --bundle out.zip --force" in shown
    assert "there already" in failure(capsys, *words)
    main(["export", *words, "--force"])
    main(["export", *words, "--check"])
    Path("folder").mkdir()
    assert "folder" in failure(capsys, "a.ipynb", "--bundle", "folder")
    assert "-o" in failure(capsys, *words, "-o", "x")
    before = Path("a.ipynb").read_bytes()
    assert "itself" in failure(capsys, "a.ipynb", "--bundle", "a.ipynb", "--force")
    assert Path("a.ipynb").read_bytes() == before


def test_two_notebooks_and_names_that_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    written("b.ipynb", "y = 1")
    names = packed("a.ipynb", "b.ipynb", "--to", "python-genai").namelist()
    assert {"python/a.py", "python/b.py"} <= set(names) and "node/package.json" not in names
    written("sub/a.ipynb", "z = 1")
    shown = failure(capsys, "a.ipynb", "sub/a.ipynb", "--bundle", "two.zip")
    assert "two notebooks" in shown and not Path("two.zip").exists()
    Path("README.md").write_text("mine", "utf-8")
    written("c.ipynb", "%gemini -m studio:gemini-2.5-pro --file README.md -- Sum up")
    assert "README.md of yours" in failure(capsys, "c.ipynb", "--bundle", "c.zip")


def test_files_from_elsewhere_stay_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("private", "utf-8")
    Path("link.txt").symlink_to(outside)
    written("a.ipynb", f"%gemini -m studio:gemini-2.5-pro --file {outside} --file link.txt -- Sum")
    archive = packed("a.ipynb", "--to", "python-genai")
    assert not {name for name in archive.namelist() if name.endswith(".txt")} - OWN
    readme = archive.read("README.md").decode()
    assert f"- `{outside}`" in readme and "- `link.txt`" in readme


@pytest.mark.parametrize(
    ("cells", "where"),
    [
        ([f"key = '{KEY}'"], "cell c1"),
        (["%gemini -m studio:gemini-2.5-pro --file notes.txt -- Sum"], "line 2 of notes.txt"),
    ],
)
def test_a_key_is_refused(cells: list[str], where: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text(f"one\n{KEY}\n", "utf-8")
    written("a.ipynb", *cells)
    words = ["a.ipynb", "--bundle", "out.zip", "--to", "python-genai"]
    shown = failure(capsys, *words)
    assert where in shown and "--lift-keys" in shown and KEY not in shown
    assert not Path("out.zip").exists()


def test_lifted_keys_are_in_no_file() -> None:
    other = "sk-" + "proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4"
    cells = [
        f"import openai\nclient = openai.OpenAI(api_key='{other}')\n# was {KEY}",
        f"headers = {{'Authorization': 'Bearer {KEY}'}}",
        {"cell_type": "markdown", "source": f"My key is {KEY}"},
        f"second = '{KEY[:-1]}x'",
    ]
    before = written("a.ipynb", *cells).read_bytes()
    archive = packed("a.ipynb", "--lift-keys")
    for name in archive.namelist():
        text = archive.read(name).decode()
        assert KEY[:-1] not in text and other not in text, name
    script = archive.read("python/a.py").decode()
    assert 'api_key=os.environ["OPENAI_API_KEY"]' in script
    assert '("Bearer " + os.environ["GEMINI_API_KEY"])' in script
    assert 'second = os.environ["GEMINI_API_KEY_2"]' in script and "<GEMINI_API_KEY>" in script
    env = archive.read(".env.example").decode().splitlines()
    assert {"OPENAI_API_KEY=", "GEMINI_API_KEY=", "GEMINI_API_KEY_2="} <= set(env)
    assert Path("a.ipynb").read_bytes() == before


def test_a_key_in_a_prompt_cannot_be_lifted(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", f"%%gemini\nIs {KEY} a key?")
    shown = failure(capsys, "a.ipynb", "--bundle", "out.zip", "--lift-keys")
    assert "cell c1" in shown and KEY not in shown and not Path("out.zip").exists()


def test_it_runs(google_server, openai_server, configure, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    google, openai = google_server(), openai_server()
    configure(setting(google, openai, "gem:gemini-2.5-flash"))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    Path("photo.png").write_bytes(PNG * 100)
    written("a.ipynb", "%%gemini --image photo.png\nWhat is it?")
    archive = packed("a.ipynb")
    out = tmp_path / "out"
    archive.extractall(out)
    done = run_script((out / "python/a.py").read_text("utf-8"), out)
    assert done.returncode == 0, done.stderr
    (wanted,) = bodies(google)
    google.clear()
    done = subprocess.run(
        ["bash", "curl/a.sh"], cwd=out, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = bodies(google)
    assert found[0].partition("?")[0] == wanted[0].partition("?")[0]
    pictures = [
        base64.urlsafe_b64decode(part["inlineData"]["data"].replace("+", "-").replace("/", "_"))
        for call in (found, wanted)
        for part in call[1]["contents"][0]["parts"]
        if "inlineData" in part
    ]
    assert pictures == [PNG * 100] * 2  # read from inputs/, and from the file's own place


@pytest.mark.kernel
def test_what_was_frozen_runs_without_the_notebook(
    google_server, openai_server, configure, monkeypatch, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    google, openai = google_server(), openai_server()
    configure(setting(google, openai, "gem:gemini-2.5-flash"))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    Path("photo.png").write_bytes(PNG * 100)
    cells = ["from pathlib import Path\npicture = Path('photo.png')",
             "%%gemini\nWhat is {{ picture }}?"]  # fmt: skip
    with Kernel() as kernel:
        rows = ran_notebook(cells, kernel)
    wanted = google.generate_calls[-1].json["contents"]
    written("a.ipynb", *rows)
    archive = packed("a.ipynb", "--freeze")
    Path("photo.png").unlink()
    out = tmp_path / "out"
    archive.extractall(out)
    assert [name for name in archive.namelist() if name.startswith("inputs/")]
    for command in (
        [sys.executable, "python/a.py"], [sys.executable, str(out / "python" / "a.py")],
        ["bash", "curl/a.sh"],
    ):  # fmt: skip
        google.clear()
        done = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        (call,) = google.generate_calls
        assert _decoded(call.json["contents"]) == _decoded(wanted)


def _decoded(contents: Any) -> list[Any]:
    """The parts, with bytes for base64, of which there are two alphabets."""
    return [
        base64.urlsafe_b64decode(part["inlineData"]["data"].replace("+", "-").replace("/", "_"))
        if "inlineData" in part
        else part
        for message in contents
        for part in message["parts"]
    ]
