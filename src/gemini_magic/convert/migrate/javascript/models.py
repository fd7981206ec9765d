"""Models of the old SDK: an object of a request's arguments takes the place of each."""

from __future__ import annotations

import re
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript import objects
from gemini_magic.convert.migrate.javascript.code import Chain, Entry
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.kind import Kind
from gemini_magic.convert.migrate.javascript.objects import Piece
from gemini_magic.convert.migrate.javascript.old_sdk import REQUEST_OPTIONS
from gemini_magic.convert.migrate.javascript.project import exports, portable
from gemini_magic.convert.migrate.source import Part, Span

#: Settings that stand beside the generation config, and take the place of the model's one by one.
BESIDE = ("safetySettings", "tools", "toolConfig", "systemInstruction", "cachedContent")
ASKING = ("generateContent", "generateContentStream", "startChat", "countTokens", "embedContent",
          "batchEmbedContents")  # fmt: skip


class Model(NamedTuple):
    """A call that makes a model: its chain, and the number of the call's step.

    ``keys`` are the settings it has, None where that cannot be told; ``opened`` is the brace of
    its settings.
    """

    chain: Chain
    number: int
    opened: int
    keys: frozenset[str] | None
    cached: bool = False

    @property
    def has_config(self) -> bool:
        return self.keys is None or bool(self.keys)


class Models:
    """All models of a program, and where they are asked."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.made: dict[int, Model] = {}
        self.asked: list[tuple[Chain, int, Kind | None]] = []
        for chain in job.chains:
            kinds = job.kinds.trace(chain)
            for number, step in enumerate(chain.steps):
                after = chain.steps[number + 1] if number + 1 < len(chain.steps) else None
                if step.kind != "name" or after is None or after.kind != "call":
                    continue
                on = kinds[number]
                makes = step.name.startswith("getGenerativeModel")
                if makes and (on is None or on.tag == "client"):
                    if on is None:
                        job.assisted(chain.first, "unknown", "look whether this is a client")
                    self.made[after.first] = self._model(chain, number + 1)
                elif step.name in ASKING and (_is(on, "model") or (
                    on is None and step.name in job.kinds.sdk.distinct
                )):  # fmt: skip
                    self.asked.append((chain, number, on))
        unseen = [kind for chain, number, kind in self.asked if not self.sees(chain, number, kind)]
        self._carried = {kind.origin for kind in unseen if kind is not None} | self._handed()
        self._all = (
            not self._carried <= set(self.made)
            or None in unseen
            or any(tag == "model" for _, tag in self.exported())
        )
        job.travelling = self._all or bool(self._carried)

    def _handed(self) -> set[int]:
        """The models that are handed to functions of which nothing is known."""
        job, found = self.job, set()
        for chain in job.chains:
            kind = job.kinds.trace(chain)[-1]
            opened = job.code.parent[chain.first]
            if kind is None or kind.tag != "model":
                continue
            if job.kinds.is_unknown_call(opened):
                found.add(kind.origin)
                job.assisted(chain.first, "model", "a model is handed on here: it is an object now "
                             "that has ai, model and config")  # fmt: skip
        return found & set(self.made)

    def _model(self, chain: Chain, number: int) -> Model:
        code = self.job.code
        given = code.arguments(chain.steps[number])
        cached = chain.steps[number - 1].name != "getGenerativeModel"
        at = 1 if cached else 0
        if len(given) <= at:
            return Model(chain, number, -1, frozenset({"cachedContent"} if cached else ()), cached)
        first, last = given[at]
        keys: frozenset[str] | None = None
        opened = -1
        if code.is_object(first, last):
            opened = first
            entries = code.entries(first)
            keys = frozenset(entry.key for entry in entries) - {"model"}
            if any(entry.kind in ("spread", "method") for entry in entries):
                keys = None
            elif len(given) > at + 1:
                keys |= {"httpOptions"}
        return Model(chain, number, opened, keys, cached)

    def carries(self, model: Model | None) -> bool:
        """Whether a model has its client with it: it is asked where that cannot be named."""
        if model is None or self._all:
            return self._all
        return model.chain.steps[model.number].first in self._carried

    def of(self, kind: Kind | None) -> Model | None:
        return self.made.get(kind.origin) if kind is not None else None

    def sees(self, chain: Chain, number: int, kind: Kind | None) -> bool:
        """Whether a model's client can be named where the model is asked."""
        model = self.of(kind)
        if model is None:
            return False
        if model.chain is chain and chain.steps[: number][-1].first == model.chain.steps[
            model.number
        ].first:  # fmt: skip
            return True  # asked as soon as made
        return self.client(model, chain.first) is not None

    def client(self, model: Model, at: int) -> Span | None:
        """The text of a model's client, if it means the same at another place."""
        job, chain = self.job, model.chain
        scopes = job.scopes
        if job.kinds.before(chain) == "new":
            return None
        steps = chain.steps[: model.number - 1]
        name = job.code.name(chain.first)
        if name == "this":
            brace = scopes.class_at(chain.first)
            same = brace >= 0 and scopes.class_at(at) == brace
            return job.on(chain, model.number - 1) if same else None
        binding = scopes.resolve(chain.first)
        if not name or binding is None or scopes.lookup(name, at) is not binding:
            return None
        if any(one.kind not in ("name", "sure") for one in steps):
            empty = len(steps) == 1 and not job.code.arguments(steps[0]) and binding.how == (
                "function"
            )  # fmt: skip
            return job.on(chain, model.number - 1) if empty else None
        if binding.how == "parameter" and binding.function is not scopes.function_at(at):
            outer = binding.function
            if outer is None or not outer.body <= at <= outer.last:
                return None
        return job.on(chain, model.number - 1)

    def exported(self) -> list[tuple[str, str]]:
        """The names that a file exports with a model or a client in them, and with which."""
        job = self.job
        found = []
        for name, kind in exports(job.code, job.scopes, job.kinds):
            told = portable(kind, job.kinds)
            while told is not None and told.inner is not None:
                told = told.inner
            if told is not None and told.tag in ("model", "client", "chat"):
                found.append((name, told.tag))
        return sorted(set(found))

    def rewrite(self) -> None:
        """Put objects in the places of models."""
        job = self.job
        for model in self.made.values():
            chain, number = model.chain, model.number
            parts = self.value(model)
            asked = [one for one in self.asked if one[0] is chain and one[1] == number + 1]
            if not asked:
                start = job.start(chain, number - 1)
                span = Span(
                    job.code.tokens[start].start, job.code.tokens[chain.steps[number].last].end
                )
                job.replace(span, *job.as_value(start, parts))
            job.done(chain.first, "model")
        if job.options.scripts is None:
            self._tell()

    def _tell(self) -> None:
        """Other files have to ask what this one exports as it does itself."""
        for name, tag in self.exported():
            calls = {
                "model": "{0}.ai.models.generateContent({{ model: {0}.model, config: {0}.config, "
                "contents }})",
                "client": '{0}.models.generateContent({{ model: "...", contents }})',
                "chat": "{0}.sendMessage({{ message }})",
            }[tag]
            at = next((n for n, one in enumerate(self.job.code.tokens) if one.value == name), 0)
            self.job.assisted(
                at,
                "export",
                f"{name} is exported: other files have to call "
                f"{calls.format(tag)} of it now; name all files in one run",
            )

    def value(self, model: Model, more: list[Piece] | None = None,
              config: list[Piece] | None = None, skip: frozenset[str] = frozenset(), *,
              alone: bool = False) -> list[Part]:  # fmt: skip
        """The object that a model becomes, with more entries, and more settings.

        ``alone`` is an object of a request, which has no client of its own.
        """
        job, code = self.job, self.job.code
        top = (
            [objects.new("ai: ", self._own_client(model))]
            if self.carries(model) and not alone
            else []
        )
        settings: list[Piece] = []
        step = model.chain.steps[model.number]
        given = code.arguments(step)
        if model.cached:
            cache = code.span(*given[0])
            top.append(objects.new("model: ", cache, ".model"))
            settings.append(objects.new("cachedContent: ", cache, ".name"))
        options = given[2 if model.cached else 1 :]
        if model.opened >= 0:
            for entry, piece in objects.pieces(code, model.opened):
                if entry.key == "model":
                    top.append(piece)
                elif entry.key not in skip:
                    settings += setting(job, entry, piece)
        elif given[1 if model.cached else 0 :]:
            variable = code.span(*given[1 if model.cached else 0])
            job.assisted(
                model.chain.first,
                "model",
                "the settings are not written here; their "
                "generationConfig is spread into config, look at what else they have",
            )
            top.append(objects.new("model: ", variable, ".model"))
            settings += [objects.new("...", variable), objects.new("...", variable,
                                                                  ".generationConfig")]  # fmt: skip
        if options:
            settings += request_options(job, *options[0])
        if model.opened < 0:
            return objects.short([*top, *(more or [])], [*settings, *(config or [])], "config")
        return objects.written(job, model.opened, [*top, *(more or [])],
                               [*settings, *(config or [])])  # fmt: skip

    def _own_client(self, model: Model) -> Span:
        return self.job.on(model.chain, model.number - 1)


def _is(kind: Kind | None, tag: str) -> bool:
    return kind is not None and kind.tag == tag


def setting(job: Job, entry: Entry, piece: Piece) -> list[Piece]:
    """The entries of the new config that one of the old settings becomes."""
    code = job.code
    if entry.kind == "spread":
        job.assisted(entry.first, "settings", "what is spread here goes into config as it is; a "
                     "generationConfig in it has to be spread, too")  # fmt: skip
        return [piece]
    if entry.key == "generationConfig":
        return _flat(job, entry, piece)
    if entry.key == "cachedContent" and entry.kind == "pair":
        return [piece._replace(parts=(*piece.parts, "?.name"))]
    if entry.key == "cachedContent":
        return [piece._replace(parts=("cachedContent: cachedContent?.name",), span=None)]
    if entry.kind == "method":
        return [piece]
    return [piece] if code.text else []


def _flat(job: Job, entry: Entry, piece: Piece) -> list[Piece]:
    """The settings in a generation config stand beside all others now."""
    code = job.code
    if entry.kind == "short":
        return [Piece(piece.lead, ("...", piece.parts[0]), piece.trail, span=None)]
    if code.is_object(entry.value, entry.last):
        deep = objects.is_long(code, entry.value)
        inner = [one for _, one in objects.pieces(code, entry.value, deep=deep)]
        if inner:
            first, last = inner[0], inner[-1]
            indent = code.indent(code.tokens[entry.value + 1].start)
            told = re.sub(r"\n[ \t]*(?=\S)", lambda _: f"\n{indent}", piece.lead.rstrip())
            inner[0] = first._replace(lead=f"{told}{first.lead}" if told else first.lead)
            last = inner[-1]
            tail = objects.tail(code, entry.value)
            tail = tail.removeprefix(last.trail).rstrip()
            inner[-1] = last._replace(trail=last.trail + tail + piece.trail)
        return inner
    value = code.span(entry.value, entry.last)
    simple = (chain := code.chain(entry.value)) is not None and chain.last == entry.last
    parts: tuple[Part, ...] = ("...", value) if simple else ("...(", value, ")")
    return [Piece(piece.lead, parts, piece.trail, span=None)]


def request_options(job: Job, first: int, last: int) -> list[Piece]:
    """What a request's options become in its config."""
    code = job.code
    if not code.is_object(first, last):
        value = code.span(first, last)
        job.assisted(first, "request-options", "customHeaders are called headers here, and a "
                     "signal is abortSignal in config")  # fmt: skip
        return [objects.new("httpOptions: ", value)]
    made: list[Piece] = []
    http: list[Part] = []
    for entry in code.entries(first):
        value = code.span(entry.value, entry.last)
        if entry.key == "signal":
            made.append(objects.new("abortSignal: ", value))
        elif entry.key in REQUEST_OPTIONS:
            http += [", " if http else "", f"{REQUEST_OPTIONS[entry.key]}: ", value]
        elif entry.kind == "spread":
            http += [", " if http else "", "...", value]
        else:
            job.assisted(entry.first, "request-options", f"{entry.key} has no equal")
    if http:
        made.append(objects.new("httpOptions: { ", *http, " }"))
    return made
