"""Where a program makes its models, and what a model becomes.

The old SDK had an object with a model's name and settings; the new one takes both with each call.
A model that stays in one variable becomes two: ``model``, its name, and ``model_config``. As soon
as one of a program's models is handed around, all of them become one value that can be:
``{"model": name, "config": config}``, the arguments that calls are given.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import NamedTuple

from gemini_magic.convert.migrate import arguments, old_sdk, settings
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.model_uses import Uses
from gemini_magic.convert.migrate.source import Part, Span

NAMES = ("model_name", "safety_settings", "generation_config", "tools", "tool_config",
         "system_instruction")  # fmt: skip
_MAKERS = ("GenerativeModel", "GenerativeModel.from_cached_content")


class Receiver(NamedTuple):
    """A model whose method is called: what to give as ``model``, and as ``config`` if it has one.

    ``both`` gives both as one argument; ``optional``: the config may be None; ``made``: the calls
    that make this model, empty where they are not known.
    """

    model: list[Part]
    config: list[Part] | None
    both: list[Part] | None = None
    optional: bool = False
    made: tuple[ast.Call, ...] = ()


class Models:
    """The models of one program."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.made = [call for call in job.each(ast.Call) if job.kinds.symbol(call.func) in _MAKERS]
        self.given: dict[ast.Call, dict[str, ast.expr]] = {}
        for call in self.made:
            cached = job.kinds.symbol(call.func) != "GenerativeModel"
            names = ("cached_content",) if cached else NAMES
            found = arguments.bound(call, names)
            if cached and found and job.kinds.tag(found.get("cached_content")) == "text":
                job.left(call, "model", "get the cache by its name first")
            elif found is None or set(found) - {*NAMES, *names}:
                job.left(call, "model", "this model's arguments are hidden by * or **")
            else:
                self.given[call] = found
        self.uses = Uses(job, self.given)
        abroad = job.neighbours.kinds.values()
        known = any("model" in (kind.tag, kind.name) for kind in abroad)
        self.travelling = self.uses.travelling or job.neighbours.lent or known
        self._without: set[ast.Call] = set()  # they need a config of None
        self._configs = {} if self.travelling else self._config_names()

    def old(self, call: ast.Call) -> settings.Old:
        return settings.Old.of(self.given.get(call, {}))

    def receiver(self, node: ast.expr) -> Receiver | None:
        """The model that an expression is; None where it cannot be said."""
        if isinstance(node, ast.Call) and node in self.given:
            old = self.old(node)
            indent = self.job.source.indent(self.job.span(node).start)
            config = settings.created(self.job, old, indent) if old else None
            return Receiver(self._name(node), config, made=(node,))
        span = self.job.whole(node)
        made = self.uses.made_of(node)
        if self.travelling:
            q = self.job.quote(node)
            once: list[Part] = [span]
            again: list[Part] = [span]
            if any(isinstance(one, ast.Call) for one in ast.walk(node)):
                chosen = self.job.free("chosen", "chosen_model")
                once, again = [f"({chosen} := ", span, ")"], [chosen]
            return Receiver([*once, f"[{q}model{q}]"], [*again, f"[{q}config{q}]"], ["**", span],
                            made=made)  # fmt: skip
        if not made:
            return None
        name = self._configs.get(self.uses.key(node))
        reaching = self.uses.reaching(node, made)
        with_config = [call for call in reaching if self.old(call)]
        if name is None or not with_config:
            return Receiver([span], None, made=reaching)
        if len(with_config) < len(reaching):
            self._without.update(set(reaching) - set(with_config))
        text: list[Part] = [name]
        if isinstance(node, ast.Attribute):
            text = [self.job.span(node.value), f".{name}"]
        return Receiver([span], text, None, len(with_config) < len(reaching), reaching)

    def rewrite(self) -> None:
        """Change the places where models are made; what they are used for is known by now."""
        for call in self.given:
            if self.uses.is_inline(call):
                continue  # its method's call takes it along
            if self.travelling:
                self._travelling(call)
            else:
                self._plain(call)

    def _config_names(self) -> dict[tuple[object, ...], str]:
        """How the second variable of each model that has settings is called."""
        names: dict[tuple[object, ...], str] = {}
        for call, key in self.uses.keys.items():
            if key is None or not self.old(call) or key in names:
                continue
            if len(key) == 2:
                names[key] = self.job.free(f"{key[1]}_config", f"{key[1]}_genai_config")
            else:
                name = str(key[0]).rpartition(".")[2]
                names[key] = self.job.free_attribute(f"{name}_config")
        return names

    # writing

    def _name(self, call: ast.Call) -> list[Part]:
        cached = self.given[call].get("cached_content")
        if cached is not None:
            return [*self.job.atom(cached), ".model"]
        name = self.given[call].get("model_name")
        return [f'"{old_sdk.DEFAULT_MODEL}"'] if name is None else [self.job.whole(name)]

    def _travelling(self, call: ast.Call) -> None:
        job = self.job
        indent = job.source.indent(job.span(call).start)
        old = self.old(call)
        config = settings.created(job, old, indent + "    ", automatic=self.only_automatic(call))
        single = "\n" not in job.code(call) and len(job.code(call)) < 50
        if single:
            parts: list[Part] = ['{"model": ', *self._name(call), ', "config": ', *config, "}"]
        else:
            inner = f"{job.source.newline}{indent}    "
            comments = [part for text in self._comments(call) for part in (inner, text)]
            parts = ["{", *comments, inner, '"model": ', *self._name(call), f",{inner}",
                     '"config": ', *config, f",{job.source.newline}{indent}}}"]  # fmt: skip
        if job.replace(call, *parts):
            job.done(call, "model")

    def _plain(self, call: ast.Call) -> None:
        job = self.job
        key = self.uses.keys[call]
        assert key is not None
        statement = job.scopes.statement(call)
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        name = self._configs.get(key) if self.old(call) or call in self._without else None
        job.edits.replace(job.whole(call), *self._name(call))
        job.done(call, "model")
        comments = self._comments(call)
        if name is None and not comments:
            return
        indent = job.source.indent(job.span(statement).start)
        made: list[Part] = []
        if name is not None:
            owner: list[Part] = []
            if isinstance(target, ast.Attribute):
                owner = [job.span(target.value), "."]
            old = self.old(call)
            config: list[Part] = ["None"]
            if old:
                config = settings.created(job, old, indent, automatic=self.only_automatic(call))
            made = [*owner, f"{name} = ", *config]
        text, end = job.source.text, job.span(statement).end
        start = job.span(statement).start
        rest = text[end : (text + "\n").index("\n", end)].strip()
        alone = (not rest or rest.startswith("#")) and not text[
            job.source.line_start(start) : start
        ].strip()
        if not alone:
            job.edits.insert(end, "; ", *made) if made else None
            return
        line = job.source.newline + indent
        lines: list[Part] = [part for text in comments for part in (line, text)]
        at = end + len(text[end:].split("\n", 1)[0].rstrip("\r")) if rest else end
        job.edits.insert(at, *lines, *([line, *made] if made else []))

    def only_automatic(self, call: ast.Call) -> bool:
        """Whether all that this model is used for is chats that call functions by themselves."""
        key = self.uses.keys[call]
        if key is None or not any(map(automatic, self.job.each(ast.Call))):
            return False
        methods = [
            node for node in self.job.each(ast.Attribute)
            if node.attr in old_sdk.MODEL_METHODS and self.uses.key(node.value) == key
        ]  # fmt: skip
        return bool(methods) and all(
            isinstance(use := self.job.scopes.parent[node], ast.Call) and automatic(use)
            for node in methods
        )

    def _comments(self, call: ast.Call) -> list[str]:
        """Comments among a call's arguments, which would be lost with it."""
        job = self.job
        kept = [job.span(one) for one in self.given[call].values()]
        span = job.span(call)
        if "#" not in job.code(call):
            return []
        lines = job.code(call).splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        found: list[str] = []
        try:
            for token in tokenize.generate_tokens(io.StringIO(job.code(call)).readline):
                at = Span(span.start + starts[token.start[0] - 1] + token.start[1], 0).start
                if token.type == tokenize.COMMENT and not any(a <= at < b for a, b in kept):
                    found.append(token.string)
        except tokenize.TokenError:
            pass
        return found


def automatic(call: ast.Call) -> bool:
    """Whether a chat was told to call functions by itself."""
    for keyword in call.keywords:
        if keyword.arg == "enable_automatic_function_calling":
            return not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
    return False
