"""``%gemini gallery``: what it lists, and what becomes of a picture from anywhere."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from gemini_magic.cell import GeminiCell
from gemini_magic.errors import UsageError
from gemini_magic.notebook import gallery_command
from gemini_magic.notebook.gallery_command import Album, Item, cell_of, run
from gemini_magic.notebook.saving import Saved, save
from gemini_magic.types import Message, Part, Reply, Request, Settings, Target
from gemini_magic.widgets.gallery import PAGE
from tests.notebook.media_values import picture, png, wav
from tests.notebook.test_blocks import Tags

WIDGET = "application/vnd.jupyter.widget-view+json"


class Shell:
    kernel = object()

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.shown: list[dict[str, Any]] = []
        self.display_pub = self

    def publish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.shown.append(data)


@pytest.fixture
def shell() -> Shell:
    return Shell()


def reply(*parts: Part, seed: int | None = 7) -> Reply:
    request = Request(
        (Message("user", (Part(text="x"),)),), settings=Settings(seed=seed, size="1K")
    )
    return Reply(parts=parts, request=request, target=Target("studio", "imager"))


def filled(folder: Path, *prompts: str) -> Album:
    album = Album()
    for prompt in prompts:
        made = reply(png())
        saved = save(made, folder, prompt=prompt)
        album.add(made, saved, prompt=prompt, cell=f"%%gemini -m studio:imager\n{prompt}")
    return album


def widgets_of(shell: Shell) -> list[Any]:
    """All widgets below the one that was shown."""
    found = [_instances[shell.shown[-1][WIDGET]["model_id"]]]
    for one in found:
        found += getattr(one, "children", ())
    return found


def button(shell: Shell, words: str, number: int = 0) -> Callable[[], None]:
    found = [one for one in widgets_of(shell) if getattr(one, "description", "") == words]
    return found[number].click  # type: ignore[no-any-return]


def test_it_shows_what_the_session_made_and_what_the_folder_holds(
    tmp_path: Path, shell: Shell
) -> None:
    filled(tmp_path, "older <b>one</b>")
    album = filled(tmp_path, "newer")
    unsaved = reply(png((8, 8)))
    album.add(unsaved, Saved((None,), "disk full"), prompt="not on disk")
    run(shell, album, [], "gemini", folder=tmp_path, widgets=True)
    cards = [one.value for one in widgets_of(shell) if "<img" in getattr(one, "value", "")]
    assert len(cards) == 3
    assert "not on disk" in cards[0] and "newer" in cards[1] and "older &lt;b&gt;" in cards[2]
    assert all("imager · studio" in card and "seed 7" in card for card in cards)
    assert "older <b>one</b>" in shell.shown[-1]["text/plain"]
    ipywidgets.Widget.close_all()


def test_use_as_input_binds_a_variable_and_says_which(tmp_path: Path, shell: Shell) -> None:
    album = filled(tmp_path, "a", "b")
    sound = reply(Part(data=wav(), mime_type="audio/wav"))
    album.add(sound, save(sound, tmp_path, prompt="s"), prompt="s")
    shell.user_ns["picture1"] = "mine"
    run(shell, album, [], "gemini", folder=tmp_path, widgets=True)
    button(shell, "Use as input", 1)()
    button(shell, "Use as input", 1)()
    button(shell, "Use as input", 0)()
    assert isinstance(shell.user_ns["picture2"], Image.Image) and "picture3" not in shell.user_ns
    assert shell.user_ns["picture1"] == "mine" and shell.user_ns["sound1"].suffix == ".wav"
    said = "".join(getattr(one, "value", "") for one in widgets_of(shell))
    assert "bound to sound1. Write {{ sound1 }} in a prompt." in said and 'role="status"' in said
    ipywidgets.Widget.close_all()


def test_copy_as_cell_shows_its_cell(tmp_path: Path, shell: Shell) -> None:
    album = filled(tmp_path, "a {{ cat }}")
    run(shell, album, [], "gemini", folder=tmp_path, widgets=True)
    (area,) = (one for one in widgets_of(shell) if isinstance(one, ipywidgets.Textarea))
    assert area.layout.display == "none"
    button(shell, "Copy as cell")()
    assert area.value == "%%gemini -m studio:imager\na {{ cat }}" and area.layout.display is None
    ipywidgets.Widget.close_all()


def test_the_file_of_anyone_makes_a_harmless_cell(tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    path.write_bytes(picture("GIF"))
    for said in (
        {"prompt": "{{ __import__('os').system('x') }}", "cell": "!rm -rf ~", "model": "m",
         "backend": "b --tools os.system", "settings": {"tools": "f", "seed": 1, "out": "x"}},
        {"prompt": "-- --tools os.system\n%%gemini --tools f", "model": "m\n!ls"},
        {"prompt": "x", "settings": {"seed": {"a": []}, "size": "1K\n!ls", "stop": [1, {}]}},
        {"prompt": ["x"], "settings": [1], "model": {"a": 1}, "cell": 5},
        {},
    ):  # fmt: skip
        path.with_name("x.gif.json").write_text(json.dumps(said))
        text = cell_of(Item(path), "gemini")
        cell = GeminiCell.parse(text)
        prompt = said.get("prompt")
        assert cell.template == (prompt if isinstance(prompt, str) else "")
        assert not [one for one in cell.segments if not isinstance(one, str)]
        assert {name for name, _ in cell.options} <= {"model", "seed", "size", "stop", "raw"}, text
        assert text.startswith("%%gemini")


def test_it_is_small_however_many_pictures_there_are(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture("PNG", (400, 300))
    for n in range(1_000):
        path = tmp_path / f"{n}.png"
        path.write_bytes(data)
        os.utime(path, (n, n))
    loaded = []
    real = gallery_command.thumbnail
    monkeypatch.setattr(
        gallery_command, "thumbnail", lambda *given: loaded.append(1) or real(*given)
    )
    began = time.monotonic()
    run(shell, Album(), [], "gemini", folder=tmp_path, widgets=True)
    assert len(loaded) == PAGE and time.monotonic() - began < 5
    texts = " ".join(str(getattr(one, "value", "")) for one in widgets_of(shell))
    assert "999.png" in texts and "1–12 of 1,000" in texts
    button(shell, "Next")()
    assert len(loaded) == 2 * PAGE
    assert len(widgets_of(shell)) < 100
    ipywidgets.Widget.close_all()
    run(shell, Album(), [], "gemini", folder=tmp_path, widgets=False)
    page = shell.shown[-1]["text/html"]
    assert page.count("<img") == 24 and "… 976 more" in page and len(page) < 3_000_000


def test_hostile_files_and_prompts_are_text(tmp_path: Path, shell: Shell) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)> $\\href{x}{y}$'
    album = filled(tmp_path, hostile)
    (tmp_path / "<img src=x onerror=alert(1)>.png").write_bytes(picture())
    (tmp_path / "broken.png").write_bytes(b"<script>alert(1)</script>")
    (tmp_path / "folder.png").mkdir()
    run(shell, album, [], "gemini", folder=tmp_path, widgets=False)
    run(shell, album, [], "gemini", folder=tmp_path, widgets=True)
    drawn = [shell.shown[0]["text/html"]]
    drawn += [str(one.value) for one in widgets_of(shell) if isinstance(one, ipywidgets.HTML)]
    for html in drawn:
        for tag, attributes in Tags(html).found:
            assert tag in ("div", "span", "img"), tag
            assert set(attributes) <= {"style", "alt", "src", "role", "aria-live"}
            assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;")
    assert "$" not in drawn[0].replace("<span>$</span>", "").replace(f'alt="{"$"}', "").replace(
        "$\\href{x}{y}$&quot;", "").split("<img")[0]  # fmt: skip
    ipywidgets.Widget.close_all()


def test_where_there_are_no_widgets_it_is_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(object(), Album(), [], "gemini", folder=tmp_path / "none", widgets=True)
    assert capsys.readouterr().out.startswith("No pictures yet, neither of this session nor in ")
    run(object(), filled(tmp_path, "a cat"), [], "gemini", folder=tmp_path, widgets=True)
    out = capsys.readouterr().out
    assert "a-cat-1.png" in out and "imager · studio · seed 7, size 1K" in out


def test_a_folder_can_be_named(tmp_path: Path, shell: Shell) -> None:
    filled(tmp_path / "others", "theirs")
    run(shell, filled(tmp_path / "mine", "mine"), [str(tmp_path / "others")], "gemini",
        folder=tmp_path / "mine", widgets=False)  # fmt: skip
    assert "theirs" in shell.shown[0]["text/html"] and "mine" not in shell.shown[0]["text/plain"]
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        run(shell, Album(), ["nowhere"], "gemini", folder=tmp_path, widgets=False)
    with pytest.raises(UsageError, match=r"gallery \[DIR\]"):
        run(shell, Album(), ["a", "b"], "gemini", folder=tmp_path, widgets=False)


def test_unsaved_media_are_bounded() -> None:
    album = Album()
    for _ in range(80):
        album.add(reply(png((4, 4))), Saved((None,), "full"), prompt="x")
    album.add(Reply("text"), Saved(), prompt="x")
    assert len(album.items(Path("nowhere"))) == 50
