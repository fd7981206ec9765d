"""The loopback Gemini is as strict about files, tools, pictures and speech as Google is."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest

from tests.backends.google_lab import FLASH, IMAGE, NEW, SPEECH
from tests.wire import Answer, GoogleServer

PLAIN = httpx2.Client(trust_env=False)
START = {
    "X-Goog-Upload-Protocol": "resumable",
    "X-Goog-Upload-Command": "start",
    "X-Goog-Upload-Header-Content-Length": "4",
    "X-Goog-Upload-Header-Content-Type": "text/plain",
}
FILE = {"file": {"mimeType": "text/plain", "sizeBytes": "4"}}


def generate(server: GoogleServer, model: str = FLASH, **body: Any) -> httpx2.Response:
    body.setdefault("contents", [{"role": "user", "parts": [{"text": "x"}]}])
    return PLAIN.post(
        f"{server.url}/v1beta/models/{model}:generateContent",
        json=body, headers={"x-goog-api-key": server.key},
    )  # fmt: skip


def begin(server: GoogleServer, body: Any = FILE, key: str = "", **more: str) -> httpx2.Response:
    headers = {**START, **{name.replace("_", "-"): value for name, value in more.items()}}
    return PLAIN.post(
        f"{server.url}/upload/v1beta/files",
        json=body, headers={**headers, "x-goog-api-key": key or server.key},
    )  # fmt: skip


def piece(url: str, data: bytes, offset: int, command: str = "upload") -> httpx2.Response:
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return PLAIN.post(url, content=data, headers=headers)


def uploaded(server: GoogleServer, key: str = "") -> dict[str, Any]:
    url = begin(server, key=key).headers["x-goog-upload-url"]
    assert piece(url, b"ab", 0).headers["x-goog-upload-status"] == "active"
    done = piece(url, b"cd", 2, "upload, finalize")
    assert done.headers["x-goog-upload-status"] == "final"
    found: dict[str, Any] = done.json()["file"]
    return found


def test_an_upload_in_pieces(google_server) -> None:
    file = uploaded(google_server())
    assert (file["sizeBytes"], file["state"]) == ("4", "ACTIVE")


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({"file": {"mimeType": "text/plain", "colour": "red"}}, {}),
        ({"file": {"mimeType": "text/html"}}, {}),
        ({"file": {"mimeType": "text/plain", "displayName": "x" * 513}}, {}),
        (FILE, {"X_Goog_Upload_Protocol": "raw"}),
        (FILE, {"X_Goog_Upload_Header_Content_Length": "many"}),
        (FILE, {"X_Goog_Upload_Header_Content_Length": "2000000001"}),
    ],
)
def test_an_upload_that_begins_badly(google_server, body: Any, more: dict[str, str]) -> None:
    assert begin(google_server(), body, **more).status_code == 400


def test_pieces_come_at_their_place_and_are_complete(google_server) -> None:
    server = google_server()
    url = begin(server).headers["x-goog-upload-url"]
    assert piece(url, b"ab", 1).status_code == 400
    assert piece(url, b"ab", 0, "finish").status_code == 400
    assert piece(url, b"ab", 0, "upload, finalize").status_code == 400
    assert piece(f"{server.url}/upload/v1beta/files?upload_id=x", b"", 0).status_code == 403
    assert server.files == {}


def test_a_file_is_its_projects_until_it_expires(google_server) -> None:
    server = google_server(Answer("x"), key={"a" * 20: "a", "b" * 20: "b"})
    file = uploaded(server, "b" * 20)
    data = {"fileData": {"fileUri": file["uri"], "mimeType": "text/plain"}}
    contents = [{"role": "user", "parts": [data]}]
    assert generate(server, contents=contents).status_code == 403
    own = {"x-goog-api-key": "b" * 20}
    foreign = {"x-goog-api-key": server.key}
    assert PLAIN.get(file["uri"], headers=own).status_code == 200
    assert PLAIN.get(file["uri"], headers=foreign).status_code == 403
    assert PLAIN.delete(file["uri"], headers=foreign).status_code == 403
    assert PLAIN.get(f"{server.url}/v1beta/files", headers=foreign).json() == {"files": []}
    server.files[file["name"].removeprefix("files/")].expires = time.time() - 1
    assert PLAIN.get(file["uri"], headers=own).status_code == 403


def test_a_file_is_what_it_is_said_to_be_and_ready(google_server) -> None:
    server = google_server(Answer("x"))
    file = uploaded(server)

    def named(uri: str, mime: str) -> int:
        parts = [{"fileData": {"fileUri": uri, "mimeType": mime}}]
        return generate(server, contents=[{"role": "user", "parts": parts}]).status_code

    assert named(file["uri"], "text/plain") == 200
    assert named(file["uri"], "image/png") == 400
    assert named("https://example.org/a.pdf", "application/pdf") == 200
    assert named("gs://bucket/a.pdf", "application/pdf") == 200
    assert named("file:///etc/passwd", "text/plain") == 400
    [stored] = server.files.values()
    stored.json["state"] = "PROCESSING"
    assert named(file["uri"], "text/plain") == 400


SEARCH = {"googleSearch": {}}
FUNCTION = {"functionDeclarations": [{"name": "f"}]}
JSON = {"responseMimeType": "application/json"}
VOICE = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}


@pytest.mark.parametrize(
    ("status", "model", "body"),
    [
        (200, FLASH, {"tools": [SEARCH]}),
        (400, FLASH, {"tools": [{"googleSearch": {"colour": "red"}, "urlContext": {}}]}),
        (400, FLASH, {"tools": [{"urlContext": {"urls": []}}]}),
        (400, FLASH, {"tools": [{"codeExecution": {"language": "C"}}]}),
        (400, FLASH, {"tools": [SEARCH, FUNCTION]}),
        (400, NEW, {"tools": [SEARCH, FUNCTION]}),
        (400, FLASH, {"tools": [FUNCTION], "generationConfig": JSON}),
        (200, NEW, {"tools": [FUNCTION], "generationConfig": JSON}),
        (400, FLASH, {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT"}]}),
        (400, FLASH, {"generationConfig": {"mediaResolution": "LOW"}}),
        (400, FLASH, {"generationConfig": {"imageConfig": {"imageSize": "2K"}}}),
        (200, IMAGE, {"generationConfig": {"imageConfig": {"imageSize": "2K"}}}),
        (400, IMAGE, {"generationConfig": {"imageConfig": {"imageSize": "2k"}}}),
        (400, IMAGE, {"generationConfig": {"imageConfig": {"aspectRatio": "7:5"}}}),
        (400, IMAGE, {"generationConfig": {"imageConfig": {"quality": "high"}}}),
        (400, IMAGE, {"generationConfig": {"candidateCount": 2}}),
        (400, SPEECH, {}),
        (200, SPEECH, {"generationConfig": {"responseModalities": ["AUDIO"]}}),
        (400, FLASH, {"generationConfig": {"responseModalities": ["AUDIO"]}}),
        (400, FLASH, {"generationConfig": {"speechConfig": VOICE}}),
        (400, SPEECH, {"generationConfig": {"responseModalities": ["AUDIO"],
                                            "speechConfig": {"voice": "Kore"}}}),
        (400, "gemini-3.1-pro-preview",
         {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}),
    ],
)  # fmt: skip
def test_what_is_refused(google_server, status: int, model: str, body: dict[str, Any]) -> None:
    answer = generate(google_server(Answer("x")), model, **body)
    assert answer.status_code == status, answer.text
