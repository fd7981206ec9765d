"""Imagen's generate_images: what the migrated programs ask, and that answers look as before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.program import migrate
from tests.convert.studio.lab import PNG
from tests.wire import Answer, Picture
from tests.wire.google import GoogleServer
from tests.wire.openai import OpenAIServer

PROGRAM = """\
from io import BytesIO

from google import genai
from google.genai import types
from PIL import Image

MODEL = "imagen-3.0-generate-002"
client = genai.Client(api_key=KEY, http_options={"base_url": ENDPOINT, "api_version": "v1beta"})

def draw(prompt):
    return client.models.generate_images(
        model=MODEL,  # the old one
        prompt=prompt,
        config=types.GenerateImagesConfig(number_of_images=2, aspect_ratio="16:9"),
    )

for number, one in enumerate(draw("A cat").generated_images):
    image = Image.open(BytesIO(one.image.image_bytes))
    print(number, image.size, one.image.mime_type)
"""


def test_a_gemini_model_makes_them(
    google_server: Callable[..., GoogleServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = google_server(Answer(pictures=(Picture(PNG),)), models=("gemini-3.1-flash-image",))
    made = migrate(PROGRAM)
    assert [place.verdict for place in made.places] == ["assisted"]
    assert "        model=MODEL,  # the old one\n" in made.text
    exec(made.text, {"KEY": server.key, "ENDPOINT": server.url, "__name__": "x"})
    assert capsys.readouterr().out == "0 (1, 1) image/png\n1 (1, 1) image/png\n"
    bodies = [call.json for call in server.generate_calls]
    assert len(bodies) == 2 and bodies[0] == bodies[1]
    config = bodies[0]["generationConfig"]
    assert config["responseModalities"] == ["TEXT", "IMAGE"]
    assert config["imageConfig"] == {"aspectRatio": "16:9"}
    assert bodies[0]["contents"][0]["parts"] == [{"text": "A cat"}]


def test_openais_images_api_makes_them(
    openai_server: Callable[..., OpenAIServer],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = openai_server(Answer(pictures=(Picture(PNG),)), models=("imagen-3.0-generate-002",))
    monkeypatch.setenv("PROXY_KEY", server.key)
    made = migrate(PROGRAM, Options(server.url, to="openai", key_env="PROXY_KEY"))
    assert [place.text.count("imagen-3.0-generate-002 has to be") for place in made.places] == [1]
    names: dict[str, Any] = {"KEY": "k", "ENDPOINT": "http://127.0.0.1:9", "__name__": "x"}
    exec(made.text, names)
    assert capsys.readouterr().out.startswith("0 (1, 1) image/png\n")
    names["one"].image.save("kept.png")
    assert Path("kept.png").read_bytes() == PNG and callable(names["one"].image.show)
    (asked,) = [request.json for request in server.requests if "/images/" in request.path]
    assert asked == {"model": "imagen-3.0-generate-002", "prompt": "A cat", "n": 2,
                     "size": "1536x1024", "response_format": "b64_json"}  # fmt: skip


@pytest.mark.parametrize(
    "address", [None, "https://generativelanguage.googleapis.com/v1beta/openai"]
)
def test_googles_openai_address_is_asked_for_a_model_that_it_has(address: str | None) -> None:
    made = migrate(PROGRAM, Options(address, to="openai"))
    assert 'MODEL = "gemini-3.1-flash-image"\n' in made.text and "type: ignore" not in made.text
    (place,) = made.places
    assert place.verdict == "assisted" and "has to be" not in place.text


def test_a_class_of_the_programs_own_stays() -> None:
    own = PROGRAM.replace("draw", "Picture")
    made = migrate(own, Options(to="openai")).text
    assert "class openai_Picture:" in made and "[openai_Picture(base64" in made
    assert "def Picture(prompt)" in made


@pytest.mark.parametrize("to", ["google-genai", "openai"])
def test_a_second_run_changes_nothing_and_names_that_are_taken_stay(to: str) -> None:
    options = Options(to=to)
    for text in (PROGRAM, PROGRAM.replace("draw", "generate_images"),
                 PROGRAM.replace("\n", "\r\n")):  # fmt: skip
        made = migrate(text, options)
        assert migrate(made.text, options).text == made.text != text
        assert made.text.count("\r\n") in (0, made.text.count("\n"))
    assert "client.images.generate" in made.text if to == "openai" else "ImageConfig" in made.text
    taken = migrate(PROGRAM.replace("draw", "generate_images"), options).text
    assert "return gemini_images(" in taken and "def gemini_images(" in taken


@pytest.mark.parametrize(
    ("call", "word"),
    [
        ("await client.aio.models.generate_images(model='imagen-4.0-generate-001', prompt='x')",
         "aio"),
        ("client.models.generate_images(**given)", "hidden"),
    ],
)  # fmt: skip
def test_what_is_left_is_told_and_the_file_stays(call: str, word: str) -> None:
    text = f"from google import genai\nclient = genai.Client()\nasync def f(): return {call}\n"
    made = migrate(text)
    assert made.text == text
    assert [(place.verdict, word in place.text) for place in made.places] == [("left", True)]


def test_a_model_that_is_not_known_is_told() -> None:
    text = (
        "from google import genai\nclient = genai.Client()\n"
        "def f(m): return client.models.generate_images(model=m, prompt='x')\n"
    )
    assert any("has to be one such as" in place.text for place in migrate(text).places)


def test_other_things_of_that_name_stay() -> None:
    for text in ("import other\nother.models.generate_images(1)\n",
                 "from google import genai\ndef generate_images(): ...\ngenerate_images()\n"
                 "x.models.generate_images\n"):  # fmt: skip
        assert migrate(text).text == text


def test_vertex_is_told() -> None:
    text = "import vertexai\nfrom vertexai.preview.generative_models import GenerativeModel\n"
    made = migrate(text)
    assert made.text == text
    assert [(place.verdict, place.rule, place.line) for place in made.places] == [
        ("left", "vertexai", 2)
    ]
