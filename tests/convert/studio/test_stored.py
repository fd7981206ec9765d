"""An imported conversation goes on in the kernel: what was said there is history here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.studio import stored
from gemini_magic.errors import GeminiMagicError
from tests.convert.studio.lab import PNG, asking, chat, encoded, imported, model, user
from tests.convert.studio.test_code import read
from tests.convert.studio.test_runs import asked_at
from tests.wire import Answer

DOCUMENT = chat(
    {"inlineImage": {"mimeType": "image/png", "data": encoded(PNG)}, "role": "user"},
    user("What is it?"), model("because", isThought=True), model("A square."),
    user("Fails"), {"text": "", "role": "model", "errorMessage": "An internal error."},
    user("Sure?"), model("Yes."), draft="Why?",
)  # fmt: skip


def conversations(made: Any) -> dict[str, list[stored.Stored]]:
    """What the notebook's setup cell loads."""
    lines = [line for cell in made.notebook["cells"] for line in cell["source"].split("\n")
             if line.startswith("%gemini chat load ")]  # fmt: skip
    (line,) = lines
    return stored.read(Path(line.removeprefix("%gemini chat load ")), refused)


def refused(name: str) -> None:
    raise AssertionError(f"{name} is missing")


def test_questions_answers_and_places() -> None:
    made = imported(DOCUMENT)
    ((name, turns),) = conversations(made).items()
    assert name == "my_prompt"
    assert [turn.cell for turn in turns] == [cell["id"] for cell in asking(made)]
    first, failed, sure, why = turns
    picture, text = first.question.parts
    assert (picture.data, picture.mime_type, text.text) == (PNG, "image/png", "What is it?")
    assert first.reply is not None and sure.reply is not None
    assert failed.reply is None is why.reply
    assert [message.to_json() for message in first.reply.exchanged] == [
        {"role": "model", "parts": [{"text": "A square."}]}
    ], "thoughts are no history"
    assert str(first.reply.target) == "aistudio:gemini-2.5-flash"


def test_nothing_is_stored_where_nothing_was_said() -> None:
    for document in (chat(user("q"), model("a")), chat(user("q"), draft="r")):
        assert "chat load" not in json.dumps(imported(document).notebook)


def call(**more: Any) -> dict[str, Any]:
    return {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}, **more}]}


GIVEN = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"b": 2}}}]}


@pytest.mark.parametrize(
    ("name", "signature"),
    [("models/gemini-3.8-flash", b"SIG"), ("models/gemini-2.0-flash", None)],
    ids=["the same model", "another model"],
)
def test_calls_of_functions_keep_their_signatures_for_the_model_that_gave_them(
    name: str, signature: bytes | None
) -> None:
    document = chat(user("q"), model("hm", isThought=True), call(thoughtSignature="U0lH"), GIVEN,
                    model("It is 2."), user("r"), model("s"), model=name)  # fmt: skip
    ((_, (first, _)),) = conversations(imported(document)).items()
    assert first.reply is not None
    called, given, said = first.reply.exchanged
    assert [called.role, given.role, said.role] == ["model", "user", "model"]
    assert called.parts[0].signature == signature and called.parts[0].call is not None
    assert given.parts[0].result is not None and said.text == "It is 2."


def test_histories_of_code_are_stored_too() -> None:
    made = read(
        "from google import genai\nclient = genai.Client()\n"
        "history = [{'role': 'user', 'parts': [{'text': 'hi'}]},\n"
        "           {'role': 'model', 'parts': [{'text': 'ho'}]}]\n"
        "chat = client.chats.create(model='gemini-2.5-flash', history=history)\n"
        "chat.send_message('go')\n"
    )
    ((_, (hi, go)),) = conversations(made).items()
    assert hi.question.text == "hi" and hi.reply is not None and hi.reply.text == "ho"
    assert go.reply is None


def test_addresses_and_what_is_elsewhere() -> None:
    made = imported(chat(
        {"youtubeVideo": {"id": "abc"}, "role": "user"},
        {"driveImage": {"id": "ID"}, "role": "user"},
        user("x" * 60_000), model("a"), user("b"), model("c"),
    ))  # fmt: skip
    ((_, (first, _)),) = conversations(made).items()
    film, missing, text = first.question.parts
    assert (film.uri, film.mime_type) == ("https://www.youtube.com/watch?v=abc", "video/mp4")
    assert missing.text == "[this image is not here: Google Drive, ID]"
    assert text.text == "x" * 60_000
    assert len(json.dumps(made.notebook)) < 10_000


BAD: dict[str, Any] = {
    "no json": "{",
    "deep": "[" * 100_000,
    "a list": [],
    "no format": {"chats": {}},
    "no chats": {"format": 1},
    "odd rows": {"format": 1, "chats": {"x": [3]}},
    "odd parts": {"format": 1, "chats": {"x": [{"cell": "a", "template": "", "asked": [{}]}]}},
    "newer": {"format": 2, "chats": {}},
    **{f"names {name}": {"format": 1, "chats": {"x": [{"cell": "a", "template": "", "asked": [
        {"file": name}]}]}} for name in ("../secret", "/etc/passwd", "a\\b", "..", ".", "", 3,
                                         "link")},
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_file_is_refused(name: str) -> None:
    Path("secret").write_text("hunter2", "utf-8")
    folder = Path("media")
    folder.mkdir()
    if os.name != "nt":
        (folder / "link").symlink_to("../secret")
    data = BAD[name]
    path = folder / "x.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    with pytest.raises(GeminiMagicError) as caught:
        stored.read(path, refused)
    assert "hunter2" not in str(caught.value)


def test_too_large_a_file_and_none_at_all() -> None:
    with Path("x.json").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(GeminiMagicError, match="no conversation"):
        stored.read(Path("x.json"), refused)
    with pytest.raises(GeminiMagicError, match="cannot read"):
        stored.read(Path("y.json"), refused)


# --- in a kernel ---


def said(body: Any) -> list[str]:
    """The texts of a request, with a star for each picture."""
    return ["".join(part.get("text", "*") for part in turn["parts"]) for turn in body["contents"]]


@pytest.mark.kernel
def test_going_on_asks_once_and_with_all_that_was_said(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    made = imported(DOCUMENT)
    cells = [one for one in made.notebook["cells"] if one["cell_type"] == "code"]
    setup, first, failed, sure, why = cells
    server = google_server(Answer(text="new"), models=("gemini-2.5-flash",))
    with asked_at(server, configure):
        kernel = shared_kernel.fresh()

        def run(cell: dict[str, Any], source: str = "") -> list[str]:
            done = kernel.run(source or cell["source"], cell_id=cell["id"])
            assert done.status == "ok", done.error
            return said(server.generate_calls[-1].json)

        begun = kernel.run(setup["source"], cell_id=setup["id"])
        assert "chat my_prompt: 2 stored turns" in begun.text
        before = ["*What is it?", "A square."]
        assert run(why) == [*before, "Sure?", "Yes.", "Why?"]
        new = "%%gemini --model gemini-2.5-flash --chat my_prompt\nAnd?"
        assert run({"id": "mine"}, new)[-3:] == ["Why?", "new", "And?"]
        assert "has begun here already" in kernel.run(setup["source"], cell_id=setup["id"]).text
        assert run(failed) == [*before, "Fails"]
        assert run(why) == [*before, "Fails", "new", "Why?"], "what came after is stale"
        assert run(sure) == [*before, "Fails", "new", "Sure?"]
        assert run(first) == ["*What is it?"]
        assert "A square." not in kernel.run("%gemini chat show my_prompt").text
        assert len(server.generate_calls) == 6


@pytest.mark.kernel
def test_without_ids_all_cells_from_the_top_ask_as_they_always_did(  # type: ignore[no-untyped-def]
    google_server, configure, shared_kernel
) -> None:
    made = imported(DOCUMENT)
    server = google_server(Answer(text="new"), models=("gemini-2.5-flash",))
    with asked_at(server, configure):
        kernel = shared_kernel.fresh()
        for cell in made.notebook["cells"]:
            if cell["cell_type"] == "code":
                assert kernel.run(cell["source"]).status == "ok"
        bodies = [said(one.json) for one in server.generate_calls]
    texts = ["*What is it?", "Fails", "Sure?", "Why?"]
    assert bodies == [
        [word for one in texts[:number] for word in (one, "new")] + [texts[number]]
        for number in range(4)
    ]


@pytest.mark.kernel
def test_a_chat_that_cannot_be_loaded_is_told(shared_kernel: Any) -> None:
    kernel = shared_kernel.fresh()
    kernel.run("%load_ext gemini_magic")
    done = kernel.run("%gemini chat load media/gone.json")
    assert done.status == "ok" and "chats begin anew" in done.text
    row = {"cell": "a", "template": "", "asked": [{"file": "gone.png"}, {"text": "q"}],
           "answered": [{"text": "a"}, {"file": "gone.png"}, {"file": "lost.png"}]}  # fmt: skip
    Path("part.json").write_text(json.dumps({"format": 1, "chats": {"x": [row]}}), "utf-8")
    done = kernel.run("%gemini chat load part.json")
    assert done.status == "ok" and "chat x: 1 stored turn" in done.text
    assert done.text.count("gone.png") == 1 and "cannot read gone.png, lost.png:" in done.text
    assert "[gone.png is not here]" in kernel.run("%gemini chat show x").text
    Path("x.json").write_text("{}", "utf-8")
    done = kernel.run("%gemini chat load x.json")
    assert done.status == "error" and "no conversation" in done.error and len(done.traceback) <= 3
    assert kernel.run("%gemini chat load").ename == "UsageError"
