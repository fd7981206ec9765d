"""Files and caches of the old SDK: their managers are clients now."""

from __future__ import annotations

from gemini_magic.convert.migrate.javascript import objects
from gemini_magic.convert.migrate.javascript.code import Chain
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.objects import Piece
from gemini_magic.convert.migrate.javascript.old_sdk import REQUEST_OPTIONS
from gemini_magic.convert.migrate.source import Part, Span

_METHODS = {
    ("files", "uploadFile"): "upload",
    ("files", "getFile"): "get",
    ("files", "listFiles"): "list",
    ("files", "deleteFile"): "delete",
    ("caches", "create"): "create",
    ("caches", "get"): "get",
    ("caches", "list"): "list",
    ("caches", "delete"): "delete",
    ("caches", "update"): "update",
}


def rewrite(job: Job) -> None:
    for chain in job.chains:
        kinds = job.kinds.trace(chain)
        for number, step in enumerate(chain.steps[:-1]):
            on = kinds[number]
            call = chain.steps[number + 1]
            if on is None or step.kind != "name" or call.kind != "call":
                continue
            method = _METHODS.get((on.tag, step.name))
            if method is not None:
                job.replace(job.code.span(step.first, step.last), f".{on.tag}.{method}")
                _arguments(job, chain, number + 1, on.tag, method)
                job.done(chain.first, on.tag)
    clients(job)


def clients(job: Job) -> None:
    """``new GoogleGenerativeAI(key)`` and the managers."""
    code = job.code
    for chain in job.chains:
        if job.kinds.before(chain) != "new":
            continue
        kinds = job.kinds.trace(chain)
        for number, step in enumerate(chain.steps):
            if step.kind != "call":
                continue
            made = kinds[number + 1]
            if made is not None and made.tag in ("client", "files", "caches"):
                span = Span(code.tokens[code.pair[step.last]].start, code.tokens[step.last].end)
                job.replace(span, *_client(job, code.arguments(step)))
                job.done(chain.first, "client")
            break


def _client(job: Job, given: list[tuple[int, int]]) -> list[Part]:
    code = job.code
    made: list[Part] = ["({ "]
    if given:
        key = code.span(*given[0])
        named = code.code(*given[0]) == "apiKey"
        made += [*(["apiKey"] if named else ["apiKey: ", key]), ", "]
    http: list[Part] = ['apiVersion: "v1beta"']
    if len(given) > 1 and code.is_object(*given[1]):
        for entry in code.entries(given[1][0]):
            value = code.span(entry.value, entry.last)
            if entry.key == "apiVersion":
                http[0:1] = ["apiVersion: ", value]
            elif entry.key in REQUEST_OPTIONS:
                http += [f", {REQUEST_OPTIONS[entry.key]}: ", value]
    elif len(given) > 1:
        http += [", ...", code.span(*given[1])]
    if job.options.base_url is not None:
        http.append(f", baseUrl: {quoted(job.options.base_url)}")
    return [*made, "httpOptions: { ", *http, " } })"]


def quoted(text: str) -> str:
    """A text as a literal."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'


def _arguments(job: Job, chain: Chain, number: int, tag: str, method: str) -> None:
    code, step = job.code, chain.steps[number]
    given = code.arguments(step)
    span = Span(code.tokens[code.pair[step.last]].start, code.tokens[step.last].end)
    if method == "upload" and given:
        file: list[Part] = [code.span(*given[0])]
        text = code.code(*given[0])
        if "Buffer" in text or "readFile" in text:
            file = ["new Blob([", *file, "])"]
        elif code.tokens[given[0][0]].kind != "text" and not _is_path(job, given[0]):
            job.assisted(chain.first, "upload", "a Buffer has to be a Blob now: new Blob([buffer])")
        options: list[Part] = []
        if len(given) > 1:
            value = code.span(*given[1])
            options = [", config" if code.code(*given[1]) == "config" else ", config: ", value]
        job.replace(span, "({ file: ", *file, *options, " })")
    elif method in ("get", "delete") and given:
        job.replace(span, "({ name: ", code.span(*given[0]), " })")
    elif method == "list":
        if given:
            job.replace(span, "({ config: ", code.span(*given[0]), " })")
    elif method == "create" and given:
        _created(job, chain, given[0])
    elif method == "update" and len(given) > 1:
        job.replace(span, "({ name: ", code.span(*given[0]), ", config: (", code.span(*given[1]),
                    ").cachedContent })")  # fmt: skip
        job.assisted(chain.first, "caches", 'ttlSeconds: 60 is ttl: "60s" now')


def _is_path(job: Job, given: tuple[int, int]) -> bool:
    """Whether a file is said by its path, as far as its name tells."""
    text = job.code.code(*given).lower()
    return any(word in text for word in ("path", "name", "join(", "resolve(", '"', "'", "`"))


def _created(job: Job, chain: Chain, given: tuple[int, int]) -> None:
    code = job.code
    first, last = given
    if not code.is_object(first, last):
        value = code.span(first, last)
        job.replace(value, "{ model: ", value, ".model, config: ", value, " }")
        job.assisted(chain.first, "caches", 'ttlSeconds: 60 is ttl: "60s" now')
        return
    top: list[Piece] = []
    config: list[Piece] = []
    for entry, piece in objects.pieces(code, first):
        if entry.key == "model":
            top.append(piece)
        elif entry.key == "ttlSeconds":
            value = code.span(entry.value, entry.last)
            text = code.code(entry.value, entry.last)
            parts: tuple[Part, ...] = ("ttl: `${", value, "}s`")
            config.append(piece._replace(parts=(f'ttl: "{text}s"',) if text.isdigit() else parts))
        else:
            config.append(piece)
    job.replace(code.span(first, last), *objects.written(job, first, top, config))
