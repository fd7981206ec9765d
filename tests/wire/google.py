"""Gemini's native wire on loopback: the real bodies, and less forgiving than the real service."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import payloads
from .google_rules import MAX_PAYLOAD, SIGNATURE, check_request, count_contents, last_text
from .play import Piece, ScriptedServer, dump, echo_of, filled, pieces
from .proto import Violation, normalise
from .quota import Exceeded, Quota, QuotaBook
from .script import Answer, Failure, ScriptLike
from .server import Exchange

RESUMABLE = "/upload/"
MAX_FILE = 2_000_000_000


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
    Model("gemini-3.8-flash-tts", input_limit=8_192, output_limit=16_384, thinking=False),
    Model("gemini-3.1-pro-preview"),
    Model("gemini-3.1-flash-image", input_limit=65_536, output_limit=32_768),
    Model("gemma-4-31b-it", input_limit=131_072, output_limit=8_192, thinking=False),
    Model("gemini-embedding-2", ("embedContent", "countTokens"), 8_192, 1, thinking=False),
)
ALIASES = {
    "gemini-flash-latest": "gemini-3.8-flash",
    "gemini-flash-lite-latest": "gemini-3.5-flash-lite",
    "gemini-pro-latest": "gemini-2.5-pro",
}


@dataclass
class Upload:
    """A file that is being uploaded: whose, what was announced of it, and what came."""

    project: str
    mime: str
    size: int
    name: str
    came: int = 0
    hashed: Any = field(default_factory=hashlib.sha256)


@dataclass
class Stored:
    """A file that was uploaded; `looks` is how often its state still says PROCESSING."""

    project: str
    json: dict[str, Any]
    expires: float
    looks: int = 0


_MODEL_PATH = re.compile(r"/(v1|v1beta)/models/([^/:]+):(\w+)")
_GENERATE = {"generateContent", "streamGenerateContent"}


class GoogleServer(ScriptedServer):
    """Speaks to `genai.Client(api_key=server.key, http_options={"base_url": server.url})`.

    `key` may be a mapping of keys to projects: quota is counted per project, as Google does.
    `models` (names or Models) and `aliases` (v1beta only) say what exists. `signatures` refuses
    function calls of the present turn that come back without their thought signature; None: on the
    models that do so (Gemini 3 and later).

    Files belong to a project. Films are PROCESSING for `processing` looks, then ACTIVE, or FAILED
    with `unreadable`; files live for `file_life` seconds; `hang_uploads` takes an upload's first
    piece and never answers.
    """

    def __init__(
        self,
        script: ScriptLike = None,
        *,
        key: str | Mapping[str, str] = "test-key",
        models: Sequence[str | Model] = MODELS,
        aliases: Mapping[str, str] = ALIASES,
        quota: Quota | None = None,
        signatures: bool | None = None,
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
        self.files: dict[str, Stored] = {}
        self.processing = 0
        self.unreadable = ""
        self.file_life = 48 * 3600.0
        self.hang_uploads = False
        self._uploads: dict[str, Upload] = {}
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
            return self._upload(exchange, project)
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
        if failure := self._unknown_file(body, project):
            return failure
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

    def _upload(self, exchange: Exchange, project: str) -> Failure | None:
        request = exchange.request
        if request.path.startswith(RESUMABLE):
            return self._upload_step(exchange, project)
        name = request.path.partition("/files")[2].strip("/")
        if request.method == "GET" and not name:
            mine = [one for one in self.files if self._file(one, project)]
            self._ok(exchange, {"files": [self.files[one].json for one in mine]})
        elif (file := self._file(name, project)) is None:
            return _no_file(name)
        elif request.method == "DELETE":
            del self.files[name]
            self._ok(exchange, {})
        elif request.method == "GET":
            self._ok(exchange, self._looked_at(file))
        else:
            return NOT_A_PAGE
        return None

    def _file(self, name: str, project: str) -> Stored | None:
        file = self.files.get(name)
        if file is None or file.project != project or time.time() > file.expires:
            return None
        return file

    def _looked_at(self, file: Stored) -> dict[str, Any]:
        if file.json["state"] == "PROCESSING":
            file.looks -= 1
            if file.looks < 0:
                file.json["state"] = "FAILED" if self.unreadable else "ACTIVE"
                if self.unreadable:
                    file.json["error"] = {"code": 3, "message": self.unreadable}
        return file.json

    def _unknown_file(self, body: dict[str, Any], project: str) -> Failure | None:
        """Files of this service have to be there, and ready, and be what they are said to be."""
        inner = body.get("generate_content_request") or body
        for part in (p for c in inner.get("contents") or [] for p in c.get("parts") or []):
            uri = (part.get("file_data") or {}).get("file_uri")
            if uri is None:
                continue
            if not uri.startswith(f"{self.url}/v1beta/files/"):
                if not re.match(r"(https?|gs)://[^/]+/", uri):
                    return payloads.google_error(400, f"Invalid or unsupported file uri: {uri}")
                continue
            name = uri.rpartition("/")[2]
            if (file := self._file(name, project)) is None:
                return _no_file(name)
            if file.json["state"] != "ACTIVE":
                text = f"The File {name} is not in an ACTIVE state and usage is not allowed."
                return payloads.google_error(400, text, status="FAILED_PRECONDITION")
            if part["file_data"].get("mime_type") != file.json["mimeType"]:
                return payloads.google_error(400, f"The mime type of the File {name} differs.")
        return None

    def _upload_step(self, exchange: Exchange, project: str) -> Failure | None:
        request = exchange.request
        if request.method != "POST":
            return NOT_A_PAGE
        command = request.headers.get("x-goog-upload-command", "")
        if command == "start":
            return self._upload_start(exchange, project)
        upload = self._uploads.get(request.query.get("upload_id", ""))
        if upload is None:
            return payloads.google_error(400, "Upload has already been terminated.")
        if self.hang_uploads:
            exchange.wait(None)
        offset = request.headers.get("x-goog-upload-offset", "")
        if command not in ("upload", "upload, finalize") or offset != str(upload.came):
            return payloads.google_error(400, f"Bad upload command {command!r} at {offset!r}.")
        upload.came += len(request.body)
        upload.hashed.update(request.body)
        if "finalize" not in command:
            exchange.send(200, b"", {"X-Goog-Upload-Status": "active"})
            return None
        if upload.came != upload.size:
            return payloads.google_error(400, f"{upload.came} bytes of {upload.size} came.")
        file = self._store(request.query["upload_id"], upload)
        del self._uploads[request.query["upload_id"]]
        headers = {"Content-Type": "application/json", "X-Goog-Upload-Status": "final"}
        exchange.send(200, dump({"file": file.json}), headers)
        return None

    def _upload_start(self, exchange: Exchange, project: str) -> Failure | None:
        request = exchange.request
        body, violations = normalise(request.json, "CreateFileRequest")
        size = request.headers.get("x-goog-upload-header-content-length", "")
        mime = request.headers.get("x-goog-upload-header-content-type", "")
        if request.headers.get("x-goog-upload-protocol") != "resumable":
            violations.append(Violation("This server speaks the resumable protocol only."))
        if not size.isdigit() or not 0 < int(size) <= MAX_FILE:
            violations.append(Violation(f"The file size {size!r} is not allowed."))
        file = body.get("file") or {} if isinstance(body, dict) else {}
        if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(;.*)?", mime) or file.get("mime_type") != mime:
            violations.append(Violation(f"Unsupported MIME type: {mime}"))
        name = file.get("display_name") or ""
        if len(name) > 512:
            violations.append(Violation("display_name is too long", "file.display_name"))
        if violations:
            return _invalid(violations)
        number = f"file{next(self._ids)}"
        self._uploads[number] = Upload(project, mime, int(size), name)
        url = f"{self.url}{request.path}?upload_id={number}"
        exchange.send(200, b"", {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})
        return None

    def _store(self, number: str, upload: Upload) -> Stored:
        film = upload.mime.startswith("video/")
        now = time.time() + self.date_offset
        json = {
            "name": f"files/{number}",
            "displayName": upload.name,
            "mimeType": upload.mime,
            "sizeBytes": str(upload.size),
            "createTime": _moment(now),
            "updateTime": _moment(now),
            "expirationTime": _moment(now + self.file_life),
            "sha256Hash": base64.b64encode(upload.hashed.hexdigest().encode()).decode(),
            "uri": f"{self.url}/v1beta/files/{number}",
            "state": "PROCESSING" if film and (self.processing or self.unreadable) else "ACTIVE",
            "source": "UPLOADED",
        }
        expires = time.time() + self.file_life
        self.files[number] = Stored(upload.project, json, expires, self.processing)
        return self.files[number]

    def _ok(self, exchange: Exchange, body: Any) -> None:
        exchange.send(200, dump(body), {"Content-Type": "application/json; charset=UTF-8"})


def _no_file(name: str) -> Failure:
    text = f"You do not have permission to access the File {name} or it may not exist."
    return payloads.google_error(403, text)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
        if a.items:
            parts = [self._part(piece) for piece in pieces(a)]
            return self._body(parts, a.usage.output or 0, a.usage.thoughts or 0, last=True)
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
            blob: dict[str, Any] = {"inlineData": {"mimeType": value.mime, "data": data}}
            return {**blob, "thought": True} if value.thought else blob
        if kind == "program":
            return {"executableCode": {"language": value.language, "code": value.source}}
        if kind == "printed":
            return {"codeExecutionResult": {"outcome": value.outcome, "output": value.text}}
        if kind == "part":
            return dict(value)
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
        if last and a.grounding is not None:
            candidate["groundingMetadata"] = dict(a.grounding)
        if last and a.url_context is not None:
            candidate["urlContextMetadata"] = dict(a.url_context)
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
