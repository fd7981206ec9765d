"""Gemini's native wire on loopback: the real bodies, and less forgiving than the real service."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import payloads
from .google_rules import MAX_PAYLOAD, check_request, count_contents, last_text
from .play import Piece, ScriptedServer, dump, echo_of, filled
from .proto import Violation, normalise
from .quota import Exceeded, Quota, QuotaBook
from .script import Answer, Failure, ScriptLike
from .server import Exchange

SIGNATURE = base64.b64encode(b"loopback-thought-signature").decode()
RESUMABLE = "/upload/"


@dataclass(frozen=True)
class Model:
    """A row of models.list."""

    name: str
    methods: tuple[str, ...] = ("generateContent", "countTokens", "createCachedContent")
    input_limit: int = 1_048_576
    output_limit: int = 65_536
    thinking: bool = True

    @property
    def json(self) -> dict[str, Any]:
        return {
            "name": f"models/{self.name}",
            "version": "001",
            "displayName": self.name.replace("-", " ").title(),
            "description": f"{self.name}, played on loopback",
            "inputTokenLimit": self.input_limit,
            "outputTokenLimit": self.output_limit,
            "supportedGenerationMethods": list(self.methods),
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            "thinking": self.thinking,
        }


MODELS: tuple[Model, ...] = (
    Model("gemini-2.5-flash"),
    Model("gemini-2.5-flash-lite"),
    Model("gemini-2.5-pro"),
    Model("gemini-3.5-flash-lite"),
    Model("gemini-3.8-flash"),
    Model("gemini-3.1-flash-image", input_limit=65_536, output_limit=32_768),
    Model("gemma-4-31b-it", input_limit=131_072, output_limit=8_192, thinking=False),
    Model("gemini-embedding-2", ("embedContent", "countTokens"), 8_192, 1, thinking=False),
)
ALIASES = {
    "gemini-flash-latest": "gemini-3.8-flash",
    "gemini-flash-lite-latest": "gemini-3.5-flash-lite",
    "gemini-pro-latest": "gemini-2.5-pro",
}

_MODEL_PATH = re.compile(r"/(v1|v1beta)/models/([^/:]+):(\w+)")
_GENERATE = {"generateContent", "streamGenerateContent"}


class GoogleServer(ScriptedServer):
    """Speaks to `genai.Client(api_key=server.key, http_options={"base_url": server.url})`.

    `key` may be a mapping of keys to projects: quota is counted per project, as Google does.
    `models` (names or Models) and `aliases` (v1beta only) say what exists. `signatures` refuses
    function calls that come back without their thought signature, as Gemini 3 does.
    """

    def __init__(
        self,
        script: ScriptLike = None,
        *,
        key: str | Mapping[str, str] = "test-key",
        models: Sequence[str | Model] = MODELS,
        aliases: Mapping[str, str] = ALIASES,
        quota: Quota | None = None,
        signatures: bool = False,
        port: int = 0,
        date_offset: float = 0.0,
        network: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__(script, port=port, date_offset=date_offset, network=network)
        self.keys = {key: "project-1"} if isinstance(key, str) else dict(key)
        self.key = next(iter(self.keys))
        self.models = {m.name: m for m in (Model(x) if isinstance(x, str) else x for x in models)}
        self.aliases = dict(aliases)
        self.signatures = signatures
        self.book = QuotaBook(quota or Quota())
        self.files: dict[str, dict[str, Any]] = {}
        self._uploads: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    def classify(
        self, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> tuple[str, str, bool]:
        if found := _MODEL_PATH.fullmatch(path):
            action = found[3]
            op = "generate" if action in _GENERATE else "count" if "ount" in action else "other"
            return op, found[2], action == "streamGenerateContent"
        if re.fullmatch(r"/(v1|v1beta)/models(/[^/:]+)?", path):
            return "models", path.partition("/models/")[2], False
        if path.startswith(RESUMABLE) or re.match(r"/v1(beta)?/files", path):
            return "upload", "", False
        return "other", "", False

    def handle(self, exchange: Exchange) -> None:
        failure = self._refusal(exchange)
        if failure is not None:
            self.fail(exchange, failure)

    def _refusal(self, exchange: Exchange) -> Failure | None:
        """Answer the request (None), or say how it is refused."""
        request = exchange.request
        project, failure = self._project(exchange)
        if failure := failure or self.scripted_failure(request.op, request.json):
            return failure
        if len(request.body) > MAX_PAYLOAD:
            text = f"Request payload size exceeds the limit: {MAX_PAYLOAD} bytes."
            return payloads.google_error(400, text)
        if found := _MODEL_PATH.fullmatch(request.path):
            if request.method != "POST":
                return NOT_A_PAGE
            return self._model_call(exchange, project, *found.groups())
        if request.op == "models" and request.method == "GET":
            return self._models(exchange)
        if request.op == "upload":
            return self._upload(exchange)
        return NOT_A_PAGE

    def _project(self, exchange: Exchange) -> tuple[str, Failure | None]:
        request = exchange.request
        if request.query.get("upload_id") in self._uploads:
            return "", None  # the upload's URL is its own permission
        if "authorization" in request.headers:
            return "", payloads.UNAUTHENTICATED
        key = request.headers.get("x-goog-api-key") or request.query.get("key")
        if not key:
            return "", payloads.KEY_MISSING
        if key not in self.keys:
            return "", payloads.KEY_INVALID
        return self.keys[key], None

    # models/{model}:{action}

    def _model_call(
        self, exchange: Exchange, project: str, version: str, name: str, action: str
    ) -> Failure | None:
        request = exchange.request
        if failure := _bad_query(request.query, {"alt"}):
            return failure
        bucket = self.aliases.get(name, name) if version == "v1beta" else name
        model = self.models.get(bucket)
        needed = "generateContent" if action in _GENERATE else action
        if model is None or needed not in model.methods:
            return payloads.model_not_found(name, version)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _invalid(["Invalid value at 'content_type': expected application/json."])
        if not isinstance(request.json, dict):
            return _invalid(["Invalid JSON payload received. Expected a JSON object."])
        kind = "CountTokensRequest" if action == "countTokens" else "GenerateContentRequest"
        body, violations = normalise(request.json, kind)
        if not violations:
            violations = check_request(body, kind, model.name, model.output_limit, self.signatures)
        if violations:
            return _invalid(violations)
        if action == "countTokens":
            self._count(exchange, body)
            return None
        stream = action == "streamGenerateContent"
        if stream != (request.query.get("alt") == "sse"):
            return _invalid(["This server streams with alt=sse, and only then."])
        prompt = count_contents(body)
        verdict = self.book.admit(project, bucket, prompt)
        if isinstance(verdict, Exceeded):
            return google_quota_failure(self.book.quota, verdict, bucket)
        if prompt > model.input_limit:
            return payloads.google_error(
                400,
                f"The input token count ({prompt}) exceeds the maximum number of tokens allowed "
                f"({model.input_limit}).",
            )
        echo = echo_of(last_text(body))
        exchange.extra_headers = {"X-Gemini-Service-Tier": "standard", "Server-Timing": "gfet4t7"}
        response_id = f"loopback-{next(self._ids)}"

        def dialect(answer: Answer) -> GeminiDialect:
            return GeminiDialect(filled(answer, prompt), bucket, response_id)

        item = self.next_item(exchange)
        self.play(exchange, echo if item is None else item, dialect, echo, stream=stream)
        return None

    def _count(self, exchange: Exchange, body: dict[str, Any]) -> None:
        total = count_contents(body.get("generate_content_request") or body)
        details = [{"modality": "TEXT", "tokenCount": total}]
        self._ok(exchange, {"totalTokens": total, "promptTokensDetails": details})

    # models.list and models.get

    def _models(self, exchange: Exchange) -> Failure | None:
        request = exchange.request
        version = request.path.split("/")[1]
        if request.model:
            name = request.model
            if version == "v1beta":
                name = self.aliases.get(name, name)
            if name not in self.models:
                text = f"Model is not found: models/{request.model} for api version {version}"
                return payloads.google_error(404, text)
            self._ok(exchange, {**self.models[name].json, "name": f"models/{request.model}"})
            return None
        if failure := _bad_query(request.query, {"pageSize", "pageToken"}):
            return failure
        rows = [m.json for m in self.models.values()]
        if version == "v1beta":
            rows += [{**self.models[m].json, "name": f"models/{a}"}
                     for a, m in self.aliases.items() if m in self.models]  # fmt: skip
        size, token = request.query.get("pageSize", "50"), request.query.get("pageToken", "p0")
        if not size.isdigit() or not re.fullmatch(r"p\d+", token):
            return _invalid(["Invalid page size or page token."])
        start, step = int(token[1:]), min(int(size) or 50, 1000)
        page: dict[str, Any] = {"models": rows[start : start + step]}
        if start + step < len(rows):
            page["nextPageToken"] = f"p{start + step}"
        self._ok(exchange, page)
        return None

    # files: the resumable upload in its two steps, get and delete

    def _upload(self, exchange: Exchange) -> Failure | None:
        request = exchange.request
        if request.path.startswith(RESUMABLE):
            return self._upload_step(exchange)
        name = request.path.partition("/files")[2].strip("/")
        if request.method == "GET" and not name:
            self._ok(exchange, {"files": list(self.files.values())})
        elif name not in self.files:
            text = f"You do not have permission to access the File {name} or it may not exist."
            return payloads.google_error(403, text)
        elif request.method == "DELETE":
            del self.files[name]
            self._ok(exchange, {})
        else:
            self._ok(exchange, self.files[name])
        return None

    def _upload_step(self, exchange: Exchange) -> Failure | None:
        request = exchange.request
        command = request.headers.get("x-goog-upload-command", "")
        if command == "start":
            number = f"file{next(self._ids)}"
            self._uploads[number] = {
                "mime": request.headers.get("x-goog-upload-header-content-type", ""),
                "name": ((request.json or {}).get("file") or {}).get("displayName", ""),
                "body": b"",
            }
            url = f"{self.url}{request.path}?upload_id={number}"
            headers = {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"}
            exchange.send(200, b"", headers)
            return None
        upload = self._uploads.get(request.query.get("upload_id", ""))
        if upload is None:
            return payloads.google_error(400, "Upload has already been terminated.")
        upload["body"] += request.body
        if "finalize" not in command:
            exchange.send(200, b"", {"X-Goog-Upload-Status": "active"})
            return None
        number = request.query["upload_id"]
        self.files[number] = {
            "name": f"files/{number}",
            "displayName": upload["name"],
            "mimeType": upload["mime"],
            "sizeBytes": str(len(upload["body"])),
            "uri": f"{self.url}/v1beta/files/{number}",
            "state": "ACTIVE",
        }
        body = dump({"file": self.files[number]})
        headers = {"Content-Type": "application/json", "X-Goog-Upload-Status": "final"}
        exchange.send(200, body, headers)
        return None

    def _ok(self, exchange: Exchange, body: Any) -> None:
        exchange.send(200, dump(body), {"Content-Type": "application/json; charset=UTF-8"})


def google_quota_failure(quota: Quota, exceeded: Exceeded, model: str) -> Failure:
    """The 429 of the limits that were broken, free tier or paid."""
    tier, free = quota.tier, quota.tier == "FreeTier"
    suffix = f"-{tier}" if tier else ""
    requests = payloads.FREE_REQUESTS if free else "generate_requests_per_model"
    tokens_id = "InputTokensPerModelPerMinute"
    shapes = {
        "rpd": (
            requests if free else f"{requests}_per_day",
            "GenerateRequestsPerDayPerProjectPerModel",
            quota.rpd,
        ),
        "rpm": (requests, "GenerateRequestsPerMinutePerProjectPerModel", quota.rpm),
        "tpm": (
            payloads.FREE_TOKENS if free else payloads.PAID_TOKENS,
            f"GenerateContent{'' if free else 'PaidTier'}{tokens_id}",
            quota.tpm,
        ),
    }
    found = [
        payloads.violation(metric, quota_id + suffix, model, value or None)
        for metric, quota_id, value in (shapes[u] for u in exceeded.units)
    ]
    return payloads.quota_failure(found, exceeded.retry)


class GeminiDialect:
    """GenerateContentResponse, whole or in chunks with cumulative usage."""

    newline = b"\r\n\r\n"
    done = b""

    def __init__(self, answer: Answer, model: str, response_id: str) -> None:
        self.answer = answer
        self.model = answer.model_version or model
        self.response_id = response_id
        self._said = self._thought = 0

    def event(self, piece: Piece | None, *, first: bool, last: bool) -> dict[str, Any]:
        parts = [self._part(piece)] if piece else []
        if piece and piece[0] == "text":
            self._said += len(piece[1])
        if piece and piece[0] == "thought":
            self._thought += len(piece[1])
        u = self.answer.usage
        output = u.output if last else -(-self._said // 4)
        thoughts = u.thoughts if last else -(-self._thought // 4)
        return self._body(parts, output or 0, thoughts or 0, last=last)

    def tail(self) -> Iterable[dict[str, Any]]:
        return ()

    def whole(self) -> dict[str, Any]:
        a = self.answer
        parts = [self._part(("thought", "".join(a.thoughts)))] if a.thoughts else []
        parts += [self._part(("text", a.whole))] if a.whole else []
        parts += [self._part(("picture", p)) for p in a.pictures]
        parts += [self._part(("call", c)) for c in a.calls]
        return self._body(parts, a.usage.output or 0, a.usage.thoughts or 0, last=True)

    def _part(self, piece: Piece) -> dict[str, Any]:
        kind, value = piece
        if kind == "thought":
            return {"text": value, "thought": True}
        if kind == "picture":
            data = base64.b64encode(value.data).decode()
            return {"inlineData": {"mimeType": value.mime, "data": data}}
        if kind == "call":
            call = {"name": value.name, "args": dict(value.args)}
            if value.id:
                call["id"] = value.id
            return {"functionCall": call, "thoughtSignature": SIGNATURE}
        return {"text": value}

    def _body(
        self, parts: list[dict[str, Any]], output: int, thoughts: int, *, last: bool
    ) -> dict[str, Any]:
        a, u = self.answer, self.answer.usage
        prompt = u.prompt or 0
        usage: dict[str, Any] = {
            "promptTokenCount": prompt,
            "totalTokenCount": prompt + output + thoughts + u.tool_use,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
        }
        for name, value in (
            ("candidatesTokenCount", output),
            ("thoughtsTokenCount", thoughts),
            ("cachedContentTokenCount", u.cached),
            ("toolUsePromptTokenCount", u.tool_use),
        ):
            if value:  # protobuf JSON leaves zeros out
                usage[name] = value
        body: dict[str, Any] = {
            "usageMetadata": usage,
            "modelVersion": self.model,
            "responseId": self.response_id,
        }
        if a.block:
            rating = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH"}
            return {
                "promptFeedback": {"blockReason": a.block, "safetyRatings": [rating]},
                **body,
            }
        content: dict[str, Any] = {"role": "model"}
        if parts:
            content["parts"] = parts
        candidate: dict[str, Any] = {"content": content, "index": 0}
        if last and a.finish is not None:
            candidate["finishReason"] = a.finish
            if a.finish == "SAFETY":
                candidate["safetyRatings"] = [
                    {
                        "category": "HARM_CATEGORY_DANGEROUS_CONTENT",
                        "probability": "HIGH",
                        "blocked": True,
                    }
                ]
        return {"candidates": [candidate], **body}


NOT_A_PAGE = Failure(
    404,
    "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title>"
    "<p><b>404.</b> <ins>That’s an error.</ins><p>The requested URL was not found.</html>",
)


def _bad_query(query: Mapping[str, str], known: set[str]) -> Failure | None:
    if unknown := sorted(set(query) - known - {"key"}):
        return _invalid(
            f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
            f"Field '{name}' could not be found in request message."
            for name in unknown
        )
    return None


def _invalid(violations: Iterable[str]) -> Failure:
    found = list(violations)
    listed = []
    for text in found:
        path = text.path if isinstance(text, Violation) else ""
        listed.append({"field": path, "description": text} if path else {"description": text})
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": listed}
    return payloads.google_error(400, "\n".join(found), [detail])
