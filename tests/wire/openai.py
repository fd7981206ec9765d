"""OpenAI's chat wire on loopback: strict about fields, and Gemini's compatible endpoint too."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import payloads
from .openai_images import ImageDialect, check_images, form_of
from .openai_rules import check_request, count_messages, last_text
from .openai_speech import check_speech, speak
from .play import Piece, ScriptedServer, dump, echo_of, filled
from .quota import Exceeded, Left, Quota, QuotaBook
from .script import Answer, Call, Failure, Fault, Picture, ScriptLike
from .server import Exchange

MODELS = (
    "gpt-4o-mini", "gpt-5-mini", "gpt-audio", "gpt-image-1-mini", "gpt-image-2.5-flare",
    "gemini-2.5-flash", "gemini-3.8-flash", "gemini-3.1-flash-image", "google/gemma-4-31b",
    "google/gemini-3.1-flash-image", "dall-e-3", "flux-pro", "tts-1", "gpt-4o-mini-tts",
)  # fmt: skip
FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}
PREFIX = r"/v1beta/openai|(?:/[\w-]+)*/v1"


class OpenAIServer(ScriptedServer):
    """Speaks to `OpenAI(api_key=server.key, base_url=server.url)`.

    `gemini_compat=True` plays Gemini's compatible endpoint instead: its path, fewer known fields,
    errors as array-wrapped native bodies. `openrouter=True` takes OpenRouter's fields, too, and
    has no interface of its own for pictures. `context` is the context length in tokens. `key` may
    be a mapping of keys to projects (quota is counted per project); a key of "" needs none.
    """

    def __init__(
        self,
        script: ScriptLike = None,
        *,
        key: str | Mapping[str, str] = "sk-test",
        models: Sequence[str] = MODELS,
        quota: Quota | None = None,
        context: int = 128_000,
        gemini_compat: bool = False,
        openrouter: bool = False,
        port: int = 0,
        date_offset: float = 0.0,
        network: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__(script, port=port, date_offset=date_offset, network=network)
        self.keys = {key: "project-1"} if isinstance(key, str) else dict(key)
        self.key = next(iter(self.keys))
        self.models = tuple(models)
        self.context = context
        self.compat = gemini_compat
        self.openrouter = openrouter
        self.base_path = "/v1beta/openai" if gemini_compat else "/v1"
        self.book = QuotaBook(quota or Quota())
        self._ids = itertools.count(1)

    def classify(
        self, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> tuple[str, str, bool]:
        if re.fullmatch(rf"({PREFIX})/chat/completions", path):
            body = body if isinstance(body, dict) else {}
            return "generate", str(body.get("model", "")), body.get("stream") is True
        if re.fullmatch(rf"({PREFIX})/audio/speech", path):
            body = body if isinstance(body, dict) else {}
            return "generate", str(body.get("model", "")), True
        if re.fullmatch(rf"({PREFIX})/images/(generations|edits)", path):
            body = body if isinstance(body, dict) else {}  # an edit's form is read in `_images`
            return "generate", str(body.get("model", "")), body.get("stream") is True
        if found := re.fullmatch(rf"(?:{PREFIX})/models(?:/(.+))?", path):
            return "models", found[1] or "", False
        return "other", "", False

    def handle(self, exchange: Exchange) -> None:
        request = exchange.request
        exchange.extra_headers = {"x-request-id": f"req_{next(self._ids):08d}"}
        failure = self._key_failure(exchange) or self.scripted_failure(request.op, request.json)
        if failure is None:
            if request.op == "generate" and request.method == "POST":
                if "/images/" in request.path:
                    failure = self._images(exchange)
                elif request.path.endswith("/audio/speech"):
                    failure = self._speech(exchange)
                else:
                    failure = self._chat(exchange)
            elif request.op == "models" and request.method == "GET":
                failure = self._models(exchange)
            else:
                text = f"Invalid URL ({request.method} {request.path})"
                failure = payloads.openai_error(404, text)
        if failure is not None:
            self.fail(exchange, self._in_dialect(failure))

    def _key_failure(self, exchange: Exchange) -> Failure | None:
        scheme, _, key = exchange.request.headers.get("authorization", "").partition(" ")
        if "" in self.keys or (scheme == "Bearer" and key in self.keys):
            return None
        if self.compat:
            return payloads.KEY_INVALID if key else payloads.KEY_MISSING
        return payloads.OPENAI_KEY_INVALID if key else payloads.OPENAI_KEY_MISSING

    def _project(self, exchange: Exchange) -> str:
        key = exchange.request.headers.get("authorization", "").partition(" ")[2]
        return self.keys.get(key, "anonymous")

    def _in_dialect(self, failure: Failure) -> Failure:
        """Gemini's endpoint: native bodies in an array, none of OpenAI's headers."""
        if not self.compat or isinstance(failure.body, list | str):
            return failure
        error = failure.body.get("error") or {}
        if "status" not in error:
            message = error.get("message", "")
            if argument := re.fullmatch(r"Unrecognized request argument supplied: (.*)", message):
                message = (
                    f'Invalid JSON payload received. Unknown name "{argument[1]}": Cannot find '
                    "field."
                )
            failure = payloads.google_error(failure.status, message)
        return payloads.compat(failure)

    def _models(self, exchange: Exchange) -> Failure | None:
        rows = [
            {"id": m, "object": "model", "created": 1_760_000_000, "owned_by": "loopback"}
            for m in self.models
        ]
        wanted = exchange.request.model
        if not wanted:
            self._ok(exchange, {"object": "list", "data": rows})
            return None
        for row in rows:
            if row["id"] == wanted.removeprefix("models/"):
                self._ok(exchange, row)
                return None
        return self._unknown_model(wanted)

    def _unknown_model(self, name: str) -> Failure:
        if self.compat:
            return payloads.model_not_found(name.removeprefix("models/"), "v1main")
        text = f"The model `{name}` does not exist or you do not have access to it."
        return payloads.openai_error(404, text, code="model_not_found")

    def _chat(self, exchange: Exchange) -> Failure | None:
        body = exchange.request.json
        if not exchange.request.headers.get("content-type", "").startswith("application/json"):
            return payloads.openai_error(400, "Expected content-type application/json.")
        if failure := check_request(body, compat=self.compat, openrouter=self.openrouter):
            return failure
        model = body["model"]
        bucket = model.removeprefix("models/") if self.compat else model
        if bucket not in self.models:
            return self._unknown_model(model)
        prompt = count_messages(body["messages"])
        verdict = self.book.admit(self._project(exchange), bucket, prompt)
        if isinstance(verdict, Exceeded):
            return self._quota_failure(verdict, bucket)
        if not self.compat:
            exchange.extra_headers.update(_limit_headers(self.book.quota, verdict))
        if prompt > self.context:
            return payloads.openai_error(
                400,
                f"This model's maximum context length is {self.context} tokens. However, your "
                f"messages resulted in {prompt} tokens. Please reduce the length of the messages.",
                param="messages",
                code="context_length_exceeded",
            )
        number = next(self._ids)
        usage = bool((body.get("stream_options") or {}).get("include_usage"))

        def dialect(answer: Answer) -> ChatDialect:
            return ChatDialect(filled(answer, prompt), model, number, with_usage=usage)

        echo = echo_of(last_text(body["messages"]))
        item = self.next_item(exchange)
        item = echo if item is None else item
        if isinstance(item, Failure):
            return item
        self.play(exchange, item, dialect, echo, stream=exchange.request.stream)
        return None

    def _speech(self, exchange: Exchange) -> Failure | None:
        body = exchange.request.json
        if self.openrouter or self.compat:
            return payloads.openai_error(404, "No such endpoint.")
        if failure := check_speech(body):
            return failure
        model = body["model"]
        if model not in self.models:
            return self._unknown_model(model)
        verdict = self.book.admit(self._project(exchange), model, 10)
        if isinstance(verdict, Exceeded):
            return self._quota_failure(verdict, model)
        item = self.next_item(exchange)
        if isinstance(item, Failure):
            return item
        if isinstance(item, Fault) and item.kind in ("hang", "drop_before_headers"):
            exchange.reset() if item.kind != "hang" else exchange.wait(None)
            return None
        speak(exchange, item or Answer(pictures=[Picture(bytes(4_800), "audio/pcm")]), body)
        return None

    def _images(self, exchange: Exchange) -> Failure | None:
        request = exchange.request
        if self.openrouter:
            return payloads.openai_error(404, "No such endpoint.")
        edit = request.path.endswith("edits")
        body = form_of(request) if edit else request.json
        if failure := check_images(body, edit=edit):
            return failure
        model = body["model"]
        if model not in self.models:
            return self._unknown_model(model)
        verdict = self.book.admit(self._project(exchange), model, 10)
        if isinstance(verdict, Exceeded):
            return self._quota_failure(verdict, model)
        stream = body.get("stream") is True
        kind = "image_edit" if edit else "image_generation"
        echo = Answer(pictures=[Picture(payloads.PIXEL)] * body.get("n", 1))
        item = self.next_item(exchange)
        item = echo if item is None else item
        if isinstance(item, Failure):
            return item
        self.play(exchange, item, lambda answer: ImageDialect(answer, kind), echo, stream=stream)
        return None

    def _quota_failure(self, exceeded: Exceeded, model: str) -> Failure:
        q = self.book.quota
        if self.compat:
            from .google import google_quota_failure

            return google_quota_failure(q, exceeded, model)
        if "rpd" in exceeded.units and q.rpd == 0:
            return payloads.OPENAI_NO_MONEY
        unit = exceeded.units[0]
        words, limit = {
            "rpm": ("requests per min (RPM)", q.rpm),
            "rpd": ("requests per day (RPD)", q.rpd),
            "tpm": ("tokens per min (TPM)", q.tpm),
        }[unit]
        kind = "tokens" if unit == "tpm" else "requests"
        return payloads.openai_error(
            429,
            f"Rate limit reached for {model} in organization org-loopback on {words}: Limit "
            f"{limit}, Used {limit}, Requested 1. Please try again in {exceeded.retry:.3f}s. Visit "
            "https://platform.openai.com/account/rate-limits to learn more.",
            type=kind,
            code="rate_limit_exceeded",
            retry_after=str(int(exceeded.retry) + 1),
            retry_after_ms=str(int(exceeded.retry * 1000)),
            **{
                f"x_ratelimit_limit_{kind}": str(limit),
                f"x_ratelimit_remaining_{kind}": "0",
                f"x_ratelimit_reset_{kind}": f"{exceeded.retry:.3f}s",
            },
        )

    def _ok(self, exchange: Exchange, body: Any) -> None:
        exchange.send(200, dump(body), {"Content-Type": "application/json"})


class ChatDialect:
    """chat.completion, whole or as chunks; thoughts as the proxies' `reasoning_content`.

    An item of the answer that is a mapping is a delta as it is, or with "choices" a chunk's.
    """

    newline = b"\n\n"
    done = b"data: [DONE]\n\n"

    def __init__(self, answer: Answer, model: str, number: int, *, with_usage: bool) -> None:
        self.answer = answer
        self.with_usage = with_usage
        self.head = {
            "id": f"chatcmpl-{number:06d}",
            "created": int(time.time()),
            "model": answer.model_version or model,
            "service_tier": "default",
            "system_fingerprint": "fp_loopback",
        }
        self._calls = 0

    @property
    def finish(self) -> str | None:
        a = self.answer
        if a.block:
            return "content_filter"
        called = a.calls or any(isinstance(item, Call) for item in a.items)
        if called and a.finish == "STOP":
            return "tool_calls"
        return None if a.finish is None else FINISH.get(a.finish, a.finish.lower())

    def event(self, piece: Piece | None, *, first: bool, last: bool) -> dict[str, Any]:
        delta: dict[str, Any] = {"role": "assistant", "content": ""} if first else {}
        kind, value = piece or ("", None)
        if kind == "text":
            delta["content"] = value
        elif kind == "thought":
            delta["reasoning_content"] = value
        elif kind == "call":
            call = self._call(value, self._calls)
            delta["tool_calls"] = [{"index": self._calls, **call}]
            self._calls += 1
        elif kind == "picture":
            delta["images"] = [_image(value, 0)]
        elif kind == "part":
            if "choices" in value:
                return self._chunk(value["choices"])
            delta |= value
        return self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])

    def tail(self) -> Iterable[dict[str, Any]]:
        finish = self.finish
        if finish is not None:
            choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}
            yield self._chunk([choice])
        if self.with_usage:
            yield {**self._chunk([]), "usage": self._usage()}

    def whole(self) -> dict[str, Any]:
        a = self.answer
        message: dict[str, Any] = {
            "role": "assistant",
            "content": a.whole or None,
            "refusal": None,
            "annotations": [],
        }
        if a.thoughts:
            message["reasoning_content"] = "".join(a.thoughts)
        if a.calls:
            message["tool_calls"] = [self._call(c, i) for i, c in enumerate(a.calls)]
        if a.pictures:
            message["images"] = [_image(p, i) for i, p in enumerate(a.pictures)]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return {
            **self.head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": self._usage(),
        }

    def _call(self, call: Any, index: int) -> dict[str, Any]:
        function = {"name": call.name, "arguments": json.dumps(dict(call.args))}
        return {"id": call.id or f"call_{index + 1}", "type": "function", "function": function}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        chunk = {**self.head, "object": "chat.completion.chunk", "choices": choices}
        return {**chunk, "usage": None} if self.with_usage else chunk

    def _usage(self) -> dict[str, Any]:
        u = self.answer.usage
        prompt, output = u.prompt or 0, (u.output or 0) + (u.thoughts or 0)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": u.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": u.thoughts or 0, "audio_tokens": 0},
        }


def _image(picture: Picture, index: int) -> dict[str, Any]:
    """A picture in a chat, in OpenRouter's shape."""
    encoded = base64.b64encode(picture.data).decode("ascii")
    url = f"data:{picture.mime};base64,{encoded}"
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def _limit_headers(quota: Quota, left: Left) -> dict[str, str]:
    headers: dict[str, str] = {}
    for kind, limit, remaining in (
        ("requests", quota.rpm, left.requests),
        ("tokens", quota.tpm, left.tokens),
    ):
        if limit is not None:
            headers[f"x-ratelimit-limit-{kind}"] = str(limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(remaining)
            headers[f"x-ratelimit-reset-{kind}"] = f"{left.reset:.3f}s"
    return headers
