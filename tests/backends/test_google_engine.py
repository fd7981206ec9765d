"""Google's wire behind the engine: hops with functions, pictures, sources, uploads that end."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from gemini_magic import errors
from gemini_magic.engine.toolbox import Toolbox
from gemini_magic.events import Uploading
from gemini_magic.quota.store import Amount
from gemini_magic.types import (
    CANCELLED,
    Citation,
    Code,
    CodeOutput,
    File,
    Part,
    Request,
    Settings,
    Target,
)
from tests.backends.google_lab import IMAGE, NEW, PNG, only, request, sent
from tests.engine.test_admission import Lab, finish, google, lab
from tests.wire import Answer, Call, GoogleServer, Picture, Printed, Program, payloads
from tests.wire import Usage as Counted
from tests.wire.google_rules import SIGNATURE

__all__ = ["google", "lab"]


def asked(lab: Lab, what: Request, model: str = "gemini-2.5-flash", **more):  # type: ignore[no-untyped-def]
    return lab.engine().stream(what, [Target("test", model)], **more)


def film(folder: Path) -> Part:
    data = b"film" * 1000
    (folder / "film.mp4").write_bytes(data)
    file = File(str(folder / "film.mp4"), len(data), hashlib.sha256(data).hexdigest())
    return Part(file=file, mime_type="video/mp4")


def test_functions_are_called_hop_by_hop_with_their_signatures(
    lab: Lab, google: GoogleServer
) -> None:
    def lookup(word: str) -> dict[str, str]:
        """Looks a word up."""
        return {word: "star"}

    google.set_script([
        Answer(items=["Let me see. ", Call("lookup", {"word": "sun"}, "c1"),
                      Call("lookup", {"word": "vega"}, "c2")],
               usage=Counted(10, 5)),
        Answer(calls=[Call("lookup", {"word": "moon"})], usage=Counted(20, 6)),
        Answer("Stars, both.", usage=Counted(30, 7)),
    ])  # fmt: skip
    toolbox = Toolbox({"lookup": lookup})
    run = asked(lab, request("what?", tools=toolbox.tools), NEW, toolbox=toolbox)
    told = finish(run)
    assert told.error is None and run.reply.text == "Stars, both."
    assert [(use.call.id, use.result.content) for use in run.reply.tool_calls][:2] == [
        ("c1", '{"sun": "star"}'),
        ("c2", '{"vega": "star"}'),
    ]
    assert lab.sent == lab.minute.requests == 3
    assert run.reply.usage.input_tokens == 60
    roles = [content["role"] for content in sent(google)["contents"]]
    assert roles == ["user", "model", "user", "model", "user"]


def test_signatures_of_texts_go_back_over_hops_and_turns_and_from_the_cache(
    lab: Lab, google: GoogleServer
) -> None:
    def lookup(word: str) -> str:
        return "star"

    signed = {"text": "", "thoughtSignature": SIGNATURE}
    google.set_script([
        Answer(items=["Let me ", "see.", signed, Call("lookup", {"word": "sun"}, "c1")]),
        Answer(items=["A ", "star.", signed]),
        Answer(items=["Yes", {"text": ".", "thoughtSignature": SIGNATURE}]),
        Answer("fine"),
    ])  # fmt: skip
    toolbox = Toolbox({"lookup": lookup})
    run = asked(lab, request("what?", tools=toolbox.tools), NEW, toolbox=toolbox)
    assert finish(run).error is None and run.reply.text == "A star."
    empty = {"text": "", "thought_signature": SIGNATURE}
    assert sent(google)["contents"][1]["parts"][:2] == [{"text": "Let me see."}, empty]
    history = (*run.draft.request.messages, *run.reply.exchanged, *request("Sure?").messages)
    engine = lab.engine(cache=True)
    again = Request(history)
    target = Target("test", NEW)
    run = engine.stream(again, [target])
    assert finish(run).error is None and run.reply.text == "Yes."
    assert sent(google)["contents"][-2]["parts"] == [{"text": "A star."}, empty]
    engine._log_thread.submit(int).result()  # whatever is kept is kept by now
    replayed = engine.stream(again, [target], replay=True)
    assert finish(replayed).error is None and replayed.reply.cached
    assert replayed.reply.parts == run.reply.parts
    assert replayed.reply.exchanged == run.reply.exchanged
    assert run.reply.parts[-1].signature == b"loopback-thought-signature"


def test_a_signature_alone_is_an_empty_answer(lab: Lab, google: GoogleServer) -> None:
    google.set_script(Answer(items=[{"text": "", "thoughtSignature": SIGNATURE}]))
    run = asked(lab, request("what?"), NEW)
    error = finish(run).error
    assert isinstance(error, errors.BackendError) and "empty answer" in error.what


def test_pictures_programs_and_sources_are_in_the_reply(lab: Lab, google: GoogleServer) -> None:
    found = {
        "groundingChunks": [{"web": {"uri": "https://a.example/", "title": "A"}}],
        "webSearchQueries": ["a"],
    }
    google.set_script(Answer(items=[
        "Here: ", Picture(PNG), Program("print(1)"), Printed("1\n"), " done.",
    ], grounding=found))  # fmt: skip
    run = asked(lab, request("draw", services=("search", "code_execution")), IMAGE)
    assert finish(run).error is None
    assert run.reply.parts == (
        Part(text="Here: "),
        Part(data=PNG, mime_type="image/png"),
        Part(code=Code("print(1)")),
        Part(output=CodeOutput("1\n")),
        Part(text=" done."),
    )
    assert run.reply.citations == (Citation("https://a.example/", "A"),)
    assert run.reply.queries == ("a",)


def test_what_does_not_go_together_takes_nothing(lab: Lab, google: GoogleServer) -> None:
    toolbox = Toolbox({"print": lambda: None})
    told = finish(asked(lab, request("x", tools=toolbox.tools, services=("search",))))
    assert isinstance(told.error, errors.UsageError)
    assert google.requests == [] and lab.minute == Amount()


def test_an_upload_is_shown_and_takes_nothing(
    lab: Lab, google: GoogleServer, tmp_path: Path
) -> None:
    google.set_script(Answer("seen"))
    run = asked(lab, request("see", film(tmp_path), settings=Settings(voice="Kore")))
    told = finish(run)
    assert only(Uploading, told.events)[-1].done == 4000
    assert run.reply.text == "seen" and len(run.reply.notices) == 1
    assert lab.sent == lab.minute.requests == lab.today.requests == 1


def test_an_upload_that_fails_takes_nothing(lab: Lab, google: GoogleServer, tmp_path: Path) -> None:
    google.set_script(payloads.OVERLOADED, op="upload")
    told = finish(asked(lab, request("see", film(tmp_path))))
    assert isinstance(told.error, errors.Overloaded)
    assert lab.minute == lab.today == Amount()


def test_a_film_that_cannot_be_read_takes_nothing(
    lab: Lab, google: GoogleServer, tmp_path: Path
) -> None:
    google.unreadable = "The video has no frames."
    told = finish(asked(lab, request("see", film(tmp_path))))
    assert isinstance(told.error, errors.BadRequest) and "no frames" in told.error.what
    assert lab.minute == lab.today == Amount()


def test_an_interrupt_of_an_upload_takes_nothing(
    lab: Lab, google: GoogleServer, tmp_path: Path
) -> None:
    google.hang_uploads = True
    run = asked(lab, request("see", film(tmp_path)))
    google.wait_for(2, op="upload")
    began = time.monotonic()
    run.cancel()
    assert run.wait(2) and time.monotonic() - began < 0.3
    assert run.reply.finish_reason == CANCELLED
    assert google.generate_calls == [] and lab.minute == lab.today == Amount()
    google.hang_uploads = False
    assert finish(asked(lab, request("and now?"))).error is None


def test_what_the_services_own_tools_said_goes_back_with_the_hops(
    lab: Lab, google: GoogleServer
) -> None:
    def lookup(word: str) -> str:
        return "star"

    step = {"toolType": "GOOGLE_SEARCH_WEB", "id": "s1"}
    searched = [
        {"toolCall": {**step, "args": {}}, "thoughtSignature": SIGNATURE},
        {"toolResponse": {**step, "response": {"found": "sun"}}},
    ]
    google.set_script([
        Answer(items=[*searched, Call("lookup", {"word": "sun"}, "c1")]), Answer("A star."),
    ])  # fmt: skip
    toolbox = Toolbox({"lookup": lookup})
    question = request("what?", tools=toolbox.tools, services=("search",))
    run = asked(lab, question, NEW, toolbox=toolbox)
    assert finish(run).error is None and run.reply.text == "A star." and lab.sent == 2
    back = sent(google)["contents"][1]["parts"]
    assert [{*part} - {"thought_signature"} for part in back] == [
        {"tool_call"}, {"tool_response"}, {"function_call"},
    ]  # fmt: skip
    google.set_script(Answer(items=searched))
    assert isinstance(finish(asked(lab, request("what?"), NEW)).error, errors.BackendError)
