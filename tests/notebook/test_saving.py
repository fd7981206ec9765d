"""Files of pictures and sounds: names, what is in them, and what may go wrong."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gemini_magic.notebook import saving, tags
from gemini_magic.notebook.saving import Saved, read_metadata, save
from gemini_magic.types import Message, Part, Reply, Request, Settings, Target
from tests.notebook.media_values import MP4, SVG, bomb, picture, png, wav

AT = 1_790_000_000.0


def reply(*parts: Part) -> Reply:
    request = Request(
        (Message("user", (Part(text="a cat"),)),), settings=Settings(seed=7, size="1K")
    )
    return Reply(
        parts=parts, request=request, target=Target("studio", "imager"), model_version="imager-001"
    )


WAV = Part(data=wav(), mime_type="audio/wav")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_saved_picture_has_its_pixels_and_says_how_it_was_made(
    tmp_path: Path, form: str, mode: str
) -> None:
    if (form, mode) == ("JPEG", "RGBA"):
        return
    more = {"lossless": True} if form == "WEBP" and mode == "RGBA" else {}
    data = picture(form, mode=mode, **more)
    prompt = 'A cat — 猫 "quoted" <b> & \\ \x07 {{ x }}\nsecond'
    saved = save(reply(Part(data=data, mime_type="image/png")), tmp_path / "a" / "b",
                 prompt=prompt, cell="%%gemini\nx", at=AT)  # fmt: skip
    (path,) = saved.files
    assert saved == Saved((path,))
    with Image.open(path) as image, Image.open(io.BytesIO(data)) as original:
        assert image.format == form and image.mode == original.mode
        assert image.convert("RGBA").tobytes() == original.convert("RGBA").tobytes()
    found = read_metadata(path)
    assert found == {
        "prompt": prompt, "cell": "%%gemini\nx", "model": "imager-001", "asked": "imager",
        "backend": "studio", "time": "2026-09-21T14:13:20Z", "seed": 7,
        "settings": {"seed": 7, "size": "1K"}, "software": found and found["software"],
    }  # fmt: skip
    assert found["software"].startswith("gemini_magic ")
    beside = [one.name for one in path.parent.iterdir() if one.suffix == ".json"]
    assert beside == ([f"{path.name}.json"] if form == "GIF" else [])


def test_others_read_it_too(tmp_path: Path) -> None:
    jpeg = Part(data=picture("JPEG"), mime_type="image/jpeg")
    paths = save(reply(png(), jpeg, WAV), tmp_path, prompt="a cat").files
    with Image.open(paths[0]) as image:
        image.load()
        assert image.info["Description"] == "a cat" and "gemini_magic" in image.info["Software"]
    with Image.open(paths[1]) as image:
        assert b"gemini_magic" in image.info["xmp"]
        assert image.getxmp()["xmpmeta"] if _has_defused() else True
    with wave.open(str(paths[2])) as file, wave.open(io.BytesIO(wav())) as original:
        assert file.readframes(10**6) == original.readframes(10**6)
    assert read_metadata(paths[2])["prompt"] == "a cat"  # type: ignore[index]


def _has_defused() -> bool:
    from importlib.util import find_spec

    return find_spec("defusedxml") is not None


def test_raw_speech_is_saved_as_wav(tmp_path: Path) -> None:
    raw = Part(data=b"\x01\x00" * 100, mime_type="audio/L16;codec=pcm;rate=24000")
    (path,) = save(reply(raw), tmp_path, prompt="Say hi").files
    assert path.name.endswith("say-hi-1.wav")
    with wave.open(str(path)) as file:
        assert file.getframerate() == 24_000 and file.getnframes() == 100


def test_what_cannot_hold_text_gets_it_beside(tmp_path: Path) -> None:
    signed = bytearray(picture("PNG"))
    signed[33:33] = tags._png_chunk(b"caBX", b"signed")
    jpeg = picture("JPEG")
    mine = jpeg[:2] + b"\xff\xeb\0\x06JUMB" + jpeg[2:]
    streamed = wav()[:4] + b"\xff\xff\xff\xff" + wav()[8:]
    for data in (SVG, MP4, bytes(signed), mine, streamed):
        saved = save(reply(Part(data=data, mime_type="x/y")), tmp_path, prompt="p" * 5)
        (path,) = saved.files
        assert path.read_bytes() == data
        assert read_metadata(path)["prompt"] == "ppppp"  # type: ignore[index]
        assert path.with_name(path.name + ".json").exists()
    long = save(reply(Part(data=jpeg, mime_type="image/jpeg")), tmp_path, prompt="x" * 90_000)
    assert len(read_metadata(long.files[0])["prompt"]) == 90_000  # type: ignore[index]


@given(st.text(max_size=300))
def test_a_name_is_harmless_whatever_the_prompt(prompt: str) -> None:
    stem = saving._stem(prompt, "picture", AT)
    assert re.fullmatch(r"2026-09-2\d-[\w-]*\w", stem), stem
    assert len(f"{stem}-123456.webp.json".encode()) < 200
    assert not re.search(r"[\\/.:\x00-\x1f\u202a-\u202e]", stem)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("../../etc/passwd", "etc-passwd"), ("CON", "con"), ("", "picture"), ("...", "picture"),
        ("C:\\Windows\\x", "c-windows-x"), ("Ein Bär & 猫", "ein-bär-猫"), 
        ("a\0b\u202egnp", "a-b-gnp"),
        ("x" * 500, "x" * 40), ("\ud800", "picture"),
    ],
)  # fmt: skip
def test_names(tmp_path: Path, prompt: str, name: str) -> None:
    (path,) = save(reply(png()), tmp_path, prompt=prompt, at=AT).files
    assert path.parent == tmp_path and re.sub(r"^2026-09-2\d-", "", path.name) == f"{name}-1.png"
    assert read_metadata(path) is not None


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    files = [save(reply(png(), png()), tmp_path, prompt="cat", at=AT).files for _ in range(3)]
    names = [path.name.rsplit("-", 1)[1] for pair in files for path in pair]
    assert names == [f"{n}.png" for n in range(1, 7)]
    (tmp_path / f"{files[0][0].name.rsplit('-', 1)[0]}-7.png.json").write_text("mine")
    (path,) = save(reply(png()), tmp_path, prompt="cat", at=AT).files
    assert path.name.endswith("-8.png")
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


_MANY = """
import sys
from pathlib import Path
from gemini_magic.notebook.saving import save
from gemini_magic.types import Part, Reply
data = Path(sys.argv[2]).read_bytes()
reply = Reply(parts=(Part(data=data, mime_type="image/png"),))
sys.stdin.readline()
for _ in range(40):
    assert save(reply, Path(sys.argv[1]), prompt="cat").files
"""


def test_processes_at_once_take_names_of_their_own(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(picture())
    folder = tmp_path / "out"
    command = [sys.executable, "-c", _MANY, str(folder), str(source)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(3)]
    for one in started:
        one.communicate("go\n", timeout=60)
        assert one.returncode == 0
    files = list(folder.iterdir())
    assert len(files) == 120 and all(read_metadata(path) for path in files)


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"

    def link(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", link)
    saved = [save(reply(png()), folder, prompt="cat").files[0] for _ in range(3)]
    assert len(set(saved)) == 3 == len(list(folder.iterdir()))
    assert all(read_metadata(path) for path in saved)


def test_what_is_no_picture_is_not_saved(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    broken = Part(data=b"no picture", mime_type="image/png")
    saved = save(reply(broken, png(), Part(data=bomb(), mime_type="image/png")), folder, prompt="")
    assert [path is not None for path in saved.paths] == [False, True, False]
    assert len(list(folder.iterdir())) == 1 and not saved.problem
    assert save(Reply("text"), tmp_path / "never", prompt="") == Saved()
    assert not (tmp_path / "never").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    saved = save(reply(png(), png()), tmp_path / "file" / "x", prompt="cat")
    assert saved.paths == (None, None) and saved.files == ()
    assert saved.problem.startswith(f"not saved in {tmp_path / 'file' / 'x'}: ")
    assert "\n" not in saved.problem and saved.problem.endswith("the bytes are in reply.media")


_FULL = """
import resource, signal, sys
from pathlib import Path
from gemini_magic.notebook.saving import save
from gemini_magic.types import Part, Reply
small, large = (Part(data=Path(one).read_bytes(), mime_type="image/png") for one in sys.argv[2:])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
saved = save(Reply(parts=(small, large, small)), Path(sys.argv[1]), prompt="cat")
print([path is not None for path in saved.paths], saved.problem)
"""


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    small, large, folder = tmp_path / "small", tmp_path / "large", tmp_path / "out"
    small.write_bytes(picture())
    noise = Image.frombytes("RGB", (200, 200), os.urandom(120_000))
    noise.save(large, "PNG")
    command = [sys.executable, "-c", _FULL, str(folder), str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("[True, False, False] not saved in "), done.stderr
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x89PNG", picture()[:40], b"RIFF", b"RIFF\0\0\0\0WEBPXMP \xff\xff\xff\x7f",
        b"RIFF\0\0\0\0WEBPXMP \x05\0\0\0\xff\xff\xff\xff\xff", b"\xff\xd8\xff\xe1\0\0",
        b"\xff\xd8" + b"\xff\xe1\xff\xff" + tags._XMP + b"<gm:run>{&quot;a</gm:run>",
        b"\xff\xd8" + b"\xff\xe1\xff\xff" + tags._XMP + b"<gm:run>[1]</gm:run>",
        b"\x89PNG\r\n\x1a\n" + tags._png_chunk(b"iTXt", b"gemini_magic\0\0\0\0\0\xff"),
        b"\x89PNG\r\n\x1a\n" + tags._png_chunk(b"iTXt", b"gemini_magic\0\0\0\0\0" + b"[" * 100_000),
        b"RIFF\0\0\0\0WAVELIST\x10\0\0\0INFOICMT\xff\xff\xff\xff",
    ],
)  # fmt: skip
def test_a_file_of_anyone_says_nothing_or_something(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    assert read_metadata(path) is None
    path.with_name("x.png.json").write_text(json.dumps({"prompt": "p"}))
    assert read_metadata(path) in ({"prompt": "p"}, None)
    assert read_metadata(tmp_path / "none.png") is None
