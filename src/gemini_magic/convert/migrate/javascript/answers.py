"""What comes back of the old SDK: results, answers, streams, embeddings."""

from __future__ import annotations

from gemini_magic.convert.migrate.javascript.code import Chain, Step
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.kind import DECLARED, SEVERAL, Kind
from gemini_magic.convert.migrate.javascript.scopes import Binding
from gemini_magic.convert.migrate.source import Part, Span

#: Before and after a value, these leave ``a ?? b`` whole.
_OPEN = ("(", ",", "=", "[", "${", "=>", ":", ";", "{", "}", "...", "")
_CLOSE = (")", ",", ";", "]", "}", "")
_CALLED = {"text": ".text", "functionCalls": ".functionCalls", "functionCall":
           ".functionCalls?.[0]"}  # fmt: skip


def find_collected(job: Job) -> None:
    """Note the streams that are wanted as a whole, too."""
    for chain in job.chains:
        for kind, step in zip(job.kinds.trace(chain), chain.steps, strict=False):
            if step.name == "response" and kind is not None and kind.tag == "streamed":
                job.collected.add(kind.origin)
    for binding in _bindings(job):
        base = _base(job, binding)
        if base is not None and base.tag == "streamed" and binding.path[-1] == "response":
            job.collected.add(base.origin)


def rewrite(job: Job) -> None:
    for chain in job.chains:
        kinds = job.kinds.trace(chain)
        for number, step in enumerate(chain.steps):
            if step.kind == "name":
                _step(job, chain, number, kinds[number])
    patterns: dict[int, list[Binding]] = {}
    for binding in _bindings(job):
        if _base(job, binding) is not None:
            patterns.setdefault(job.code.parent[binding.at], []).append(binding)
    for pattern, several in patterns.items():
        _pattern(job, pattern, several)


def _bindings(job: Job) -> list[Binding]:
    return [one for several in job.scopes.bindings.values() for one in several if one.path]


def _base(job: Job, binding: Binding) -> Kind | None:
    """What a pattern takes apart."""
    return job.kinds.names.apart(binding)


def _whole(job: Job, kind: Kind) -> bool:
    return kind.origin in job.collected or bool(job.collected & {SEVERAL, DECLARED})


def _step(job: Job, chain: Chain, number: int, on: Kind | None) -> None:
    step = chain.steps[number]
    after = chain.steps[number + 1] if number + 1 < len(chain.steps) else None
    called = after is not None and after.kind == "call"
    if on is None:
        _unknown(job, chain, number, called)
    elif (on.tag == "result" and step.name == "response") or (
        on.tag == "streamed" and step.name == "stream" and not _whole(job, on)
    ):
        _without(job, chain, number)
    elif on.tag == "response" and step.name in _CALLED:
        if called:
            _read(job, chain, number)
        else:
            job.left(chain.first, "answer", f"{step.name} is no function any more")
    elif on.tag == "embedded" and step.name == "embedding":
        _embedding(job, chain, number)
    elif on.tag == "listed" and step.name == "files":
        job.replace(job.code.span(step.first, step.last), ".page")
        job.done(chain.first, "files")
    elif on.tag == "uploaded" and step.name == "file":
        _without(job, chain, number)


def _unknown(job: Job, chain: Chain, number: int, called: bool) -> None:
    """``x.response.text()`` where nobody can tell what x is: nothing else is written so."""
    step = chain.steps[number]
    if step.name == "stream" and number + 1 == len(chain.steps):
        if job.code.name(chain.first - 1) == "of" and _is_awaited(job, chain.first - 1):
            _without(job, chain, number)
            job.assisted(chain.first, "unknown", "look whether this is a stream of the model's")
        return
    before = chain.steps[number - 1] if number else None
    if called and before is not None and before.name == "response" and step.name in _CALLED:
        given = job.code.arguments(chain.steps[number + 1])
        root = job.kinds.trace(chain)[0]
        if not given and root is None and not _is_caught(job, chain):
            _without(job, chain, number - 1)
            _read(job, chain, number)
            job.assisted(chain.first, "unknown", "look whether this is an answer of the model's")


def _is_awaited(job: Job, of: int) -> bool:
    """Whether a loop is ``for await (... of``."""
    return job.code.name(job.code.parent[of] - 1) == "await"


def _is_caught(job: Job, chain: Chain) -> bool:
    binding = job.scopes.resolve(chain.first)
    return binding is not None and binding.how == "none"


def _without(job: Job, chain: Chain, number: int) -> None:
    """Take a property out: what has it is now what it was; ``await`` goes with it."""
    code, step = job.code, chain.steps[number]
    span = code.span(step.first, step.last)
    if step.optional and number + 1 < len(chain.steps):
        following = chain.steps[number + 1]
        if following.kind == "name" and not following.optional:
            span = Span(span.start, code.tokens[following.last - 1].end)
            job.replace(span, "?.")
            job.done(chain.first, "answer")
            return
    job.replace(span)
    start = chain.first - (1 if job.kinds.before(chain) else 0)
    awaited = code.name(start - 1) == "await" and number + 1 == len(chain.steps)
    if awaited and code.sign(chain.first) != "(":
        job.replace(Span(code.tokens[start - 1].start, code.tokens[start].start))
    job.done(chain.first, "answer")


def _read(job: Job, chain: Chain, number: int) -> None:
    """``.text()`` is a property now, and there may be none."""
    code, step, call = job.code, chain.steps[number], chain.steps[number + 1]
    start = chain.first - (1 if job.kinds.before(chain) else 0)
    begin = start
    while code.name(begin - 1) == "await":  # a response of a promise, or needless
        begin -= 1
    name = ("?" if step.optional else "") + _CALLED[step.name]
    if step.name != "text":
        job.replace(code.span(step.first, call.last), name)
        job.done(chain.first, "answer")
        return
    inner = Span(code.tokens[begin].start, job.code.tokens[job.before(chain, number)].end)
    whole = Span(inner.start, code.tokens[call.last].end)
    parts: list[Part] = [inner, name]
    if call.optional:  # what follows says what is instead
        job.replace(whole, *parts)
        job.done(chain.first, "answer")
        return
    parts += [' ?? ""']
    alone = number + 2 == len(chain.steps) and _stands_alone(job, begin, call)
    job.replace(whole, *parts if alone else ["(", *parts, ")"])
    job.done(chain.first, "answer")


def _stands_alone(job: Job, begin: int, call: Step) -> bool:
    code = job.code
    before, after = code.sign(begin - 1), code.sign(call.last + 1)
    word = code.name(begin - 1)
    starts = word in ("return", "of", "yield") or (not word and before in _OPEN and code.tokens[
        begin - 1].kind == "sign") or begin == 0  # fmt: skip
    return starts and ((after in _CLOSE and not code.name(call.last + 1))
                       or (code.breaks(call.last + 1) and after in ("", "`")))  # fmt: skip


def _embedding(job: Job, chain: Chain, number: int) -> None:
    code, step = job.code, chain.steps[number]
    sure = "!" if job.typed else ""
    optional = "?" if step.optional else ""
    job.replace(code.span(step.first, step.last), f"{optional}.embeddings{sure}[0]")
    after = chain.steps[number + 1] if number + 1 < len(chain.steps) else None
    if sure and after is not None and after.name == "values":
        job.replace(Span(code.tokens[after.last].end, code.tokens[after.last].end), "!")
    job.done(chain.first, "answer")


def _pattern(job: Job, pattern: int, several: list[Binding]) -> None:
    """``const { response } = ...``: what was in a result is the result."""
    code = job.code
    if code.sign(pattern) != "{":
        return
    base = _base(job, several[0])
    entries = code.entries(pattern)
    if base is None:
        return
    taken = {"result": "response", "streamed": "stream", "uploaded": "file"}.get(base.tag)
    if base.tag == "streamed" and _whole(job, base):
        return
    if taken is not None and len(entries) == 1 and entries[0].key == taken:
        entry = entries[0]
        value = code.span(entry.value, entry.last)
        job.replace(Span(code.tokens[pattern].start, code.tokens[code.pair[pattern]].end), value)
        job.done(pattern, "answer")
    elif base.tag == "embedded":
        for entry in entries:
            if entry.key == "embedding":
                value = code.span(entry.value, entry.last)
                job.replace(code.span(entry.first, entry.last), "embeddings: [", value, "]")
                job.done(pattern, "answer")
    elif base.tag == "response":
        for entry in entries:
            if entry.key in _CALLED:
                job.left(pattern, "answer", f"{entry.key} is no function any more")
    elif taken is not None:
        job.left(pattern, "answer", f"what {taken} was is the whole of it now")
