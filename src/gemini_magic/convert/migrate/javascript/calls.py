"""Asking models: requests, chats, tokens, embeddings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript import objects
from gemini_magic.convert.migrate.javascript.code import Chain
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.kind import Kind
from gemini_magic.convert.migrate.javascript.models import (
    BESIDE,
    Model,
    Models,
    request_options,
    setting,
)
from gemini_magic.convert.migrate.javascript.objects import Piece
from gemini_magic.convert.migrate.source import Part, Span

_REQUEST = re.compile(r"(?i)re?q(uest)?$|request|params$|payload")


class Asked(NamedTuple):
    """A call of a model: ``on`` is its text, ``kept`` the settings of the model that stay where
    the call has its own generation config."""

    chain: Chain
    number: int
    model: Model | None
    on: Span
    first: int

    @property
    def call(self) -> int:
        return self.number + 1


def rewrite(job: Job, models: Models) -> None:
    for chain, number, kind in models.asked:
        asked = Asked(chain, number, models.of(kind), job.on(chain, number),
                      job.start(chain, number))  # fmt: skip
        _rewrite(job, models, asked, kind)
    for chain in job.chains:
        kinds = job.kinds.trace(chain)
        _gone(job, chain, kinds)
        for number, step in enumerate(chain.steps[:-1]):
            on = kinds[number]
            if step.kind != "name" or chain.steps[number + 1].kind != "call":
                continue
            # other things have a sendMessage, too
            known = on is not None and on.tag == "chat"
            if (known and step.name == "sendMessage") or (
                (known or on is None) and step.name == "sendMessageStream"
            ):
                _send(job, chain, number, on)


def _gone(job: Job, chain: Chain, kinds: Sequence[Kind | None]) -> None:
    """Mark what is done with models but asking them: they are objects of arguments now."""
    for number, (on, step) in enumerate(zip(kinds, chain.steps, strict=False)):
        if on is None or step.kind != "name" or on.tag not in ("model", "client", "chat"):
            continue
        after = chain.steps[number + 1] if number + 1 < len(chain.steps) else None
        known = (on.tag, step.name) in job.kinds.sdk.methods
        if not known or after is None or after.kind != "call":
            job.left(chain.first, on.tag, f"a {on.tag} of the new SDK has no {step.name}")


def _rewrite(job: Job, models: Models, asked: Asked, kind: Kind | None) -> None:
    chain, number = asked.chain, asked.number
    name = chain.steps[number].name
    if kind is None:
        job.assisted(chain.first, "unknown", f"look whether {name} is called on a model here")
    if chain.steps[number].optional:
        job.assisted(chain.first, "optional", "this was only called if there was a model")
    given = job.code.arguments(chain.steps[asked.call])
    if name in ("generateContent", "generateContentStream"):
        top, config = _contents(job, given)
        parts = _request(job, models, asked, f".models.{name}", top, config)
        wraps = job.collects(chain.steps[asked.call].first) if name.endswith("Stream") else ""
        _put(job, asked, [f"{wraps}(", *parts, ")"] if wraps else parts)
    elif name == "startChat":
        top, config = _chat(job, given)
        _put(job, asked, _request(job, models, asked, ".chats.create", top, config))
    elif name == "countTokens":
        top = _counted(job, asked, given)
        _put(job, asked, _request(job, models, asked, ".models.countTokens", top, []))
        if asked.model is None or (asked.model.keys or set()) & {"systemInstruction", "tools"}:
            job.assisted(chain.first, "count", "the system instruction and tools are no longer "
                         "counted")  # fmt: skip
    elif name == "embedContent":
        top, config = _embedded(job, given)
        _put(job, asked, _request(job, models, asked, ".models.embedContent", top, config))
    else:
        top, config = _batch(job, asked, given)
        _put(job, asked, _request(job, models, asked, ".models.embedContent", top, config))
    job.done(chain.first, name)


def _put(job: Job, asked: Asked, parts: list[Part]) -> None:
    code = job.code
    end = code.tokens[asked.chain.steps[asked.call].last].end
    job.replace(Span(code.tokens[asked.first].start, end), *parts)


def _request(job: Job, models: Models, asked: Asked, method: str, top: list[Piece],
             config: list[Piece] | None) -> list[Part]:  # fmt: skip
    """``client.method({...})``; without ``config`` the model's is not wanted at all."""
    model = asked.model
    bare = method.endswith(("countTokens", "embedContent"))
    own = {one.parts[0] for one in config or []}
    replaced = "own" in own
    config = [one for one in config or [] if one.parts[0] != "own"]
    direct = model is not None and model.chain is asked.chain and model.number == asked.number - 1
    if model is not None and direct:
        made = job.on(asked.chain, model.number - 1)
        skip = frozenset(model.keys or ()) if bare else frozenset(
            key for key in (model.keys or ()) if (replaced and key not in BESIDE)
            or any(key == _key(job, one) for one in config))  # fmt: skip
        return [made, method, "(", *models.value(model, top, config, skip, alone=True), ")"]
    on: list[Part] = [asked.on]
    carried = models.carries(model)
    kept: list[Piece] = []
    if carried and any(step.kind == "call" for step in asked.chain.steps[: asked.number]):
        kept = [] if bare else _kept(job, asked, config, replaced, ("config",))
        return _at_once(job, asked, method, top, [*kept, *config], bare)
    client_span = models.client(model, asked.chain.first) if model is not None else None
    client: list[Part] = [*on, ".ai"] if carried or client_span is None else [client_span]
    if not bare:
        kept = _kept(job, asked, config, replaced, (*on, ".config"))
    if bare or carried:
        head = [objects.new("model: ", *on, ".model")]
    else:
        head = [objects.new("...", *on)]
    settings = [*kept, *config]
    if carried and not bare and not config:
        known = model is not None and not model.has_config
        head += [] if known else [objects.new("config: ", *on, ".config")]
        settings = []
    if not bare and not config:
        settings = []
    if method == ".chats.create" and not top and not settings and not carried:
        return [*client, method, "(", *on, ")"]
    opened = _opened(job, asked)
    if opened >= 0:
        return [*client, method, "(", *objects.written(job, opened, [*head, *top], settings), ")"]
    return [*client, method, "(", *objects.short([*head, *top], settings, "config"), ")"]


def _key(job: Job, piece: Piece) -> str:
    """The name of an entry."""
    first = piece.parts[0]
    text = first if isinstance(first, str) else job.code.text[first.start : first.end]
    return text.partition(":")[0].strip()


def _opened(job: Job, asked: Asked) -> int:
    """The brace of the object that a call is given; -1 for none."""
    given = job.code.arguments(asked.chain.steps[asked.call])
    return given[0][0] if given and job.code.is_object(*given[0]) else -1


def _kept(job: Job, asked: Asked, config: list[Piece], replaced: bool, of: tuple[Part, ...]
          ) -> list[Piece]:  # fmt: skip
    """The settings of the model that stay beside the call's own; ``of`` is what has them."""
    model = asked.model
    if not config or (model is not None and not model.has_config):
        return []
    if not replaced:
        return _merged(job, model, config, of)
    if model is None or model.keys is None:
        job.assisted(asked.chain.first, "settings", "the generationConfig of a call took the place "
                     "of the model's; here they are merged")  # fmt: skip
        return _merged(job, model, config, of)
    if "generationConfig" not in model.keys:
        return _merged(job, model, config, of)
    beside = [key for key in (*BESIDE, "httpOptions") if key in model.keys]
    own = {_key(job, one) for one in config}
    return [objects.new(f"{key}: ", *of, f".{key}") for key in beside if key not in own]


def _merged(job: Job, model: Model | None, config: list[Piece], of: tuple[Part, ...]
            ) -> list[Piece]:  # fmt: skip
    """All settings of the model; where it and the call have request options, both."""
    for number, one in enumerate(config):
        if _key(job, one) == "httpOptions" and (
            model is None or "httpOptions" in (model.keys or ())
        ):
            parts: tuple[Part, ...] = ("httpOptions: { ...", *of, ".httpOptions, ", *one.parts[1:])
            config[number] = one._replace(parts=parts)
    return [objects.new("...", *of)]


def _at_once(job: Job, asked: Asked, method: str, top: list[Piece], config: list[Piece],
             bare: bool) -> list[Part]:  # fmt: skip
    """A model that a call gives, and is asked at once."""
    inner = [objects.new("model"), *([] if bare else [objects.new("config")])]
    if config:
        inner = [objects.new("model")]
    names = "{ ai, model }" if bare else "{ ai, model, config }"
    body = objects.short([*inner, *top], config, "config")
    if any(isinstance(part, Span) and "await" in job.code.text[part.start : part.end]
           for part in body):  # fmt: skip
        job.assisted(asked.chain.first, "unknown", "await cannot stand in this function; take the "
                     "value out of it")  # fmt: skip
    return [f"(({names}) => ai{method}(", *body, "))(", asked.on, ")"]


# --- what is asked ---


def _contents(job: Job, given: list[tuple[int, int]]) -> tuple[list[Piece], list[Piece]]:
    code = job.code
    if not given:
        return [], []
    first, last = given[0]
    top: list[Piece] = []
    config: list[Piece] = []
    if code.is_object(first, last):
        top, config = _parted(job, first, "contents")
    else:
        value = code.span(first, last)
        keys = _request_keys(job, first, last)
        if keys is None:
            if code.name(first) and first == last and _REQUEST.search(code.name(first)):
                job.assisted(first, "contents", "look whether this is a request of its own or only "
                             "its contents")  # fmt: skip
            top.append(_piece("contents", value, code.code(first, last)))
        else:
            top.append(objects.new("contents: ", value, ".contents"))
            for key in sorted(keys - {"contents"}):
                if key == "generationConfig":
                    config += [*_own(key), objects.new("...", value, f".{key}")]
                else:
                    config.append(objects.new(f"{key}: ", value, f".{key}"))
    for options in given[1:]:
        config += request_options(job, *options)
    return top, config


def _parted(job: Job, opened: int, name: str) -> tuple[list[Piece], list[Piece]]:
    """An object's entries: the one of that name, and all others as settings."""
    top: list[Piece] = []
    config: list[Piece] = []
    for entry, piece in objects.pieces(job.code, opened):
        if entry.key == name:
            top.append(piece)
        else:
            config += _own(entry.key) + setting(job, entry, piece)
    return top, config


def _own(key: str) -> list[Piece]:
    """Says that the call has a generation config of its own, in which the model's is not."""
    return [Piece("", ("own",))] if key == "generationConfig" else []


def _piece(name: str, value: Span, text: str) -> Piece:
    return objects.new(name) if text == name else objects.new(f"{name}: ", value)


def _request_keys(job: Job, first: int, last: int) -> set[str] | None:
    """What a request has that is kept in a name; None where it is none."""
    binding = job.scopes.resolve(first) if first == last else None
    if binding is None or binding.how != "value" or binding.value < 0 or binding.path:
        return None
    code = job.code
    if not code.is_object(binding.value, code.end(binding.value)):
        return None
    keys = {entry.key for entry in code.entries(binding.value)}
    return keys if "contents" in keys else None


def _chat(job: Job, given: list[tuple[int, int]]) -> tuple[list[Piece], list[Piece]]:
    code = job.code
    if not given:
        return [], []
    first, last = given[0]
    if code.is_object(first, last):
        return _parted(job, first, "history")
    value = code.span(first, last)
    job.assisted(first, "chat", "look at what these settings have; history and "
                 "generationConfig are taken")  # fmt: skip
    return ([objects.new("history: ", value, ".history")],
            [objects.new("...", value, ".generationConfig")])  # fmt: skip


def _counted(job: Job, asked: Asked, given: list[tuple[int, int]]) -> list[Piece]:
    code = job.code
    if not given:
        return []
    first, last = given[0]
    if code.is_object(first, last):
        found = []
        for entry, piece in objects.pieces(code, first):
            if entry.key == "contents":
                found.append(piece)
            elif entry.key == "generateContentRequest":
                value = code.span(entry.value, entry.last)
                found.append(objects.new("contents: (", value, ").contents"))
                job.assisted(entry.first, "count", "only the contents are counted")
        return found
    value = code.span(first, last)
    if _request_keys(job, first, last):
        return [objects.new("contents: ", value, ".contents")]
    return [_piece("contents", value, code.code(first, last))]


def _embedded(job: Job, given: list[tuple[int, int]]) -> tuple[list[Piece], list[Piece]]:
    code = job.code
    if not given:
        return [], []
    first, last = given[0]
    if not code.is_object(first, last):
        value = code.span(first, last)
        if code.sign(first) == "[":
            job.assisted(first, "embed", "each item of a list is embedded by itself now")
        top = [_piece("contents", value, code.code(first, last))]
        return top, [one for options in given[1:] for one in request_options(job, *options)]
    top, config = [], []
    for entry, piece in objects.pieces(code, first):
        if entry.key == "content":
            value = code.span(entry.value, entry.last)
            parts: tuple[Part, ...] = ("contents: ", value)
            top.append(piece._replace(parts=parts))
        else:
            config.append(piece)
    return top, config


def _batch(job: Job, asked: Asked, given: list[tuple[int, int]]) -> tuple[list[Piece], list[Piece]]:
    """Many contents: their settings are one config now."""
    code = job.code
    if not given:
        return [], []
    first, last = given[0]
    requests: list[Part] = ["(", code.span(first, last), ").requests"]
    if code.is_object(first, last):
        for entry in code.entries(first):
            if entry.key == "requests":
                requests = [code.span(entry.value, entry.last)]
                if entry.kind == "pair" and code.chain(entry.value) is None:
                    requests = ["(", *requests, ")"]
    job.assisted(asked.chain.first, "embed", "the task and the title of the first request are not "
                 "taken; write them into config, for all")  # fmt: skip
    kind = "one: any" if job.typed else "one"
    return [objects.new("contents: ", *requests, f".map(({kind}) => one.content)")], []


def _send(job: Job, chain: Chain, number: int, on: Kind | None) -> None:
    code = job.code
    given = code.arguments(chain.steps[number + 1])
    name = chain.steps[number].name
    if on is None:
        job.assisted(chain.first, "unknown", f"look whether {name} is called on a chat here")
    step = chain.steps[number + 1]
    if given:
        _message(job, chain, number + 1, given)
    if name == "sendMessageStream" and (wraps := job.collects(step.first)):
        start = code.tokens[job.start(chain, number)].start
        span = Span(start, code.tokens[step.last].end)
        job.replace(span, f"{wraps}(", span, ")")
    job.done(chain.first, name)


def _message(job: Job, chain: Chain, number: int, given: list[tuple[int, int]]) -> None:
    code = job.code
    step = chain.steps[number]
    value = code.span(*given[0])
    span = Span(code.tokens[code.pair[step.last]].end, code.tokens[step.last].start)
    if len(given) > 1:
        job.assisted(chain.first, "request-options", "options of one message have no equal: "
                     "its config would replace the chat's")  # fmt: skip
    if "\n" in code.text[span.start : value.start]:
        head = Span(span.start, value.start)
        rest = code.text[value.end : span.end] if len(given) == 1 else ""
        job.replace(span, head, "{ message: ", value, " }", rest)
    else:
        job.replace(span, "{ ", *_piece("message", value, code.code(*given[0])).parts, " }")
