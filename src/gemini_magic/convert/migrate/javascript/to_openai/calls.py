"""Asking by openai: chats, streams, embeddings, pictures; what has no equal is left."""

from __future__ import annotations

from collections.abc import Callable

from gemini_magic.convert.migrate.javascript.code import Chain, Entry
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.kind import Kind
from gemini_magic.convert.migrate.javascript.to_openai.sdk import NO_EQUAL
from gemini_magic.convert.migrate.source import Part, Span

#: Ratios of pictures, as sizes that openai's models make.
_SIZES = {"1:1": "1024x1024", "3:4": "1024x1536", "9:16": "1024x1536", "4:3": "1536x1024",
          "16:9": "1536x1024"}  # fmt: skip


def rewrite(job: Job) -> None:
    for chain in job.chains:
        kinds = job.kinds.trace(chain)
        for number, step in enumerate(chain.steps[:-1]):
            call = chain.steps[number + 1]
            if step.kind == "name" and call.kind == "call":
                _called(job, chain, number, kinds[number])
        for number, (kind, step) in enumerate(zip(kinds, chain.steps, strict=False)):
            if number and kind is not None and kind.tag == "service" and step.kind == "name":
                name = f"{chain.steps[number - 1].name}.{step.name}"
                job.left(chain.first, "service", f"{name} has no equal in openai")
                break
    no_equals(job)


def _called(job: Job, chain: Chain, number: int, on: Kind | None) -> None:
    name = chain.steps[number].name
    if on is not None and number and job.kinds.trace(chain)[number - 1] is None:
        job.assisted(chain.first, "unknown", f"look whether {name} is called on a client here")
    if on is None or on.tag not in ("models", "chats", "chat"):
        return
    given = job.code.arguments(chain.steps[number + 1])
    if on.tag == "chat":
        if name == "getHistory":
            job.assisted(chain.first, "chat", "the history's turns are openai's messages now")
        return
    if on.tag == "chats" and name == "create":
        client = Span(job.on(chain, number - 1).start, job.on(chain, number - 1).end)
        value = job.code.span(*given[0]) if given else None
        inner: list[Part] = [", ", value] if value is not None else []
        word = job.function("conversation")
        _put(job, chain, number, [f"{word}(", client, *inner, ")"])
    elif name in ("generateContent", "generateContentStream") and given:
        _asked(job, chain, number, given[0], stream=name.endswith("Stream"))
    elif name == "embedContent" and given:
        _embedded(job, chain, number, given[0])
    elif name == "generateImages" and given:
        _pictures(job, chain, number, given[0])
    else:
        job.left(chain.first, "models", f"{name} has no equal in openai")
        return
    job.done(chain.first, name)


def _put(job: Job, chain: Chain, number: int, parts: list[Part]) -> None:
    """In the place of a call and of all before it."""
    code = job.code
    start = code.tokens[job.start(chain, number)].start
    job.replace(Span(start, code.tokens[chain.steps[number + 1].last].end), *parts)


def _client(job: Job, chain: Chain, number: int) -> Span:
    """The text of the client, before ``.models``."""
    return job.on(chain, number - 1)


def _asked(job: Job, chain: Chain, number: int, given: tuple[int, int], *, stream: bool) -> None:
    value = job.code.span(*given)
    request: list[Part] = _plain(job, given) or []
    if not request:
        request = [job.function("chatRequest"), "(", value, ")"]
        if stream:
            request = ["{ ...", *request, ", stream: true }"]
    elif stream:
        request = [*request[:-1], ", stream: true }"]
    client = _client(job, chain, number)
    _put(job, chain, number, [client, ".chat.completions.create(", *request, ")"])


def _plain(job: Job, given: tuple[int, int]) -> list[Part] | None:
    """The request where a model is asked with a text and nothing else."""
    code = job.code
    if not code.is_object(*given):
        return None
    entries = {entry.key: entry for entry in code.entries(given[0])}
    contents = entries.get("contents")
    if len(entries) != 2 or contents is None or not _surely_text(job, contents):
        return None
    model = entries["model"] if "model" in entries else entries.get("")
    if model is None or (name := _model(job, model)) is None:
        return None
    text = code.span(contents.value, contents.last)
    return ["{ ", *name, ', messages: [{ role: "user", content: ', text, " }]", " }"]


def _model(job: Job, entry: Entry) -> list[Part] | None:
    """The model of a request that has nothing else; None where there may be more to it."""
    code = job.code
    value = code.span(entry.value, entry.last)
    if entry.kind == "spread":
        kind = job.kinds.of(entry.value, entry.last)
        if kind is None or kind.tag != "object":
            return None
        own = code.entries(kind.origin)
        if [one.key for one in own] != ["model"]:
            return None
        if code.code(own[0].value, own[0].last)[1:].startswith("models/"):
            return None
        return ["...", value]
    text = code.tokens[entry.value].value
    if entry.kind == "pair" and entry.value == entry.last and str(text).startswith("models/"):
        return [f'model: "{str(text).removeprefix("models/")}"']
    if entry.kind == "short":
        return ["model"]
    return ["model: ", value] if entry.kind == "pair" else None


def _surely_text(job: Job, entry: Entry) -> bool:
    code = job.code
    if entry.value == entry.last and code.name(entry.value):
        binding = job.scopes.resolve(entry.value)
        if binding is None or binding.path:
            return False
        if binding.annotation >= 0:
            after = code.sign(binding.annotation + 1)
            return code.name(binding.annotation) == "string" and after in ("", ",", ")", "=", ";")
        if binding.word != "const" or binding.value < 0:
            return False
        return _is_text(job, binding.value, code.end(binding.value))
    return _is_text(job, entry.value, entry.last)


def _is_text(job: Job, first: int, last: int) -> bool:
    code = job.code
    if code.tokens[first].kind == "text" and first == last:
        return True
    return code.sign(first) == "`" and code.pair[first] == last


def _embedded(job: Job, chain: Chain, number: int, given: tuple[int, int]) -> None:
    code = job.code

    def worded(entry: Entry) -> list[Part]:
        value = code.span(entry.value, entry.last)
        if entry.key == "outputDimensionality":
            return ["dimensions: ", value]
        if entry.key != "contents":
            return []
        plain = code.tokens[entry.value].kind == "text" and entry.value == entry.last
        return (
            ["input: ", value] if plain else ["input: ", job.function("inputOf"), "(", value, ")"]
        )

    if code.is_object(*given):
        made = _entries(job, given[0], "embed", worded)
    else:
        value = code.span(*given)
        made = ["model: ", value, ".model, input: ", job.function("inputOf"), "(", value,
                ".contents)"]  # fmt: skip
    client = _client(job, chain, number)
    _put(job, chain, number, [client, ".embeddings.create({ ", *made, " })"])


def _pictures(job: Job, chain: Chain, number: int, given: tuple[int, int]) -> None:
    code = job.code

    def worded(entry: Entry) -> list[Part]:
        text = str(code.tokens[entry.value].value) if entry.value == entry.last else ""
        if entry.key == "numberOfImages":
            return ["n: ", code.span(entry.value, entry.last)]
        return [f'size: "{_SIZES[text]}"'] if entry.key == "aspectRatio" and text in _SIZES else []

    client = _client(job, chain, number)
    if code.is_object(*given):
        inner = _entries(job, given[0], "images", worded)
        made: list[Part] = ["{ ", *inner, ', response_format: "b64_json" }']
    else:
        job.assisted(chain.first, "images", "look at what this request has: n, size, and "
                     'response_format: "b64_json" are openai\'s')  # fmt: skip
        made = [code.span(*given)]
    _put(job, chain, number, [client, ".images.generate(", *made, ")"])


def _entries(job: Job, opened: int, rule: str, worded: Callable[[Entry], list[Part]]) -> list[Part]:
    """A request's entries, its settings beside them; ``worded`` says in openai's words what has
    others there, else nothing."""
    code = job.code
    made: list[list[Part]] = []
    for entry in code.entries(opened):
        if entry.key != "config":
            made.append(worded(entry) or [code.span(entry.first, entry.last)])
        elif not code.is_object(entry.value, entry.last):
            job.assisted(entry.first, rule, "this config is not sent")
        else:
            for setting in code.entries(entry.value):
                if parts := worded(setting):
                    made.append(parts)
                else:
                    job.assisted(setting.first, rule, f"{setting.key} has no equal and is not sent")
    return [part for parts in made for part in (", ", *parts)][1:]


def no_equals(job: Job) -> None:
    """Mark the settings that are not sent."""
    code = job.code
    clients = [
        (code.pair[step.last], step.last)
        for chain in job.chains if job.kinds.before(chain) == "new"
        for kind, step in zip(job.kinds.trace(chain)[1:], chain.steps, strict=True)
        if step.kind == "call" and kind is not None and kind.tag == "client"
    ]  # fmt: skip
    for opened in [at for at in code.pair if code.sign(at) == "{" and code.pair[at] > at]:
        if any(first < opened < last for first, last in clients) or opened in job.scopes.classes:
            continue
        if not code.ends_value(opened - 1) or code.sign(opened - 1) in ("]", "}"):
            for entry in code.entries(opened):
                if entry.key in NO_EQUAL and entry.kind in ("pair", "short"):
                    if entry.kind == "short" and code.sign(code.pair[opened] + 1) == "=":
                        continue
                    job.assisted(
                        entry.first, "setting", f"{entry.key} has no equal and is not sent"
                    )
