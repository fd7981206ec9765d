"""The backends' state as the kernels report it: who found a key, and whom their cells ask first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gemini_magic import config, keys
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.reports import Reporter
from gemini_magic.server import backends, quota
from gemini_magic.server.desk import Desk, Given
from gemini_magic.server.places import Root
from tests.kernels import Kernel
from tests.server.lab import Jupyter, heard, notebook

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
HARBOUR = (
    '[backends.harbour]\nkind = "openai"\nbase_url = "https://{}/v1"\nkey_env = "HARBOUR_KEY"\n'
)


@pytest.fixture
def tell() -> Iterator[Callable[..., Reporter]]:
    """``tell(notebook, folder, **environ)``: what a kernel there reports."""
    with ExitStack() as open_ones:

        def report(name: str, folder: Path | None = None, **environ: str) -> Reporter:
            known = config.load(folder=folder, environ=environ)
            reporter = Reporter(Connections(known, environ))
            open_ones.callback(reporter.close)
            reporter.tell(name and str(Path(name).absolute()))
            return reporter

        yield report


def read(name: str) -> dict[str, Any]:
    return backends.one(Desk(Root(Path.cwd())), name)


def test_the_kernels_word_counts_before_the_servers(
    tell: Callable[..., Reporter], configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(HARBOUR.format("harbour.example"))
    monkeypatch.setenv("HARBOUR_KEY", KEY)
    nobody = read("harbour")
    assert nobody["key"] == {
        "needed": True, "found": True, "where": "HARBOUR_KEY", "kernels": []
    }  # fmt: skip
    tell("harbour.ipynb")
    told = read("harbour")
    assert told["key"] == {
        "needed": True,
        "found": False,
        "where": None,
        "kernels": [{"notebook": "harbour.ipynb", "where": None}],
    }
    assert told["state"] == "no key"
    with_key = [tell("deep/a.ipynb", HARBOUR_KEY=KEY), tell("", HARBOUR_KEY=KEY)]
    told = read("harbour")
    assert told["key"]["found"] and told["state"] == "ready"
    assert sorted(told["key"]["kernels"], key=str) == sorted(
        [
            {"notebook": "harbour.ipynb", "where": None},
            {"notebook": "deep/a.ipynb", "where": "environment"},
            {"notebook": None, "where": "environment"},
        ],
        key=str,
    )
    monkeypatch.delenv("HARBOUR_KEY")
    assert read("harbour")["key"]["where"] == "environment"
    for reporter in with_key:
        reporter.close()
    assert not read("harbour")["key"]["found"]


def test_a_notebook_elsewhere_is_not_named(tell: Callable[..., Reporter], tmp_path: Path) -> None:
    tell(str(tmp_path / "secret place.ipynb"))
    assert read("studio")["key"]["kernels"] == [{"notebook": None, "where": None}]


def test_what_was_stored_since_is_found_by_the_next_cell(tell: Callable[..., Reporter]) -> None:
    tell("a.ipynb")
    assert read("studio")["state"] == "no key"
    keys.store("studio", KEY, consent=lambda _: True)
    told = read("studio")
    assert told["state"] == "ready" and told["key"]["where"].endswith("keys.json")
    assert told["key"]["kernels"] == [{"notebook": "a.ipynb", "where": None}]


def test_a_backend_of_the_same_name_elsewhere_is_another(
    tell: Callable[..., Reporter], configure: Callable[[str], Path]
) -> None:
    configure(HARBOUR.format("theirs.example"))
    tell("a.ipynb", HARBOUR_KEY=KEY)
    configure(HARBOUR.format("ours.example"))
    assert read("harbour")["key"]["kernels"] == [] and read("harbour")["state"] == "no key"


def test_the_route_is_the_kernels(
    tell: Callable[..., Reporter], configure: Callable[[str], Path]
) -> None:
    configure(HARBOUR.format("harbour.example") + 'model = "m"\n')
    desk = Desk(Root(Path.cwd()))

    def routed() -> tuple[set[str], frozenset[str]]:
        rows = backends.read(desk, Given({}, {}))
        return {one["name"] for one in rows if one["in_route"]}, quota.active(desk, desk.config())

    assert routed() == ({"local"}, {"local"})  # the server has no key
    kernel = tell("a.ipynb", GEMINI_API_KEY=KEY)
    assert routed() == ({"studio"}, {"studio"})
    folder = Path("tides")
    folder.mkdir()
    (folder / "gemini_magic.toml").write_text('[settings]\nroute = "harbour"\n')
    tell("tides/b.ipynb", folder, HARBOUR_KEY=KEY)  # by the configuration of its own folder
    assert routed() == ({"studio", "harbour"}, {"studio", "harbour"})
    kernel.close()
    assert routed() == ({"harbour"}, {"harbour"})


def test_garbage_is_passed_over(home: Path, own: Jupyter) -> None:
    folder = home / "state" / "kernels"
    folder.mkdir(mode=0o700, parents=True)
    for number, content in enumerate([b"{", b"null", b'{"version": 1}', b"\xff" * 90_000, b""]):
        (folder / f"{number}-x.json").write_bytes(content)
        (folder / f"{number}-x.lock").mkdir()
    rows = own.call("GET", "backends")
    assert all(one["key"]["kernels"] == [] for one in rows)


def test_news_of_a_kernel_are_told_live(own: Jupyter, tell: Callable[..., Reporter]) -> None:
    async def talk(client: Any) -> None:
        before = (await heard(client, "kernels"))["data"]
        reporter = tell("a.ipynb")
        after = await heard(client, "kernels", lambda message: message["data"] > before)
        reporter.close()
        await heard(client, "kernels", lambda message: message["data"] > after["data"])

    own.live(talk)


@pytest.mark.kernel
def test_a_kernel_reports_with_its_first_use(
    own: Jupyter, configure: Callable[[str], Path], google_server: Any, home: Path
) -> None:
    served = google_server(key=KEY)
    configure(f'[backends.studio]\nkind = "google"\nbase_url = "{served.url}"\n')
    (own.root / "harbour.ipynb").write_text(json.dumps(notebook("%gemini hi")))

    def told(key: dict[str, Any]) -> Any:
        (studio,) = (one for one in own.call("GET", "backends") if one["name"] == "studio")
        return studio if studio["key"]["kernels"] == [key] else None

    def until(key: dict[str, Any]) -> dict[str, Any]:
        end = time.monotonic() + 60
        while (found := told(key)) is None:
            assert time.monotonic() < end, own.call("GET", "backends")
            time.sleep(0.1)
        return dict(found)

    env = {"JPY_SESSION_NAME": str(own.root / "harbour.ipynb"), "GEMINI_MAGIC_WARM_UP": "1"}
    with Kernel(env=env) as kernel:
        kernel.run("import time; time.sleep(1)")  # the warm-up reports nothing
        assert not (home / "state" / "kernels").exists()
        kernel.run("%gemini quota")
        missing = until({"notebook": "harbour.ipynb", "where": None})
        assert missing["state"] == "no key" and not missing["in_route"]
        done = kernel.run(f"%env GEMINI_API_KEY={KEY}\n%gemini hi")
        assert done.status == "ok", done.error
        found = until({"notebook": "harbour.ipynb", "where": "environment"})
        assert found["state"] == "ready" and found["in_route"]
        assert KEY not in "".join(
            path.read_text() for path in (home / "state" / "kernels").iterdir()
        )
        kernel.manager.shutdown_kernel()  # as Jupyter does it
    (studio,) = (one for one in own.call("GET", "backends") if one["name"] == "studio")
    assert studio["key"]["kernels"] == []
