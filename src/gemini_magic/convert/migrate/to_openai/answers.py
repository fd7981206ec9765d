"""What programs read of an answer: texts, parts, calls of functions, usage, why it ended."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import answers as shared
from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.kind import PALM
from gemini_magic.convert.migrate.source import Part
from gemini_magic.convert.migrate.to_openai.target import Target

_USAGE = {"prompt_token_count": "prompt_tokens", "candidates_token_count": "completion_tokens",
          "total_token_count": "total_tokens"}  # fmt: skip
#: Why an answer ended, by the old SDK's names.
FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter",
          "RECITATION": "content_filter", "BLOCKLIST": "content_filter",
          "PROHIBITED_CONTENT": "content_filter", "SPII": "content_filter"}  # fmt: skip
#: What Google's answers have, and OpenAI's have not or elsewhere.
_GOOGLES = {"candidates", "parts", "usage_metadata", "prompt_feedback", "model_version",
            "safety_ratings", "citation_metadata", "grounding_metadata", "grounding_attributions",
            "avg_logprobs", "logprobs_result", "token_count"}  # fmt: skip
_ITEM = {"candidates": "candidate", "parts": "part"}
_FIELDS = {"text": "content", "function_call": "tool_calls"}


def rewrite(target: Target) -> None:
    """Change what is read of answers and chats."""
    job = target.job
    Reading(target).rewrite()
    for loop in job.each(ast.For):
        shared.chunks(job, loop.iter)
    for one in job.each(ast.comprehension):
        shared.chunks(job, one.iter)


class Reading:
    """Follows an answer to its candidates, their contents and parts."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.job = target.job
        self._asking: set[ast.AST] = set()

    def rewrite(self) -> None:
        for node in self.job.each(ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                self._attribute(node)
            elif node.attr == "history" and self.job.kinds.tag(node.value) == "chat":
                self.job.left(node, "history", "a chat's messages are chat.messages now, a list of "
                              "dicts with role and content")  # fmt: skip
        for subscript in self.job.each(ast.Subscript):
            if self.role(subscript) == "part":
                self.job.replace(subscript, self.job.span(subscript.value))
        for compare in self.job.each(ast.Compare):
            self._compare(compare)
        for call in self.job.each(ast.Call):
            if shared.of_type(call):
                self._to_dict(call)

    def role(self, node: ast.AST) -> str:
        """ "answer", "candidates", "candidate", "content", "parts", "part", "call", "finish"."""
        if node in self._asking:
            return ""
        self._asking.add(node)
        try:
            return self._role(node)
        finally:
            self._asking.discard(node)

    def _role(self, node: ast.AST) -> str:
        kind = self.job.kinds.of(node)
        if kind == PALM:
            return ""
        if kind is not None and kind.tag == "answer":
            return "answer" if kind.name != "chunk" else "chunk"
        match node:
            case ast.Subscript(value=value):
                return _ITEM.get(self.role(value), "")
            case ast.Attribute(value=value, attr=attr):
                return {
                    ("answer", "candidates"): "candidates", ("answer", "parts"): "parts",
                    ("candidate", "content"): "content", ("content", "parts"): "parts",
                    ("part", "function_call"): "call", ("candidate", "finish_reason"): "finish",
                    ("finish", "name"): "finish", ("answer", "usage_metadata"): "usage",
                }.get((self.role(value), attr), "")  # fmt: skip
            case ast.Name():
                bound = self.job.scopes.bindings(node)
                roles = {self.role(one.node) for one in bound if one.how == "value" and one.node}
                items = {self.role(one.node) for one in bound if one.how == "item"}
                roles |= {
                    {"candidates": "candidate", "parts": "part"}.get(one, "") for one in items
                }
                return roles.pop() if len(roles) == 1 and len(bound) else ""
        return ""

    def _attribute(self, node: ast.Attribute) -> None:
        job = self.job
        if job.kinds.of(node.value) == PALM:
            return  # its call stays as it is
        tag = job.kinds.tag(node.value)
        atom = job.atom(node.value)
        base = job.span(node.value)
        role = self.role(node.value)
        match role or tag, node.attr:
            case "answer", "text":
                self._text(node)
            case (("chunk" | "either"), "text"):
                self._change(node, f"{self.target.function('text_of')}(", base, ")")
            case "answer", "candidates":
                self._change(node, *atom, ".choices")
            case "answer", "parts":
                self._parts(node, ".choices[0].message")
            case "answer", "usage_metadata":
                self._change(node, *atom, ".usage")
            case "usage", name:
                if name in _USAGE:
                    self._change(node, *atom, f".{_USAGE[name]}")
                else:
                    job.left(node, "usage", f"an answer's usage has no {name}")
            case "candidate", "content":
                self._change(node, *atom, ".message")
            case "content", "parts":
                self._parts(node, "")
            case "part", "text":
                self._change(node, "(", *atom, f".content or {job.quote(node) * 2})")
            case "part", "function_call":
                self._change(node, f"{self.target.function('call_of')}(", base, ")")
            case "part", name:
                job.left(node, "part", f"a message has no {name}")
            case "call", "name" if shared.is_asked(job, node):
                self._change(node, "(", base, " and ", base, ".name)")
            case "call", "args":
                json = self.target.module("json")
                self._change(node, f"{json}.loads(", base, ".arguments)")
            case "candidate", "finish_reason":
                self._finish(node)
            case "finish", "name":
                self._change(node, *atom)
            case (("answer" | "feedback"), ("prompt_feedback" | "block_reason")):
                job.left(node, "prompt_feedback", "what is blocked is an openai.APIStatusError, or "
                         "an answer whose finish_reason is content_filter")  # fmt: skip
            case (("stream" | "answer"), "resolve"):
                shared.resolve(job, node, tag)
            case "stream", ("text" | "parts" | "candidates" | "usage_metadata"):
                job.left(node, "stream", "a stream has no text of its own: put the texts of its "
                         "pieces together")  # fmt: skip
            case (("answer" | "chunk"), ("to_dict" | "_result")):
                job.left(node, "to_dict", "it is model_dump() now, of another shape")
            case (("answer" | "chunk" | "candidate"), name) if name in _GOOGLES:
                what = "a piece of a stream" if role == "chunk" else "an answer"
                job.left(node, "answer", f"{what} of openai has no {name}")
            case "chat", "history":
                self._history(node)
            case "chat", ("last" | "rewind" | "_history"):
                job.left(node, "chat", f"a chat has no {node.attr} now; its messages are a list")
            case "model", ("model_name" | "_model_name"):
                quote = job.quote(node)
                self._change(node, *atom, f"[{quote}model{quote}]")

    def _change(self, node: ast.expr, *parts: Part) -> None:
        if self.job.replace(node, *parts):
            self.job.done(node, "answer")

    def _text(self, node: ast.Attribute) -> None:
        job = self.job
        parent = job.scopes.parent[node]
        said = [*job.atom(node.value), ".choices[0].message.content"]
        if isinstance(parent, ast.BoolOp | ast.Expr) or getattr(parent, "test", None) is node:
            self._change(node, *said)
            return
        bare = isinstance(parent, shared.ENCLOSING) or (
            isinstance(parent, ast.Call) and node in parent.args
        )
        said.append(f" or {job.quote(node) * 2}")
        self._change(node, *(said if bare else ["(", *said, ")"]))
        if shared.raises(job, node):
            job.assisted(node, "text", "an answer without text is empty now, and raises no "
                         "ValueError")  # fmt: skip

    def _to_dict(self, call: ast.Call) -> None:
        """``type(x).to_dict(x)``."""
        if self.role(call.args[0]) != "call":
            self.job.left(call, "to_dict", "it is model_dump() now, of another shape")
            return
        said, quote = self.job.span(call.args[0]), self.job.quote(call)
        name, args = f"{quote}name{quote}", f"{quote}args{quote}"
        json = self.target.module("json")
        self._change(call, f"{{{name}: ", said, f".name, {args}: {json}.loads(", said,
                     ".arguments)}")  # fmt: skip

    def _parts(self, node: ast.Attribute, more: str) -> None:
        """A message is all parts in one."""
        base = self.job.atom(node.value)
        if self.role(self.job.scopes.parent[node]) == "part":
            self._change(node, *base, more)  # its subscript goes, too
        else:
            self._change(node, "[", *base, f"{more}]")

    def _finish(self, node: ast.Attribute) -> None:
        above = [self.job.scopes.parent[node]]
        above.append(self.job.scopes.parent[above[0]])
        if not any(isinstance(one, ast.Compare) for one in above):
            self.job.assisted(node, "finish_reason", "it is stop, length, content_filter or "
                              "tool_calls now")  # fmt: skip

    def _compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        if len(sides) != 2:
            return
        if isinstance(node.ops[0], ast.In | ast.NotIn) and self.role(sides[1]) == "part":
            field = _FIELDS.get(getattr(sides[0], "value", ""))
            if field is not None:
                word = "is not None" if isinstance(node.ops[0], ast.In) else "is None"
                self._change(node, "(", self.job.span(sides[1]), f".{field} {word})")
        elif any(self.role(side) == "finish" for side in sides):
            for side in sides:
                for one in getattr(side, "elts", [side]):
                    self._reason(one)

    def _reason(self, node: ast.expr) -> None:
        members = old_sdk.ENUMERATIONS["finish_reason"][1]
        name = None
        if isinstance(node, ast.Constant) and type(node.value) is int:
            name = members[node.value] if 0 <= node.value < len(members) else None
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        elif (symbol := self.job.kinds.symbol(node)) and "FinishReason." in symbol:
            name = symbol.rpartition(".")[2]
        else:
            return
        if name in FINISH:
            self._change(node, f'"{FINISH[name]}"')
        else:
            self.job.assisted(node, "finish_reason", f"OpenAI's services have no {name}")

    def _history(self, node: ast.Attribute) -> None:
        parent = self.job.scopes.parent[node]
        self._change(node, *self.job.atom(node.value), ".messages")
        if not (isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "len"):
            self.job.assisted(node, "history", "these are messages now: dicts with role (user, "
                              "assistant) and content")  # fmt: skip
