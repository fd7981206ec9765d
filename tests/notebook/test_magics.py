"""Loading, unloading, names, help and settings, in real IPython processes without a server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels import Kernel
from tests.wire import Answer


def ipython(*lines: str, env: dict[str, str] | None = None) -> str:
    """What a fresh terminal IPython prints for these lines."""
    command = [
        sys.executable,
        "-m",
        "IPython",
        "--no-banner",
        "--simple-prompt",
        "--colors=NoColor",
    ]
    done = subprocess.run(
        [*command, "--HistoryManager.enabled=False", "-c", "\n".join(lines)],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_loading_prints_nothing_and_imports_neither_sdk_nor_pydantic_nor_the_network() -> None:
    out = ipython(
        "import sys, socket",
        "before = set(sys.modules)",
        "socket.socket.connect = None",
        "%load_ext gemini_magic",
        "new = set(sys.modules) - before",
        "print(sorted(m for m in new if m.startswith('gemini_magic')))",
        "print(sorted({m.partition('.')[0] for m in new} & {'pydantic', 'google', 'openai',"
        " 'httpx2', 'httpx', 'xllamacpp', 'nbformat', 'ipywidgets', 'sqlite3'}))",
    )
    names, heavy = out.strip().splitlines()
    assert "gemini_magic.notebook.magics" in names and "session" not in names
    assert heavy == "[]"


def test_a_name_taken_over_is_told_in_one_line_and_can_be_another() -> None:
    lines = (
        "from IPython.core.magic import register_cell_magic",
        "@register_cell_magic",
        "def gemini(line, cell): print('foreign')",
        "%load_ext gemini_magic",
    )
    assert ipython(*lines).strip() == "gemini_magic: %%gemini was __main__'s and is ours now."
    out = ipython(
        *lines,
        "get_ipython().run_cell('%%gemini\\nx')",
        "get_ipython().run_cell('%%gm --dry-run -m local\\nhello')",
        env={"GEMINI_MAGIC_MAGIC_NAME": "gm"},
    )
    assert out.startswith("foreign") and "would ask  qwen2.5-coder-0.5b on local" in out


def test_unloading_leaves_nothing_behind() -> None:
    out = ipython(
        "ip = get_ipython()",
        "before = len(ip.input_transformers_cleanup), len(ip.Completer.custom_matchers)",
        "%load_ext gemini_magic",
        "%reload_ext gemini_magic",
        "%unload_ext gemini_magic",
        "after = len(ip.input_transformers_cleanup), len(ip.Completer.custom_matchers)",
        "print(before == after, 'gemini' in ip.magics_manager.magics['cell'])",
        "print([c for c in ip.configurables if type(c).__name__ == 'GeminiMagic'])",
    )
    assert out.split("\n")[:2] == ["True False", "[]"]


def test_a_misspelt_setting_is_refused() -> None:
    out = ipython("%load_ext gemini_magic", "%config GeminiMagic.modle = 'x'")
    assert "no setting 'modle'" in out and "Did you mean model" in out and "Traceback" not in out


@pytest.mark.kernel
def test_help_is_the_same_everywhere(kernel: Kernel) -> None:
    shown = [kernel.run(cell).text.strip() for cell in ("%%gemini --help", "%gemini help")]
    (page,) = kernel.run("%%gemini?").payload
    assert shown[0] == shown[1]
    assert all(line in page["data"]["text/plain"] for line in shown[0].splitlines())
    assert "--temperature" in shown[0] and "%gemini doctor" in shown[0]
    assert "--send asks one tiny question" in kernel.run("%gemini help doctor").text


@pytest.mark.kernel
def test_reserved_words_are_no_prompts(kernel: Kernel) -> None:
    for word in ("quota", "limits", "usage", "advise", "cache", "gallery", "panel", "export",
                 "code", "import", "migrate"):  # fmt: skip
        done = kernel.run(f"%gemini {word} of something")
        assert (done.status, done.ename) == ("error", "UsageError")
        assert f"%gemini -- {word} of something" in done.error


def test_the_terminal_streams_plain_text(openai_server, configure) -> None:
    server = openai_server(Answer(chunks=["Pa", "ris\x1b[31m", "!"], delay=0.01), key="")
    configure(f'[backends.test]\nkind = "openai"\nbase_url = "{server.url}"\n')
    out = ipython(
        "%load_ext gemini_magic",
        "get_ipython().run_cell('%%gemini -m test:gemini-2.5-flash\\ncapital of France?')",
        "print(repr(_.text))",
    )
    first, footer, *rest = out.strip().splitlines()
    assert first == "Paris[31m!"
    assert footer.startswith("[gemini-2.5-flash · test · ") and rest == [r"'Paris\x1b[31m!'"]


def test_configuration_from_ipythons_own_file(tmp_path: Path) -> None:
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(
        "c.InteractiveShellApp.extensions = ['gemini_magic']\n"
        "c.GeminiMagic.model = 'local'\nc.GeminiMagic.magic_name = 'ask'\n"
    )
    out = ipython(
        "get_ipython().run_cell('%%ask --dry-run\\nhello')",
        env={"IPYTHONDIR": str(tmp_path / "ipython")},
    )
    assert "would ask  qwen2.5-coder-0.5b on local" in out


@pytest.mark.kernel
def test_a_key_is_typed_unseen_and_kept_after_consent(
    kernel: Kernel, home: Path, google_server, configure
) -> None:
    server = google_server(Answer(text="fine"), key="AIzaTYPEDtypedTYPEDtyped")
    configure(
        f"""
        [backends.test]
        kind = "google"
        base_url = "{server.url}"
        key_env = "SOME_KEY"
        """
    )
    done = kernel.run("%gemini key test")
    assert done.ename == "UsageError" and "SOME_KEY" in done.error
    asked: list[tuple[str, bool]] = []
    done = kernel.run_and_type(
        "%gemini key test", lambda prompt, hidden: asked.append((prompt, hidden)) or
        ("y" if asked[1:] else f" {server.key}\n")
    )  # fmt: skip
    assert done.status == "ok", done.error
    assert [hidden for _, hidden in asked] == [True, False] and server.key not in done.text
    (file,) = (home / "data").glob("keys*")
    assert file.stat().st_mode & 0o077 == 0
    assert kernel.run("%%gemini -m test:gemini-2.5-flash\nhello").status == "ok"


def test_a_cell_can_be_typed_over_several_lines() -> None:
    out = ipython(
        "ip = get_ipython()",
        "def state(): return [ip.input_transformer_manager.check_complete(text)[0] for text in"
        " ('%%gemini', '%%gemini\\nhello', '%gemini hello', 'x = 1')]",
        "before = state()",
        "%load_ext gemini_magic",
        "print(before == state(), state()[0])",
    )
    assert out.strip() == "True incomplete"


def test_a_broken_configuration_does_not_disturb_loading(configure) -> None:
    configure("[settings\n")
    out = ipython(
        "%load_ext gemini_magic",
        "import threading",
        "[t.join() for t in threading.enumerate() if 'warm-up' in t.name]",
        env={"GEMINI_MAGIC_WARM_UP": "1"},
    )
    assert "Traceback" not in out and "gemini_magic" not in out


def test_a_run_alive_at_exit_is_logged_in_silence(openai_server, configure, home: Path) -> None:
    server = openai_server(Answer(chunks=["word "] * 100, delay=0.1), key="")
    configure(f'[backends.test]\nkind = "openai"\nbase_url = "{server.url}"\n')
    out = ipython(
        "%load_ext gemini_magic",
        "session = get_ipython().magics_manager.registry['GeminiMagic'].session",
        "from gemini_magic.types import Message, Part, Request, Target",
        "request = Request((Message('user', (Part('hello'),)),))",
        "run = session.engine.stream(request, [Target('test', 'gemini-2.5-flash')])",
        "import time",
        "while not run.reply.text: time.sleep(0.01)",
    )
    assert out.strip() == ""
    import sqlite3

    with sqlite3.connect(home / "state" / "runs.db") as database:
        rows = database.execute("SELECT finish_reason, text FROM runs").fetchall()
    assert len(rows) == 1 and rows[0][0] == "CANCELLED" and rows[0][1].startswith("word ")


@pytest.mark.kernel
def test_help_names_the_magic_as_it_is_called() -> None:
    with Kernel(env={"GEMINI_MAGIC_MAGIC_NAME": "gm"}) as kernel:
        (page,) = kernel.run("%%gm?").payload
        assert "%gm doctor" in page["data"]["text/plain"]


def test_the_warm_up_imports_the_sdk_and_asks_nobody(configure) -> None:
    configure(
        '[settings]\nroute = "test"\n'
        '[backends.test]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    )
    out = ipython(
        "import socket, sys, time",
        "socket.socket.connect = lambda *_: print('connected')",
        "%load_ext gemini_magic",
        "until = time.monotonic() + 20",
        "def warm(): return 'openai.resources.chat' in sys.modules",
        "while not warm() and time.monotonic() < until: time.sleep(0.05)",
        "print(warm())",
        env={"GEMINI_MAGIC_WARM_UP": "1"},
    )
    assert out.strip() == "True"
