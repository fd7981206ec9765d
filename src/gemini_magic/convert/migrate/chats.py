"""Chats: start_chat, ChatSession and send_message."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments, contents, settings
from gemini_magic.convert.migrate.calls import CONFIG, call_config, method, receiver_of, streamed
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.models import Models, Receiver, automatic
from gemini_magic.convert.migrate.source import Part


def rewrite(job: Job, models: Models) -> None:
    """Change all calls of chats."""
    chats = Chats(job, models)
    for call in job.each(ast.Call):
        if job.kinds.symbol(call.func) == "ChatSession":
            chats.session(call)
        elif isinstance(call.func, ast.Attribute):
            base = job.kinds.held(call.func.value)
            if not base and models.uses.foreign(call.func):
                continue
            match base, call.func.attr:
                case (("model" | ""), "start_chat"):
                    chats.start(call, call.func)
                case "chat", ("send_message" | "send_message_async"):
                    chats.send(call, call.func)
                case "", ("send_message" | "send_message_async"):
                    _perhaps_chat(job, call, call.func)

    for func in references(job):
        if func.attr == "send_message_async" and job.replace(
            func, *job.atom(func.value), ".send_message"
        ):
            job.done(func, "send_message")


def references(job: Job) -> list[ast.Attribute]:
    """A chat's method that is handed on, and called elsewhere."""
    return [
        node for node in job.each(ast.Attribute)
        if node.attr in ("send_message", "send_message_async")
        and job.kinds.tag(node.value) == "chat"
        and getattr(job.scopes.parent.get(node), "func", None) is not node
    ]  # fmt: skip


def _perhaps_chat(job: Job, call: ast.Call, func: ast.Attribute) -> None:
    """A method that many things have, with arguments that only the old SDK's chats took."""
    given = {keyword.arg for keyword in call.keywords}
    if func.attr == "send_message_async" or given & set(CONFIG):
        job.left(call, "send_message", "if this is a chat, it is send_message_stream(...) or "
                 "send_message(..., config=...) now")  # fmt: skip


def directions(job: Job) -> dict[ast.Call, bool]:
    """For each call that starts a chat, whether that chat is used with ``await``."""
    found: dict[ast.Call, bool] = {}
    for node in job.each(ast.Attribute):
        if node.attr not in ("send_message", "send_message_async"):
            continue
        if job.kinds.tag(node.value) != "chat":
            continue
        awaited = node.attr == "send_message_async"
        for start in job.kinds.values(node.value):
            if not isinstance(start, ast.Call):
                continue
            if found.setdefault(start, awaited) != awaited:
                job.assisted(node, "send_message", "a chat is used either with await or without, "
                             "not both")  # fmt: skip
    return found


class Chats:
    """The chats of one program."""

    def __init__(self, job: Job, models: Models) -> None:
        self.job = job
        self.models = models
        self._async = directions(job)

    def start(self, call: ast.Call, func: ast.Attribute) -> None:
        """``model.start_chat(history=...)``."""
        given = arguments.bound(call, ("history",))
        receiver = receiver_of(self.job, self.models, func, "start_chat")
        if given is None or receiver is None:
            if receiver is not None:
                self.job.left(call, "start_chat", "the arguments of this call are hidden")
            return
        self._create(call, given, receiver, ("history",))

    def session(self, call: ast.Call) -> None:
        """``genai.ChatSession(model=..., history=...)``."""
        given = arguments.bound(call, ("model", "history"))
        receiver = self.models.receiver(given["model"]) if given and "model" in given else None
        if given is None or receiver is None:
            self.job.left(call, "start_chat", "it is not known which model this chat is with")
            return
        self._create(call, given, receiver, ("model", "history"))

    def _create(
        self,
        call: ast.Call,
        given: dict[str, ast.expr],
        receiver: Receiver,
        names: tuple[str, ...],
    ) -> None:
        job = self.job
        history = given.get("history")
        if history is not None:
            contents.convert(job, history)
        config = receiver.config
        both = receiver.both
        if automatic(call):
            config, both = self._automatic(call, receiver, config, both)
        drop = ["model", "enable_automatic_function_calling"]
        if isinstance(history, ast.Constant) and history.value is None:
            drop.append("history")
        lead: list[list[Part]] = [both] if both else [["model=", *receiver.model]]
        if not both and config is not None:
            lead.append(["config=", *config])
        client = f"{job.client}.aio" if self._async.get(call) else job.client
        job.replace(call.func, f"{client}.chats.create")
        if both:  # what is spread has to follow what is named in no order, but reads better last
            arguments.rewrite(job, call, names=names, rename={"history": "history"}, drop=drop,
                              more=lead)  # fmt: skip
        else:
            arguments.rewrite(job, call, names=names, rename={"history": "history"}, drop=drop,
                              lead=lead)  # fmt: skip
        job.done(call, "start_chat")

    def _automatic(
        self,
        call: ast.Call,
        receiver: Receiver,
        config: list[Part] | None,
        both: list[Part] | None,
    ) -> tuple[list[Part] | None, list[Part] | None]:
        """Take back that functions are not called by themselves, for this chat alone."""
        job = self.job
        job.assisted(call, "automatic-calls", "functions are called by the SDK here, at most ten "
                     "times for a message")  # fmt: skip
        if config is None or (
            receiver.made and all(map(self.models.only_automatic, receiver.made))
        ):
            return config, both
        return [*config, '.model_copy(update={"automatic_function_calling": None})'], None

    def send(self, call: ast.Call, func: ast.Attribute) -> None:
        """``chat.send_message(...)``."""
        job, rule = self.job, "send_message"
        given = arguments.bound(call, ("content",))
        if given is None or "content" not in given:
            job.left(call, rule, "the arguments of this call are hidden by * or **")
            return
        contents.convert(job, given["content"], message=True)
        old = settings.Old.of(given)
        more: list[list[Part]] = []
        if old:
            receiver = self._model_of(func.value)
            if receiver is None:
                job.assisted(call, rule, "these settings were added to the model's; now they "
                             "replace the chat's")  # fmt: skip
                indent = job.source.indent(job.span(call).end - 1)
                more = [["config=", *settings.created(job, old, indent)]]
            else:
                config = call_config(job, self.models, call, receiver, old)
                if any(map(automatic, self._starts(func.value))):
                    job.assisted(call, rule, "functions are not called by the SDK for a message "
                                 "with settings of its own")  # fmt: skip
                more = [] if config is None else [["config=", *config]]
        chosen = streamed(job, call)
        if func.attr != "send_message" or chosen is not False:
            method(job, call, [job.whole(func.value)], "send_message")
        if more or call.keywords:
            arguments.rewrite(job, call, names=["content"], rename=self._message(call),
                              drop=CONFIG, more=more)  # fmt: skip
        job.done(call, rule)

    @staticmethod
    def _message(call: ast.Call) -> dict[str, str | None]:
        return {} if call.args else {"content": "message"}

    def _starts(self, chat: ast.expr) -> list[ast.Call]:
        """The calls of ``start_chat`` that a chat may come of."""
        return [one for one in self.job.kinds.values(chat)
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
                and one.func.attr == "start_chat"]  # fmt: skip

    def _model_of(self, chat: ast.expr) -> Receiver | None:
        """The model that a chat was started from, if it can be named where the chat is used."""
        starts = self._starts(chat)
        if len(starts) != 1:
            return None
        func = starts[0].func
        assert isinstance(func, ast.Attribute)
        here, there = self.job.scopes.scope[chat], self.job.scopes.scope[starts[0]]
        owner = func.value
        if isinstance(owner, ast.Name) and here.home(owner.id) is not there.home(owner.id):
            return None
        if isinstance(owner, ast.Call):
            return None
        return self.models.receiver(owner)
