"""Uploads: the old SDK's address is built in, so the migrated program meets the strict service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.migrate.program import migrate
from tests.wire.google import GoogleServer

PROGRAM = """\
import time
import google.generativeai as genai

genai.configure(api_key=KEY, client_options={"api_endpoint": ENDPOINT})

def upload_to_gemini(path, mime_type=None):
    file = genai.upload_file(path, mime_type=mime_type)
    print(f"Uploaded file '{file.display_name}' as: {file.uri}")
    return file

def wait_for_files_active(files):
    for name in (file.name for file in files):
        file = genai.get_file(name)
        while file.state.name == "PROCESSING":
            file = genai.get_file(name)
        if file.state.name != "ACTIVE":
            raise Exception(f"File {file.name} failed to process")

model = genai.GenerativeModel(
  model_name="gemini-2.5-flash",
  generation_config={"temperature": 1, "top_k": 64, "response_mime_type": "text/plain"},
  system_instruction="Be brief.",
)
files = [
  upload_to_gemini("film.mp4", mime_type="video/mp4"),
  upload_to_gemini("note.txt"),
]
wait_for_files_active(files)
chat_session = model.start_chat(
  history=[
    {"role": "user", "parts": [files[0], "What is this?"]},
    {"role": "model", "parts": ["A film."]},
  ]
)
response = chat_session.send_message([files[1], "And this?"])
print(response.text)
for file in files:
    genai.delete_file(file.name)
"""


def test_get_code_with_files(
    google_server: Callable[[], GoogleServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = google_server()
    server.processing = 2
    Path("film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    Path("note.txt").write_text("hello", "utf-8")
    made = migrate(PROGRAM)
    assert [place.rule for place in made.places if place.verdict != "done"] == ["configure"]
    space: dict[str, Any] = {"KEY": server.key, "ENDPOINT": server.url}
    exec(made.text, space)
    (asked,) = [request for request in server.requests if request.op == "generate"]
    contents = asked.json["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    kinds = [sorted(part)[0] for content in contents for part in content["parts"]]
    assert kinds == ["fileData", "text", "text", "fileData", "text"]
    assert asked.json["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert asked.path.startswith("/v1beta/")
    assert not server.files
    assert "And this?" in capsys.readouterr().out
