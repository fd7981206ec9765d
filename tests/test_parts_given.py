"""What ``--image`` and ``--file`` name: addresses, files and variables, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.errors import PlaceholderError
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.parts_given import given_parts
from gemini_magic.types import Part
from tests.test_web import Server, reply, serve

__all__ = ["serve"]

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PICTURE = Part(data=PNG, mime_type="image/png")


def given(option: str, text: str, /, **variables: Any) -> tuple[Part, ...]:
    return given_parts(option, text, Namespace(variables).value)


def nothing(expression: str) -> Any:
    raise AssertionError(f"{expression} was evaluated")


def refused(option: str, text: str, /, **variables: Any) -> PlaceholderError:
    with pytest.raises(PlaceholderError) as caught:
        given(option, text, **variables)
    assert "nothing was sent" in caught.value.what and f"--{option} " in caught.value.what
    return caught.value


# --- addresses -----------------------------------------------------------------------------------


def test_an_address_is_fetched_and_judged_by_its_content(serve: Callable[..., Server]) -> None:
    server = serve(reply(PNG, "Content-Type: text/html"))
    wanted = Part(data=PNG, mime_type="image/png", name="a b.jpg")
    assert given_parts("image", server.url("/x/a%20b.jpg?size=9"), nothing) == (wanted,)
    assert given_parts("file", server.url("/"), nothing)[0].name == "127.0.0.1"
    [text] = given_parts("file", serve(reply(b"a,b")).url("/t.csv"), nothing)
    assert text == Part(text="--- t.csv ---\na,b\n\n")


def test_an_address_that_cannot_be_fetched(serve: Callable[..., Server]) -> None:
    url = serve(reply(b"", status="404 Not Found")).url("/a.png")
    assert refused("image", url).what == (
        f"--image {url} was not fetched: 127.0.0.1 answered 404 Not Found; nothing was sent."
    )
    assert "is empty" in refused("file", serve(reply(b"")).url("/a.txt")).what
    html = refused("image", serve(reply(b"<html>", "Content-Type: image/png")).url("/a.png"))
    assert "is no picture (text)" in html.what
    with pytest.raises(PlaceholderError, match=r"a\.bin is no picture, PDF, .*nothing was sent"):
        given("file", serve(reply(b"\xff\0")).url("/a.bin"))


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=9hE5-98ZeCg",
        "https://youtube.com/watch?app=desktop&v=x",
        "https://m.youtube.com/shorts/x",
        "http://www.youtube.com/live/x",
        "https://youtu.be/x?t=5",
    ],
)
def test_a_film_of_youtube_is_left_to_the_service(url: str) -> None:
    assert given_parts("file", url, nothing) == (Part(uri=url, mime_type="video/mp4"),)
    assert "is no picture (video/mp4)" in refused("image", url).what


def test_an_object_in_googles_storage_is_left_to_the_service() -> None:
    part = Part(uri="gs://bucket/a/b.pdf", mime_type="application/pdf", name="b.pdf")
    assert given_parts("file", "gs://bucket/a/b.pdf", nothing) == (part,)
    assert "does not say what it is" in refused("file", "gs://bucket/a").what


def test_an_address_like_youtubes_is_fetched(serve: Callable[..., Server]) -> None:
    server = serve(reply(PNG))
    assert given("file", server.url("/?u=https://youtu.be/x"))[0].data == PNG
    for url in ("https://youtube.com.invalid/watch?v=x", "https://youtu.be.invalid/x"):
        assert "was not fetched" in refused("file", url).what


# --- files ---------------------------------------------------------------------------------------


def test_a_file_comes_before_a_variable_of_its_name(home: Path) -> None:
    Path("photo").write_bytes(PNG)
    wanted = (Part(data=PNG, mime_type="image/png", name="photo"),)
    assert given_parts("image", "photo", nothing) == wanted
    assert given_parts("image", str(Path("photo").resolve()), nothing) == wanted
    assert given_parts("image", "./photo", nothing) == wanted


def test_names_with_blanks_and_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    (home / "my notes.txt").write_text("mine\n")
    assert given_parts("file", "~/my notes.txt", nothing) == (
        Part(text="--- my notes.txt ---\nmine\n\n"),
    )


def test_an_empty_text_is_named_all_the_same() -> None:
    Path("a.log").touch()
    assert given("file", "a.log") == (Part(text="--- a.log ---\n\n"),)


@pytest.mark.skipif(os.name == "nt", reason="there are no such names on Windows")
def test_odd_names_are_sent_in_one_printable_line() -> None:
    for name in ("a\nb.txt", "\x1b[31m.txt"):
        Path(name).write_text("x")
        [part] = given("file", name)
        assert (part.text or "").splitlines()[1:] == ["x", ""]
        assert "\x1b" not in (part.text or "")
    raw = os.fsencode("x.png").replace(b"x", b"\xff")
    Path(os.fsdecode(raw)).write_bytes(PNG)
    [part] = given("file", os.fsdecode(raw))
    assert part.name == "?.png"


def test_what_is_no_file(tmp_path: Path) -> None:
    Path("folder").mkdir()
    assert refused("file", "folder").what == "--file folder is a folder; nothing was sent."
    assert given("image", "folder", folder=PICTURE) == (PICTURE,)
    Path("loop").symlink_to("loop")
    assert "cannot be read" in refused("file", "loop").what
    with pytest.raises(PlaceholderError, match="it is a pipe, a socket or a device"):
        given("file", "/dev/zero")
    Path("a.docx").write_bytes(b"PK\3\4\0\xff" + b"word/document.xml")
    with pytest.raises(PlaceholderError, match="a word processor's document"):
        given("file", "a.docx")


# --- variables -----------------------------------------------------------------------------------


def test_a_variable_or_an_expression() -> None:
    Path("a.txt").write_text("a")
    assert given("image", "fig", fig=PICTURE) == (PICTURE,)
    assert given("image", "figs[1]", figs=[1, PICTURE]) == (PICTURE,)
    assert given("image", "figs", figs=[PICTURE, PNG]) == (PICTURE, PICTURE)
    assert given("file", "path", path=Path("a.txt")) == (Part(text="--- a.txt ---\na\n\n"),)
    assert given("file", "text", text="some\ntext") == (Part(text="--- text ---\nsome\ntext\n\n"),)


def test_a_text_is_no_file_and_no_address() -> None:
    """A text may come from a model: it is no permission to read a file, or to ask a server."""
    Path("a.txt").write_text("a")
    for option in ("file", "image"):
        error = refused(option, "name", name="a.txt")
        assert "pathlib.Path" in error.next_step
        error = refused(option, "url", url="http://127.0.0.1:1/x.png")
        assert "http://127.0.0.1:1/x.png" in error.next_step
    error = refused("image", "poem", poem="some\ntext")
    assert error.what == "--image poem is no picture (text); nothing was sent."
    assert refused("image", "pdf", pdf=b"%PDF-1").what.startswith("--image pdf is no picture (")


def test_what_is_neither() -> None:
    Path("photo.png").write_bytes(PNG)
    error = refused("image", "phto.png", photo=PICTURE)
    here = Path.cwd()
    assert error.what == (f"--image phto.png: there is no such file in {here}; nothing was sent.")
    assert error.next_step == "Did you mean the file photo.png?"
    assert refused("image", "phto", photo=PICTURE).what == (
        f"--image phto: there is no such file in {here} and no such variable; nothing was sent."
    )
    error = refused("image", "nope.png", np=1, open=2)
    assert error.next_step == "Such files are there: photo.png."
    error = refused("image", "no/where.png")
    assert (
        error.what == f"--image no/where.png: there is no such folder: {here}/no; nothing was sent."
    )
    assert len(refused("image", f"{'x' * 90}/{'y' * 90}/z.png").what) < 350
    assert refused("image", "fotografie", foto_grafie=PICTURE).next_step == (
        "Did you mean foto_grafie?"
    )
    assert "no such file in" in refused("image", "fig.png", fig=PICTURE).what
    error = refused("file", "figs[9]", figs=[])
    assert f"no such file in {here}, and figs[9] failed: IndexError" in error.what
    for text in ("", "no/such/place.txt", "C:\\x", "*.png", "x" * 5_000, "a\0b", "a b", "(", "é\n"):
        refused("file", text)
