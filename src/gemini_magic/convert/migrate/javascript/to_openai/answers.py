"""What comes back of @google/genai, as openai's answers have it."""

from __future__ import annotations

from gemini_magic.convert.migrate.javascript.code import Chain
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.kind import Kind
from gemini_magic.convert.migrate.javascript.to_openai.sdk import USAGE
from gemini_magic.convert.migrate.source import Part, Span

_RENAMED = {"modelVersion": "model", "responseId": "id"}


def rewrite(job: Job) -> None:
    for chain in job.chains:
        kinds = job.kinds.trace(chain)
        for number, step in enumerate(chain.steps):
            on = kinds[number]
            if on is None or step.kind != "name":
                continue
            if on.tag in ("response", "chunk"):
                _answer(job, chain, number, on)
            elif on.tag == "usage":
                if step.name in USAGE:
                    job.rename(step.last, USAGE[step.name])
                else:
                    job.left(chain.first, "answer", f"openai's usage has no {step.name}")
            elif on.tag == "embedded" and step.name == "embeddings":
                job.rename(step.last, "data")
            elif on.tag == "embedding" and step.name == "values":
                job.rename(step.last, "embedding")
            elif on.tag == "images" and step.name == "generatedImages":
                job.rename(step.last, "data")
            elif on.tag == "picture" and step.name == "imageBytes":
                _bytes(job, chain, number)
    for several in job.scopes.bindings.values():
        for binding in several:
            base = job.kinds.names.apart(binding)
            if base is None or base.tag not in ("response", "chunk", "embedded", "images"):
                continue
            if binding.path[-1] != "...":
                _pattern(job, job.code.parent[binding.at], base)


def _answer(job: Job, chain: Chain, number: int, on: Kind) -> None:
    code, step = job.code, chain.steps[number]
    dot = "?." if step.optional else "."
    here = code.span(step.first, step.last)
    if step.name == "text":
        text = "choices[0].message.content" if on.tag == "response" else (
            "choices[0]?.delta?.content")  # fmt: skip
        job.replace(here, dot + text)
    elif step.name == "functionCalls":
        _function(job, chain, number, "callsOf")
    elif step.name == "usageMetadata":
        job.rename(step.last, "usage")
        if on.tag == "chunk":
            job.assisted(chain.first, "answer", "a stream tells its usage only with "
                         "stream_options: { include_usage: true }")  # fmt: skip
            return
    elif step.name == "candidates":
        _candidates(job, chain, number, on)
        return
    elif step.name in _RENAMED:
        job.rename(step.last, _RENAMED[step.name])
    else:
        job.left(chain.first, "answer", f"openai's answers have no {step.name}")
        return
    job.done(chain.first, "answer")


def _function(job: Job, chain: Chain, number: int, name: str) -> None:
    """A function of what the chain is about, in the place of all up to a step."""
    start = job.code.tokens[job.start(chain, number)].start
    inner = Span(start, job.code.tokens[job.before(chain, number)].end)
    whole = Span(start, job.code.tokens[chain.steps[number].last].end)
    job.replace(whole, job.function(name), "(", inner, ")")


def _candidates(job: Job, chain: Chain, number: int, on: Kind) -> None:
    code = job.code
    rest = [one for one in chain.steps[number + 1 :] if one.kind != "sure"]
    first = bool(rest) and rest[0].kind == "index" and code.code(
        rest[0].first, rest[0].last).strip("?.") == "[0]"  # fmt: skip
    named = rest[1].name if first and len(rest) > 1 else ""
    if named == "content":
        end = chain.steps.index(rest[1])
        start = code.tokens[job.start(chain, number)].start
        inner = Span(start, code.tokens[job.before(chain, number)].end)
        last = chain.steps[end].last
        last += 1 if code.sign(last + 1) == "!" and code.sign(last + 2) != "=" else 0
        whole = Span(start, code.tokens[last].end)
        parts: list[Part] = [job.function("contentOf"), "(", inner, ")"]
        job.replace(whole, *parts)
        job.done(chain.first, "answer")
    elif named == "finishReason":
        job.rename(chain.steps[number].last, "choices")
        job.rename(rest[1].last, "finish_reason")
        job.assisted(chain.first, "answer", 'reasons are "stop", "length", "content_filter" and '
                     '"tool_calls" now')  # fmt: skip
    elif not rest:
        job.rename(chain.steps[number].last, "choices")
        job.assisted(chain.first, "answer", "choices stand in the place of candidates, and are not "
                     "built as they are")  # fmt: skip
    else:
        what = named or "other candidates"
        job.left(chain.first, "answer", f"openai's answers have no {what}")


def _bytes(job: Job, chain: Chain, number: int) -> None:
    """``.image.imageBytes`` is ``.b64_json``."""
    step, before = chain.steps[number], chain.steps[number - 1] if number else None
    if before is None or before.name != "image":
        if before is None or before.kind != "sure":
            job.left(chain.first, "images", "openai's pictures are in b64_json")
            return
        before = chain.steps[number - 2]
    span = job.code.span(before.first, step.last)
    job.replace(span, ("?." if before.optional else ".") + "b64_json")
    job.done(chain.first, "images")


def _pattern(job: Job, pattern: int, base: Kind) -> None:
    code = job.code
    if code.sign(pattern) != "{":
        return
    known = {
        "response": {"usageMetadata": "usage", **_RENAMED},
        "embedded": {"embeddings": "data"},
        "images": {"generatedImages": "data"},
    }.get(base.tag, {})
    for entry in code.entries(pattern):
        if entry.key == "text" and base.tag == "response" and entry.kind in ("pair", "short"):
            value = code.span(entry.value, entry.last)
            new = "choices: [{ message: { content: "
            job.replace(code.span(entry.first, entry.last), new, value, " } }]")
            job.done(pattern, "answer")
        elif entry.key in known:
            value = code.span(entry.value, entry.last)
            job.replace(code.span(entry.first, entry.last), f"{known[entry.key]}: ", value)
            job.done(pattern, "answer")
        else:
            job.left(pattern, "answer", f"openai's answers have no {entry.key}")
