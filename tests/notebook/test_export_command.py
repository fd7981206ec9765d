"""``%gemini export`` in real kernels: which notebook it finds, and what it writes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from gemini_magic.cli import main
from gemini_magic.errors import UsageError
from gemini_magic.notebook.commands import _unquoted
from gemini_magic.notebook.this_notebook import notebook_path, saved_when
from tests.convert.lab import document
from tests.jupyter_server import Server
from tests.kernels import Kernel

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"


def written(name: str, *cells: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(*cells)), "utf-8")
    return path


@pytest.mark.kernel
def test_the_notebook_that_it_runs_in() -> None:
    path = written("my notes/Über uns.ipynb", "x = 1", "%%gemini -m studio:gemini-2.5-pro\n{{ x }}")
    saved = time.time() - 130
    os.utime(path, (saved, saved))
    main(["export", str(path), "-o", "ours.py"])
    with Kernel(env={"JPY_SESSION_NAME": str(path.absolute())}) as kernel:
        done = kernel.run("%gemini export")
        assert done.status == "ok", done.error
        assert "Über uns.ipynb as it was saved" in done.text and "2 minutes ago" in done.text
        script = path.with_suffix(".py")
        assert script.read_bytes() == Path("ours.py").read_bytes()
        assert kernel.run("%gemini export").status == "ok"  # nothing new, nothing to ask
        script.write_text("mine", "utf-8")
        done = kernel.run("%gemini export")
        assert done.ename == "InTheWay" and "--force" in done.error
        assert script.read_text("utf-8") == "mine"
        assert kernel.run("%gemini export --force").status == "ok"
        assert kernel.run("%gemini export --check").status == "ok"
        script.write_text("mine", "utf-8")
        done = kernel.run("%gemini export --check")
        assert done.ename == "NotUpToDate" and "%gemini export" in done.error
        done = kernel.run("%gemini export -o - --to python-openai")
        assert "chat.completions.create" in done.text
        done = kernel.run('%gemini export "my notes" -o "an other/"')
        assert done.status == "ok" and Path("an other/Über uns.py").exists()
        for words in ("--to cobol", "--nonsense", "a b c --check -o -", '"open', "none*.ipynb"):
            done = kernel.run(f"%gemini export {words}")
            assert done.ename == "UsageError" and len(done.traceback) <= 3, words
        help_text = " ".join(kernel.run("%gemini export --help").text.split())
        assert "--freeze" in help_text and "this notebook" in help_text
        matches = kernel.complete("%gemini export --fr")["matches"]
        assert matches == ["--freeze"]
        assert "python-openai" in kernel.complete("%gemini export --to py")["matches"]
        assert "ours.py" in kernel.complete("%gemini export ou")["matches"]
        path.rename("elsewhere.ipynb")
        done = kernel.run("%gemini export")
        assert done.ename == "UsageError" and "is there no more" in done.error


@pytest.mark.kernel
def test_a_kernel_that_was_not_told(kernel: Kernel) -> None:
    done = kernel.run("%gemini export")
    assert done.ename == "UsageError" and "%gemini export FILE.ipynb" in done.error
    written("a.ipynb", f"key = '{KEY}'")
    done = kernel.run("%gemini export a.ipynb")
    assert done.ename == "KeyFound" and KEY not in str(done.messages)
    assert not list(Path().glob("*.py"))
    vs_code = Path("a.ipynb").absolute()
    kernel.run(f"__vsc_ipynb_file__ = {str(vs_code)!r}")
    assert "--lift-keys" in kernel.run("%gemini export").error
    done = kernel.run("%gemini export --lift-keys")
    assert done.status == "ok" and "os.environ" in Path("a.py").read_text("utf-8")


@pytest.mark.kernel
def test_a_servers_kernel_knows_its_notebook(tmp_path: Path) -> None:
    """Sessions as JupyterLab starts them: the name with and without its folder."""
    from jupyter_client import BlockingKernelClient

    server = Server(tmp_path)
    try:
        for number, name in enumerate(("n.ipynb", "sub dir/n.ipynb")):
            path = written(f"sub dir {number}/n.ipynb", f"x = {number}")
            session = json.loads(server.get("/api/sessions", {
                "path": str(path), "type": "notebook", "kernel": {"name": "python3"},
                "name": name.replace("sub dir", f"sub dir {number}"),
            }))  # fmt: skip
            place = server.runtime / f"kernel-{session['kernel']['id']}.json"
            client = BlockingKernelClient(connection_file=str(place))
            client.load_connection_file()
            client.start_channels(hb=False)  # on a busy machine a heart skips a beat
            client.wait_for_ready(timeout=60)
            client.execute_interactive("%load_ext gemini_magic", timeout=60)
            reply = client.execute_interactive("%gemini export", timeout=60)
            assert reply["content"]["status"] == "ok", reply["content"]
            assert f"x = {number}" in path.with_suffix(".py").read_text("utf-8")
            client.stop_channels()
    finally:
        server.close()


def test_where_the_notebook_is(monkeypatch: pytest.MonkeyPatch) -> None:
    path = written("sub/a.ipynb", "x")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path.absolute()))
    assert notebook_path({}) == path.absolute()
    monkeypatch.chdir("sub")  # servers that name the folder twice
    monkeypatch.setenv("JPY_SESSION_NAME", str(Path.cwd() / "sub" / "a.ipynb"))
    assert notebook_path({}) == Path.cwd() / "a.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "8c9a7a36-0b0e")  # a console has no file
    for variables in ({}, {"__vsc_ipynb_file__": 3}, {"__vsc_ipynb_file__": "/no/such"}):
        with pytest.raises(UsageError):
            notebook_path(variables)


def test_when_it_was_saved() -> None:
    path = written("a.ipynb", "x")
    for ago, words in ((0, "just now"), (1.5, "1 second ago"), (7300, "2 hours ago"),
                       (100 * 86400, "100 days ago"), (-3600, "just now")):  # fmt: skip
        os.utime(path, (time.time() - ago,) * 2)
        assert saved_when(path).endswith(words)


def test_quoted_words() -> None:
    assert _unquoted("'a b.ipynb' -o \"x y\" #1") == ["a b.ipynb", "-o", "x y", "#1"]
    with pytest.raises(UsageError):
        _unquoted("'a")
