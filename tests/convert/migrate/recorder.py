"""One loopback service that both the old SDK (REST) and the new one can talk to.

It records, and gives short answers. What it records of the new SDK is held against the strict
rules of ``tests.wire`` afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.wire.server import Exchange, WireServer

JSON = {"Content-Type": "application/json"}
#: A file that is there.
FILE = {
    "name": "files/abc",
    "displayName": "a",
    "mimeType": "text/plain",
    "sizeBytes": "3",
    "state": "ACTIVE",
    "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
    "createTime": "2026-01-01T00:00:00Z",
    "updateTime": "2026-01-01T00:00:00Z",
    "expirationTime": "2026-01-03T00:00:00Z",
    "sha256Hash": "YWJj",
}
CACHE = {
    "name": "cachedContents/abc",
    "model": "models/gemini-2.5-flash",
    "displayName": "long",
    "usageMetadata": {"totalTokenCount": 9},
    "createTime": "2026-01-01T00:00:00Z",
}
MODEL = {
    "name": "models/gemini-2.5-flash",
    "version": "001",
    "displayName": "Flash",
    "inputTokenLimit": 1000,
    "outputTokenLimit": 100,
    "supportedGenerationMethods": ["generateContent", "countTokens"],
}


class Recorder(WireServer):
    """``cases()`` are the requests by the case that a runner announced with ``/case/NAME``."""

    def classify(
        self, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> tuple[str, str, bool]:
        return "other", "", False

    def handle(self, exchange: Exchange) -> None:
        path = exchange.request.path
        if path.startswith("/case/"):
            exchange.send(200, b"", {})
            return
        if "blocked" in json.dumps(exchange.request.json):
            answer: Any = {"promptFeedback": {"blockReason": "SAFETY"}}
        elif "429" in json.dumps(exchange.request.json):
            error = {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}
            exchange.send(429, json.dumps({"error": error}).encode(), JSON)
            return
        else:
            answer = self._reply(exchange.request.method, path, exchange.request.json)
        if path.endswith(":streamGenerateContent"):
            self._stream(exchange, answer)
        else:
            exchange.send(200, json.dumps(answer).encode(), JSON)

    @staticmethod
    def _stream(exchange: Exchange, answer: Any) -> None:
        """Two pieces: as one JSON array for the old SDK, as events for the new one."""
        pieces = [_said("Hel"), answer]
        if exchange.request.query.get("alt") == "sse":
            exchange.start_stream({"Content-Type": "text/event-stream"})
            for piece in pieces:
                exchange.chunk(b"data: " + json.dumps(piece).encode() + b"\r\n\r\n")
            exchange.end_stream()
        else:
            exchange.send(200, json.dumps(pieces).encode(), JSON)

    @staticmethod
    def _reply(method: str, path: str, body: Any) -> Any:
        action = path.rpartition(":")[2]
        if action in ("generateContent", "streamGenerateContent"):
            if body.get("tools") and not _answered(body):
                for tool in body["tools"]:
                    for one in tool.get("functionDeclarations", ()):
                        return _called(one["name"])
            return _said(f"answer to {json.dumps(body['contents'][-1]['parts'][-1].get('text'))}")
        if action == "countTokens":
            return {"totalTokens": 7}
        if action == "embedContent":
            return {"embedding": {"values": [0.5, 1.5]}}
        if action == "batchEmbedContents":
            count = len(body["requests"])
            return {"embeddings": [{"values": [0.5 + one, 1.5]} for one in range(count)]}
        if "/cachedContents" in path:
            return CACHE if method != "DELETE" else {}
        if "/files" in path:
            if method == "DELETE":
                return {}
            return FILE if "/files/" in path else {"files": [FILE]}
        if path.endswith("/models"):
            return {"models": [MODEL]}
        return MODEL

    def cases(self) -> dict[str, list[tuple[str, str, Any]]]:
        """(method, path, body) of each case's requests, in their order."""
        found: dict[str, list[tuple[str, str, Any]]] = {}
        name = ""
        for request in self.requests:
            if request.path.startswith("/case/"):
                name = request.path.removeprefix("/case/")
                found[name] = []
            else:
                found[name].append((request.method, request.path, request.json))
        return found


def _answered(body: Any) -> bool:
    return any("functionResponse" in part for part in body["contents"][-1]["parts"])


def _said(text: str) -> Any:
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "loopback",
    }


def _called(name: str) -> Any:
    answer = _said("")
    call = {"functionCall": {"name": name, "args": {"a": 1}}}
    answer["candidates"][0]["content"]["parts"] = [call]
    return answer
