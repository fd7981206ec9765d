"""Calls that ask a model: generate_content, count_tokens, start_chat, send_message."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments, contents, old_sdk, safety, settings
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.models import Models, Receiver, automatic
from gemini_magic.convert.migrate.source import Part

_CONFIG = (*settings.FIELDS, "stream")


def rewrite(job: Job, models: Models) -> None:
    """Change all calls of models and chats."""
    chats = Chats(job, models)
    for call in job.each(ast.Call):
        if job.kinds.symbol(call.func) == "ChatSession":
            chats.session(call)
        elif isinstance(call.func, ast.Attribute):
            base = job.kinds.tag(call.func.value)
            if not base and models.uses.foreign(call.func):
                continue
            if base == "symbol":
                _imported(job, call, call.func)
            match base, call.func.attr:
                case (("model" | ""), ("generate_content" | "generate_content_async")):
                    _generate(job, models, call, call.func)
                case "model", ("count_tokens" | "count_tokens_async"):
                    _count(job, models, call, call.func)
                case (("model" | ""), "start_chat"):
                    chats.start(call, call.func)
                case "chat", ("send_message" | "send_message_async"):
                    chats.send(call, call.func)
                case "", ("send_message" | "send_message_async"):
                    _perhaps_chat(job, call, call.func)


def _imported(job: Job, call: ast.Call, func: ast.Attribute) -> None:
    """A model that another file made, perhaps."""
    if func.attr not in old_sdk.MODEL_METHODS or func.attr == "count_tokens":
        return
    if job.kinds.symbol(func.value) is None:
        job.left(call, "model", f"{job.code(func.value)} comes of another file; if it is a model, "
                 "it is a name and a config there now")  # fmt: skip


def _perhaps_chat(job: Job, call: ast.Call, func: ast.Attribute) -> None:
    """A method that many things have, with arguments that only the old SDK's chats took."""
    given = {keyword.arg for keyword in call.keywords}
    if func.attr == "send_message_async" or given & set(_CONFIG):
        job.left(call, "send_message", "if this is a chat, it is send_message_stream(...) or "
                 "send_message(..., config=...) now")  # fmt: skip


def _receiver(job: Job, models: Models, func: ast.Attribute, rule: str) -> Receiver | None:
    found = models.receiver(func.value)
    if found is None:
        job.left(func, rule, f"it is not known which model {job.code(func.value)} is")
        return None
    if not found.made and not job.kinds.tag(func.value):
        job.assisted(func, rule, f"{job.code(func.value)} has to be a dict with model and config "
                     "here, as this file's models are")  # fmt: skip
    return found


def _stream(job: Job, call: ast.Call) -> ast.expr | bool:
    """Whether an answer is streamed: an expression where that depends."""
    if call in job.kinds.resolved:
        return False
    for keyword in call.keywords:
        if keyword.arg == "stream":
            if isinstance(keyword.value, ast.Constant):
                return bool(keyword.value.value)
            return keyword.value
    return False


def method(job: Job, call: ast.Call, owner: list[Part], name: str) -> None:
    """Call another method; where ``stream`` is an expression, it chooses between two."""
    streamed = _stream(job, call)
    if isinstance(streamed, bool):
        job.replace(call.func, *owner, f".{name}_stream" if streamed else f".{name}")
        return
    job.replace(call.func, "(", *owner, f".{name}_stream if ", job.whole(streamed), " else ",
                *owner, f".{name})")  # fmt: skip


def _generate(job: Job, models: Models, call: ast.Call, func: ast.Attribute) -> None:
    rule = "generate_content"
    given = arguments.bound(call, ("contents",))
    if given is None or "contents" not in given:
        job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    receiver = _receiver(job, models, func, rule)
    if receiver is None:
        return
    contents.convert(job, given["contents"])
    client = f"{job.client}.aio" if func.attr.endswith("_async") else job.client
    method(job, call, [f"{client}.models"], "generate_content")
    _rewrite(job, models, call, receiver, settings.Old.of(given), {"contents": "contents"})
    job.done(call, rule)


def _rewrite(
    job: Job,
    models: Models,
    call: ast.Call,
    receiver: Receiver,
    old: settings.Old,
    rename: dict[str, str | None],
) -> None:
    config = call_config(job, models, call, receiver, old)
    if config is None and receiver.both:
        arguments.rewrite(job, call, names=list(rename), rename=rename, drop=_CONFIG,
                          more=[receiver.both])  # fmt: skip
        return
    if config is None:
        config = receiver.config
    more = [] if config is None else [["config=", *config]]
    arguments.rewrite(job, call, names=list(rename), rename=rename, drop=_CONFIG,
                      lead=[["model=", *receiver.model]], more=more)  # fmt: skip


def call_config(
    job: Job, models: Models, call: ast.Call, receiver: Receiver, old: settings.Old
) -> list[Part] | None:
    """The config of a call that has settings of its own; None where it has none."""
    if not old:
        return None
    indent = job.source.indent(job.span(call).end - 1)
    if receiver.config is None:
        made = settings.created(job, old, indent)
        return None if len(made) == 2 else made  # what was given is gone: empty parentheses
    base: list[Part] = receiver.config
    if receiver.optional:
        base = ["(", *base, f" or {job.types}.GenerateContentConfig())"]
    olds = [models.old(one) for one in receiver.made or models.made]
    theirs = [one.safety for one in olds if one.safety is not None]
    together = None
    if old.safety is not None and theirs:
        if len(olds) == 1:
            together = safety.merged_with(job, theirs[0], old.safety)
        else:
            job.assisted(call, "safety", "the old SDK put these safety_settings into the model's; "
                         "now they replace them")  # fmt: skip
    return settings.merged(job, base, old, indent, together)


def _count(job: Job, models: Models, call: ast.Call, func: ast.Attribute) -> None:
    rule = "count_tokens"
    given = arguments.bound(call, ("contents",))
    receiver = _receiver(job, models, func, rule)
    if given is None or "contents" not in given or receiver is None:
        if receiver is not None:
            job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    contents.convert(job, given["contents"])
    client = f"{job.client}.aio" if func.attr.endswith("_async") else job.client
    job.replace(call.func, f"{client}.models.count_tokens")
    arguments.rewrite(job, call, names=["contents"], rename={"contents": "contents"},
                      drop=_CONFIG, lead=[["model=", *receiver.model]])  # fmt: skip
    counted = [old for one in receiver.made if (old := models.old(one)).system or old.tools]
    if counted or (models.travelling and not receiver.made):
        job.assisted(call, rule, "the old SDK counted the system instruction and the tools, too")
    else:
        job.done(call, rule)


class Chats:
    """The chats of one program."""

    def __init__(self, job: Job, models: Models) -> None:
        self.job = job
        self.models = models
        self._async = self._directions()

    def start(self, call: ast.Call, func: ast.Attribute) -> None:
        """``model.start_chat(history=...)``."""
        given = arguments.bound(call, ("history",))
        receiver = _receiver(self.job, self.models, func, "start_chat")
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
        streamed = _stream(job, call)
        if func.attr != "send_message" or streamed is not False:
            method(job, call, [job.whole(func.value)], "send_message")
        if more or call.keywords:
            arguments.rewrite(job, call, names=["content"], rename=self._message(call),
                              drop=_CONFIG, more=more)  # fmt: skip
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

    def _directions(self) -> dict[ast.Call, bool]:
        """For each call that starts a chat, whether that chat is used with ``await``."""
        found: dict[ast.Call, bool] = {}
        for node in self.job.each(ast.Attribute):
            if node.attr not in ("send_message", "send_message_async"):
                continue
            if self.job.kinds.tag(node.value) != "chat":
                continue
            awaited = node.attr == "send_message_async"
            for start in self.job.kinds.values(node.value):
                if not isinstance(start, ast.Call):
                    continue
                if found.setdefault(start, awaited) != awaited:
                    self.job.assisted(node, "send_message", "a chat is used either with await "
                                          "or without, not both")  # fmt: skip
        return found
