"""Imported notebooks run: real kernel, real SDK, a strict server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest

from gemini_magic.cell import GeminiCell
from gemini_magic.convert.studio.importing import import_path
from gemini_magic.errors import GeminiMagicError
from gemini_magic.notebook.drawn import drawn
from tests.convert.studio.lab import (
    PNG,
    chat,
    encoded,
    imported,
    model,
    put_beside,
    user,
)
from tests.convert.studio.test_back import FULL, PIRATE, ROWS, TEXT
from tests.convert.studio.test_code import FUNCTIONS, read
from tests.corpus import ALL
from tests.wire import Answer, Call

pytestmark = pytest.mark.kernel

TEMPLATES = "google+generative-ai-docs__templates__"
CORPUS = os.environ.get("GEMINI_MAGIC_CORPUS", "")
MODELS = ("gemini-2.5-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview",
          "gemini-3-flash-preview", "gemini-3.1-flash-image", "gemini-3.8-flash",
          "gemini-2.5-pro", "gemini-3.1-flash-lite", "gemini-3.8-flash-tts")  # fmt: skip


@contextmanager
def asked_at(server: Any, configure: Any) -> Iterator[None]:
    """Cells ask this server."""
    configure(
        '[settings]\nroute = "gem"\n[backends.gem]\nkind = "google"\n'
        f'base_url = "{server.url}"\nkey_env = "GEM_KEY"\n'
    )
    os.environ["GEM_KEY"] = server.key
    try:
        yield
    finally:
        del os.environ["GEM_KEY"]


def play(notebook: Any, google_server: Any, configure: Any, kernel: Any) -> list[Any]:
    """Run all cells of a notebook; the bodies that the server was sent."""
    server = google_server(Answer(text='{"a": "b", "entries": []}'), models=MODELS)
    with asked_at(server, configure):
        fresh = kernel.fresh()
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                done = fresh.run(cell["source"], cell_id=cell["id"])
                assert done.status == "ok", f"{cell['source']}\n{done.evalue}"
        return [call.json for call in server.generate_calls]


@pytest.mark.parametrize("document", [FULL, ROWS, TEXT, PIRATE],
                         ids=["full", "rows", "text", "pirate"])  # fmt: skip
def test_they_run(document: Any, google_server, configure, shared_kernel) -> None:  # type: ignore[no-untyped-def]
    made = imported(document)
    asking = [cell for cell in made.notebook["cells"] if cell["source"].startswith("%%gemini")]
    bodies = play(made.notebook, google_server, configure, shared_kernel)
    assert len(bodies) == len(asking)


def test_what_is_sent(google_server, configure, shared_kernel) -> None:  # type: ignore[no-untyped-def]
    document = chat(
        {"inlineImage": {"mimeType": "image/png", "data": encoded(PNG)}, "role": "user"},
        user("What {{ is }} it?"), model("old"), user("Sure?"),
        system="Be {{ brief }}.", thinkingBudget=0, enableSearchAsATool=True,
        safetySettings=[{"category": f"HARM_CATEGORY_{harm}", "threshold": "BLOCK_NONE"} for harm in
                        ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")],
    )  # fmt: skip
    first, second = play(imported(document).notebook, google_server, configure, shared_kernel)
    image, text = first["contents"][0]["parts"]
    assert image["inlineData"]["data"] == encoded(PNG) and text["text"] == "What {{ is }} it?"
    assert first["systemInstruction"]["parts"] == [{"text": "Be {{ brief }}."}]
    config = first["generationConfig"]
    assert (config["temperature"], config["topP"], config["topK"]) == (1.0, 0.95, 64)
    assert config["maxOutputTokens"] == 65536
    thinking = {"include_thoughts": False, "thinking_budget": 0}  # as the SDK writes it
    assert config["thinkingConfig"] == thinking
    assert {row["threshold"] for row in first["safetySettings"]} == {"BLOCK_NONE"}
    assert first["tools"] == [{"googleSearch": {}}]
    assert [one["role"] for one in second["contents"]] == ["user", "model", "user"]
    assert second["contents"][2]["parts"] == [{"text": "Sure?"}]


def test_prompts_of_every_kind_arrive_byte_for_byte(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    texts = [text for text in ALL.values() if text.strip() and "\0" not in text]
    chunks = [chunk for text in texts for chunk in (user(text), model("a"))]
    notebook = imported(chat(*chunks)).notebook
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("--chat my_prompt ", "--quiet ", 1)
    bodies = play(notebook, google_server, configure, shared_kernel)
    sent = ["".join(part["text"] for part in body["contents"][-1]["parts"]) for body in bodies]
    assert sent == texts


def test_an_imported_answer_looks_as_that_of_a_run(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    text = "# One\n\n**two** <b>three</b> ![four](https://example.org/a.png)\n"
    made = imported(chat(user("q"), model(text)))
    (cell,) = [one for one in made.notebook["cells"] if one["source"].startswith("%%gemini")]
    server = google_server(Answer(text=text), models=MODELS)
    with asked_at(server, configure):
        done = shared_kernel.fresh().run(cell["source"], cell_id="c")
    ran, kept = done.outputs, cell["outputs"]
    assert [set(one["data"]) for one in ran] == [set(one["data"]) for one in kept]
    assert ran[0]["data"] == kept[0]["data"]
    told, imported_told = (one[0]["metadata"]["gemini_magic"] for one in (ran, kept))
    assert set(told) == set(imported_told) and told["template"] == imported_told["template"]


CODE = """
import base64
import os
from google import genai
from google.genai import types


def generate():
    client = genai.Client(api_key=os.environ.get("GEM_KEY"))
    model = "gemini-2.5-flash"
    contents = [
        types.Content(role="user", parts=[
            types.Part.from_bytes(mime_type="image/png",
                                  data=base64.b64decode(\"\"\"PICTURE\"\"\")),
            types.Part.from_text(text=\"\"\"What is {this}, \\\\ "it", {{ x }}?\"\"\"),
        ]),
    ]
    tools = [types.Tool(googleSearch=types.GoogleSearch()),
             types.Tool(url_context=types.UrlContext())]
    generate_content_config = types.GenerateContentConfig(
        temperature=0.4, top_p=0.9, max_output_tokens=2048, stop_sequences=["END"],
        thinking_config=types.ThinkingConfig(thinking_budget=512),
        safety_settings=[
            types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),
            types.SafetySetting(category="HARM_CATEGORY_HATE_SPEECH", threshold="BLOCK_NONE"),
            types.SafetySetting(category="HARM_CATEGORY_SEXUALLY_EXPLICIT", threshold="BLOCK_NONE"),
            types.SafetySetting(category="HARM_CATEGORY_DANGEROUS_CONTENT", threshold="BLOCK_NONE"),
        ],
        tools=tools,
        system_instruction=[types.Part.from_text(text=\"\"\"Be brief.\nBe kind.\"\"\")],
    )
    for chunk in client.models.generate_content_stream(
        model=model, contents=contents, config=generate_content_config,
    ):
        print(chunk.text, end="")


if __name__ == "__main__":
    generate()
"""


def test_code_and_its_notebook_send_the_same(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    source = CODE.replace("PICTURE", encoded(PNG))
    Path("code.py").write_text(source, "utf-8")
    server = google_server(models=MODELS)
    env = {**os.environ, "GEM_KEY": server.key, "GOOGLE_GEMINI_BASE_URL": server.url}
    done = subprocess.run([sys.executable, "code.py"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wanted,) = [call.json for call in server.generate_calls]

    (outcome,) = import_path(Path("code.py"), drawn)
    assert outcome.imported is not None
    put_beside(outcome.imported, Path.cwd())
    (found,) = play(outcome.imported.notebook, google_server, configure, shared_kernel)
    found["generationConfig"]["thinkingConfig"].pop("include_thoughts")  # cells show thoughts
    for body in (wanted, found):
        body["systemInstruction"].pop("role", None)
    assert found == wanted


def test_functions_of_the_code_are_called_by_its_cell(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    made = read(FUNCTIONS)
    server = google_server(
        [Answer(calls=(Call("weather", {"city": "Rome"}),)), Answer(text="Warm."),
         Answer(text='[{"kind": "sun"}]'), Answer(text='{"kind": "sun", "days": [1]}')],
        models=MODELS,
    )  # fmt: skip
    with asked_at(server, configure):
        fresh = shared_kernel.fresh()
        for cell in made.notebook["cells"]:
            if cell["cell_type"] == "code":
                done = fresh.run(cell["source"], cell_id=cell["id"])
                assert done.status == "ok", done.error
    first, second, third, fourth = (call.json for call in server.generate_calls)
    (declared,) = first["tools"][0]["functionDeclarations"]
    assert (declared["name"], declared["description"]) == ("weather", "The weather of a city.")
    (given,) = [part["functionResponse"] for part in second["contents"][-1]["parts"]]
    assert "4 C on 2026-01-01" in json.dumps(given["response"])
    for body in (third, fourth):
        assert "sun" in json.dumps(body["generationConfig"])


@pytest.mark.skipif(not CORPUS, reason="GEMINI_MAGIC_CORPUS names no folder")
def test_the_corpus_runs(google_server, configure, shared_kernel) -> None:  # type: ignore[no-untyped-def]
    """Whatever lies beside the folder, as AI Studio gave it; each file of it asks something."""
    folder = Path(CORPUS).parent / "aistudio"
    if not folder.is_dir():
        pytest.skip("there is nothing of AI Studio's beside the folder")
    for path in sorted(folder.iterdir()):
        outcomes = import_path(path, drawn)
        made = [one.imported for one in outcomes if one.imported]
        assert made and not any(one.error for one in outcomes), path.name
        for one in made:
            put_beside(one, Path.cwd())
            asking = [cell for cell in one.notebook["cells"]
                      if "".join(cell["source"]).startswith("%%gemini")]  # fmt: skip
            assert asking, one.origin
            bodies = play(one.notebook, google_server, configure, shared_kernel)
            assert len(bodies) == len(asking), one.origin
            nbformat.reads(json.dumps(one.notebook), 4)  # type: ignore[no-untyped-call]


@pytest.mark.skipif(not CORPUS, reason="GEMINI_MAGIC_CORPUS names no folder")
def test_templates_and_cells_of_others_in_the_corpus_run(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    """Google's templates as they are; of other notebooks the cells that became ours."""
    found = []
    for path in sorted(Path(CORPUS).rglob("*.ipynb")):
        with suppress(GeminiMagicError):
            found += [(path.name, one.imported) for one in import_path(path, drawn) if one.imported]
    templates = [
        made for name, made in found
        if name.startswith(TEMPLATES) and "--file http" not in json.dumps(made.notebook)
    ]  # fmt: skip
    for made in templates:  # those that fetch nothing from elsewhere
        put_beside(made, Path.cwd())
        assert play(made.notebook, google_server, configure, shared_kernel)
    for name, made in found:
        for cell in made.notebook["cells"]:
            source = "".join(cell["source"])
            if source.startswith("%%gemini"):
                assert GeminiCell.parse(source).to_source(), name
