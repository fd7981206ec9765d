"""One program on its way to openai: what its new text needs."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable

from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.models import Models
from gemini_magic.convert.migrate.source import Part
from gemini_magic.convert.migrate.to_openai import emitted

#: Google's own service in OpenAI's form: https://ai.google.dev/gemini-api/docs/openai
GOOGLE = "https://generativelanguage.googleapis.com/v1beta/openai/"


class Target:
    """``needs`` are functions of the library, ``modules`` imports that the new text uses."""

    def __init__(self, job: Job, models: Models) -> None:
        self.job = job
        self.models = models
        self.needs: set[str] = set()
        self.modules: set[str] = set()
        self.called = {name: job.free(name, f"openai_{name}") for name in emitted.names()}
        self.waits = False  # it needs a client for await, too
        self.async_client = job.free("async_client", "openai_async_client")

    def function(self, name: str) -> str:
        """How a function of the library is called; the new text needs it."""
        self.needs.add(name)
        return self.called[name]

    def module(self, name: str) -> str:
        self.modules.add(name)
        return name

    def replace(self, node: ast.AST, *parts: Part) -> bool:
        """Replace a node; in an f-string with quotation marks that it does not use itself."""
        quote = self.job.quote(node)
        fit = [one.replace('"', quote) if isinstance(one, str) else one for one in parts]
        return self.job.replace(node, *fit)

    def client(self, *, awaited: bool) -> str:
        if awaited:
            self.waits = True
            return self.async_client
        return self.job.client

    def keep_comments(self, node: ast.expr, kept: Iterable[ast.expr]) -> None:
        """Put comments that would be lost with a call above its statement."""
        job = self.job
        code = job.code(node)
        if "#" not in code:
            return
        span, spans = job.span(node), [job.span(one) for one in kept]
        starts = [0]
        for line in code.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        at = job.source.line_start(job.span(job.scopes.statement(node)).start)
        indent = job.source.indent(at)
        try:
            for token in tokenize.generate_tokens(io.StringIO(code, newline="").readline):
                where = span.start + starts[token.start[0] - 1] + token.start[1]
                if token.type == tokenize.COMMENT and not any(a <= where < b for a, b in spans):
                    job.edits.insert(at, f"{indent}{token.string}{job.source.newline}")
        except tokenize.TokenError:
            pass

    def surely_text(self, node: ast.expr) -> bool:
        """Whether a prompt can be nothing but a text."""
        return all(map(self._text, self.job.kinds.values(node)))

    def _text(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=value):
                return isinstance(value, str)
            case ast.JoinedStr():
                return True
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
                return self._text(left) or self._text(right)
            case ast.Call(func=ast.Attribute(attr="strip" | "format" | "join" | "replace")):
                return True
            case ast.Call(func=ast.Name(id="str" | "input")):
                return True
            case ast.Name():
                bound = self.job.scopes.bindings(node)
                said = [getattr(one.node, "annotation", None) for one in bound]
                return bool(said) and all(isinstance(one, ast.Name) and one.id == "str"
                                          for one in said)  # fmt: skip
        return False


def flat(pieces: Iterable[list[Part]]) -> list[Part]:
    """Pieces with commas between them."""
    made: list[Part] = []
    for piece in pieces:
        made += [*([", "] if made else []), *piece]
    return made
