"""The notebook ``everything.ipynb``: every cell is executed in a real kernel, and looked at."""

from __future__ import annotations

import copy
import json
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient

from gemini_magic.backends import weights
from tests.notebook.media_values import picture
from tests.wire import Answer, Call, Picture, Printed, Program

for package in ("matplotlib", "pandas"):
    pytest.importorskip(package)
pytestmark = pytest.mark.kernel

PATH = Path(__file__).parents[2] / "notebooks" / "everything.ipynb"
NOTEBOOK = nbformat.read(PATH, as_version=4)
CODE = {cell.id: cell for cell in NOTEBOOK.cells if cell.cell_type == "code"}
SERVICE = "needs-a-service"
REAL = weights.find(weights.default())  # before a test moves the home


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", ()))


TAGGED = {name for name, cell in CODE.items() if SERVICE in tags(cell)}
FAILING = {name for name, cell in CODE.items() if "raises-exception" in tags(cell)} - TAGGED

#: What the outputs of each cell say: on the model of this machine, and on a service, too.
SAID: dict[str, list[str]] = {
    "load": [],
    "system": ["Paris"],
    "settings": ["1. Apple", "3. Cherry"],
    "dry-run": ["would ask", "nothing was sent", "temperature = 0.4", "stop = ('4.',)"],
    "values": [],
    "text": ["Hallo"],
    "file": ["Ada"],
    "table": ["57"],
    "file-option": ["4"],
    "figure": [],
    "schema-short": ['"name": "Ada"', '"age": 36', "chess"],
    "schema-short-parsed": ["{'name': 'Ada', 'age': 36, 'likes': ['chess', 'mathematics']}"],
    "schema-class": [],
    "schema-pydantic": ['"Tokyo"'],
    "schema-pydantic-parsed": ["City(name='Tokyo', country='Japan')"],
    "schema-df": ["name country", "0   Paris  France", "2  Madrid   Spain"],
    "schema-enum": ["good"],
    "schema-enum-parsed": ["<Mood.GOOD: 'good'>"],
    "functions": [],
    "tools-sync": ['temperature(city="Oslo") → {"city": "Oslo", "celsius": -3}', "-3", "1 call"],
    "tools-async": ['wind(city="Rome") → {"city": "Rome", "metres_a_second": 2}', "1 call"],
    "tools-calls": ["ToolCall(name='temperature'", '{"city": "Oslo", "celsius": -3}'],
    "html": ["Hello"],
    "def": ["translate(sentence, language='German') -> Reply is defined", "Nothing was sent."],
    "map": ["Danke"],
    "def-keyword": ["Bonjour"],
    "ask": ["'Tokyo'"],
    "aask": ["['Rome', 'Madrid']"],
    "answer": ["Two", "Five"],
    "reply-fields": ["'STOP'", "Usage(", "Two"],
    "last": ["Two", "Five"],
    "error-option": ["there is no option --temprature; nothing was sent", "--temperature?"],
    "error-name": ["'langage' is not defined; nothing was sent", "Did you mean language?"],
    "error-picture": ["reads text only", "nothing was sent", "ask a Gemini model: -m studio:"],
    "error-schema": ["'inti', the type of 'age', is not known; nothing was sent", "int?"],
}

#: The same of the cells that need a service.
SERVED: dict[str, list[str]] = {
    "figure-in-place": ["bars, and a blurred disc"],
    "image-option": ["a disc; three cities"],
    "chat-1": ["Rome's"],
    "chat-2": ["Oslo's"],
    "search": ["Spain, so they say.", "Sources", "example.org"],
    "url-context": ["A language", "www.python.org"],
    "code-execution": ["sum(primes)", "5117", "It is 5117."],
    "thinking": ["five cents", "thought"],
    "picture": ["<picture 64x36", "gemini_outputs/", "lighthouse-on-a-cliff"],
    "picture-edit": ["<picture 64x36", "gemini_outputs/", "make-it-night"],
    "images-api": ["<picture 40x40", "a-lighthouse-as-a-woodcut-1", "a-lighthouse-as-a-woodcut-2"],
    "gallery": ["A lighthouse on a cliff at noon.", "gpt-image-1-mini", "gemini-3.1-flash-image"],
    "speech": ["<sound, 48 kB", ".wav", "1 sound"],
    "compare": ["=== gemini-3.5-flash-lite · studio ===", "=== gpt-4o-mini · openai ===",
                "The moon pulls.", "It is the moon."],
}  # fmt: skip


def test_every_cell_has_its_check() -> None:
    assert SAID.keys().isdisjoint(SERVED)
    assert SERVED.keys() - {"gallery"} == TAGGED
    assert SAID.keys() | SERVED.keys() == CODE.keys()


def test_it_says_what_cells_need_before_they_do() -> None:
    said = ""
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "markdown":
            said = cell.source
        elif SERVICE in tags(cell):
            assert "**Needs** " in said, cell.id
            assert "raises-exception" in tags(cell)  # without it, Run All ends there


def test_it_is_committed_with_the_answers_of_a_run_without_a_key() -> None:
    for name, cell in CODE.items():
        if name in TAGGED:
            assert not cell.outputs, name
        else:
            look(name, cell, SAID.get(name) or SERVED.get(name, []) * (name != "gallery"))
    counts = [cell.execution_count for name, cell in CODE.items() if name not in TAGGED]
    assert counts == sorted(counts) and len(set(counts)) == len(counts)
    saved = PATH.read_text("utf-8")
    assert "/home/" not in saved and "/tmp/" not in saved and len(saved) < 100_000
    asked = [name for name in SAID if CODE[name].source.startswith("%%gemini -t")]
    for name in asked:
        assert "qwen2.5-coder-0.5b" in text_of(CODE[name]), name


# --- how a cell is looked at ---


def text_of(cell: Any) -> str:
    """All that its outputs say as text."""
    words = []
    for output in cell.outputs:
        if output.output_type == "stream":
            words.append(output.text)
        elif output.output_type == "error":
            words.append("\n".join(output.traceback))
        else:
            words.append(output.data.get("text/plain", ""))
    return "\n".join(words)


def look(name: str, cell: Any, expected: list[str]) -> None:
    """Check what a cell's outputs say, and that it fails only if it is to, in two lines."""
    said = text_of(cell)
    for words in expected:
        assert words in said, (name, words, said)
    errors = [output for output in cell.outputs if output.output_type == "error"]
    assert bool(errors) == (name in FAILING), (name, said)
    assert all(len(lines(error)) == 2 for error in errors), (name, said)


def lines(error: Any) -> list[str]:
    """What an error shows."""
    return "\n".join(error.traceback).splitlines()


def kinds(cell: Any) -> set[str]:
    """The MIME types of its outputs."""
    return {kind for output in cell.outputs for kind in output.get("data", {})}


def executed(*, only: set[str], work: Path, after: Mapping[str, str] | None = None) -> Any:
    """The notebook with the outputs of a run of these cells; ``after`` are cells to run after
    others, whose outputs are found under ``NAME-after``."""
    notebook = copy.deepcopy(NOTEBOOK)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.id not in only:
            continue
        cell.outputs = []
        cells.append(cell)
        if after and cell.id in after:
            more = nbformat.v4.new_code_cell(after[cell.id], id=f"{cell.id}-after")
            cells.append(more)
    notebook.cells = cells
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(work)}},
    ).execute()
    return {cell.id: cell for cell in notebook.cells}


# --- on services ---

JSONS = {
    "Ada is 36": {"name": "Ada", "age": 36, "likes": ["chess", "mathematics"]},
    "The capital of Japan.": {"name": "Tokyo", "country": "Japan"},
}
CITIES = [
    {"name": name, "country": country}
    for name, country in (("Paris", "France"), ("Rome", "Italy"), ("Madrid", "Spain"))
]
DAY, NIGHT = picture(size=(64, 36)), picture(size=(64, 36), mode="L")
SOUND = struct.pack("<h", 900) * 24_000
GROUNDING = {
    "groundingChunks": [{"web": {"uri": "https://example.org/cup", "title": "example.org"}}],
    "webSearchQueries": ["women's football world cup"],
}
PAGE = {
    "urlMetadata": [
        {
            "retrievedUrl": "https://www.python.org/about/",
            "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS",
        }
    ]
}
#: What a prompt holds, and what is answered.
ANSWERS: list[tuple[str, Answer]] = [
    ("capital of France", Answer("Paris")),
    ("five fruits", Answer("1. Apple\n2. Banana\n3. Cherry\n")),
    ("German, only the translation: Good morning", Answer("Hallo, wie geht es dir?")),
    ("Who brings the cake?", Answer("Ada")),
    ("sold in Rome", Answer("57")),
    ("which room", Answer("4")),
    ("Compare ", Answer("Some bars, and a blurred disc.")),
    ("the report show?", Answer("I see a disc; three cities.")),
    ("the highest?", Answer("Rome's")),
    ("the lowest?", Answer("Oslo's")),
    ("Three cities", Answer(json.dumps({"items": CITIES}))),
    ("review good or bad", Answer('{"value": "good"}')),
    ("women's football", Answer("Spain, so they say.", grounding=GROUNDING)),
    ("python.org", Answer("A language, its people.", url_context=PAGE)),
    ("first 50 primes", Answer(items=[Program("print(sum(primes))"), Printed("5117\n"),
                                      "It is 5117."])),
    ("A bat and a ball", Answer("It is five cents.", thoughts=["Not ten: think."])),
    ("HTML page", Answer("```html\n<h1>Hello</h1><script>alert(1)</script>\n```")),
    ("cliff at noon", Answer(pictures=[Picture(DAY)])),
    ("Make it night", Answer(pictures=[Picture(NIGHT)])),
    ("wonderful day", Answer(pictures=[Picture(SOUND, "audio/L16;codec=pcm;rate=24000")])),
    ("tides", Answer("The moon pulls.")),
    ("French", Answer("Bonjour.")),
    ("one to five", Answer("- One\n- Two\n- Five")),
    ("Thank you.", Answer("Danke.")),
    ("Good evening", Answer("Guten Abend.")),
    ("capital of Japan?", Answer("Tokyo")),
    ("capital of Italy", Answer("Rome")),
    ("capital of Spain", Answer("Madrid")),
]  # fmt: skip


def words_of(body: Any) -> str:
    """The text of the last message of a request to Gemini."""
    return "".join(part.get("text", "") for part in body["contents"][-1]["parts"])


def gemini(body: Any) -> Answer:
    last = body["contents"][-1]["parts"]
    if results := [part["functionResponse"] for part in last if "functionResponse" in part]:
        return Answer(f"It is {json.dumps(results[0]['response'])}.")
    said = words_of(body)
    if "temperature in Oslo" in said:
        return Answer(calls=[Call("temperature", {"city": "Oslo"})])
    if "wind in Rome" in said:
        return Answer(calls=[Call("wind", {"city": "Rome"})])
    for needle, value in JSONS.items():
        if needle in said:
            return Answer(json.dumps(value))
    return next(answer for needle, answer in ANSWERS if needle in said)


def openai(body: Any) -> Answer:
    if "messages" in body:
        return Answer("It is the moon.")
    return Answer(pictures=[Picture(picture(size=(40, 40)))] * body["n"])


class Services(NamedTuple):
    google: Any
    openai: Any

    def sent(self, words: str) -> Any:
        """The one request to Gemini whose prompt holds these words."""
        (body,) = [r.json for r in self.google.generate_calls if words in words_of(r.json)]
        return body


@pytest.fixture
def services(google_server, openai_server, configure, monkeypatch) -> Services:
    google = google_server(gemini)
    other = openai_server(openai)
    monkeypatch.setenv("GEMINI_API_KEY", google.key)
    monkeypatch.setenv("OPENAI_API_KEY", other.key)
    limits = "".join(
        f'[limits.mine."{model}"]\nrpm = 1000\nrpd = 1000\n'
        for model in ("gemini-3.5-flash-lite", "gemini-3.1-flash-image", "gemini-3.8-flash-tts")
    )
    configure(
        f"""
        [backends.studio]
        kind = "google"
        base_url = "{google.url}"
        key_env = "GEMINI_API_KEY"
        project = "mine"
        [backends.openai]
        preset = "openai"
        base_url = "{other.url}"
        {limits}
        """
    )
    return Services(google, other)


#: Cells for this test only: what the values are that the notebook talks about.
AFTER = {
    "picture": "print(type(_.images[0]).__module__, _.images[0].size)",
    "speech": "import io, wave\n"
    "(path,) = Path('gemini_outputs').glob('*.wav')\n"
    "with wave.open(str(path)) as file: print(file.getnframes(), file.getframerate())",
    "chat-2": "%gemini chat",
    "compare": "print(list(both.model), list(both.finish_reason), both.cost.notna().any())",
    "search": "print(_.citations, _.queries)",
    "thinking": "print(_.thoughts)",
    "gallery": "print(sorted(path.suffix for path in Path('gemini_outputs').iterdir()))",
}


def test_all_cells_on_services(services: Services, tmp_path: Path) -> None:
    work = tmp_path / "work"
    cells = executed(only={*CODE}, work=work, after=AFTER)
    for name, expected in (SAID | SERVED).items():
        look(name, cells[name], expected)
    shown = {name: kinds(cell) for name, cell in cells.items()}
    assert "image/png" in shown["picture"] and "image/png" in shown["images-api"]
    assert "application/json" in shown["schema-short"] and "text/html" in shown["schema-df"]
    page = html_of(cells["html"])
    assert "<iframe sandbox " in page and "allow-" not in page and "<script" not in page
    assert "<audio" in html_of(cells["speech"]) and "<table" in html_of(cells["schema-df"])
    assert "https://example.org/cup" in html_of(cells["search"])

    after = {name: text_of(cells[f"{name}-after"]).strip() for name in AFTER}
    assert re.fullmatch(r"PIL\.\S+ \(64, 36\)", after["picture"])
    assert after["speech"] == "24000 24000"
    assert re.search(r"plot\s+2\s+0", after["chat-2"])
    assert after["compare"] == (
        "['gemini-3.5-flash-lite', 'gpt-4o-mini'] ['STOP', 'STOP'] True"
    )  # fmt: skip
    assert "https://example.org/cup" in after["search"] and "world cup" in after["search"]
    assert after["thinking"] == "Not ten: think."
    assert after["gallery"] == "['.png', '.png', '.png', '.png']"

    assert media_of(services.sent("Compare ")) == ["image/png", "image/png"]
    assert media_of(services.sent("the report show?")) == ["image/png", "application/pdf"]
    assert media_of(services.sent("the lowest?"), at=0) == ["image/png"]  # the history's
    assert media_of(services.sent("Make it night")) == ["image/png"]
    sent = services.sent("cliff at noon")["generationConfig"]
    assert sent["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}
    assert services.sent("football")["tools"] == [{"googleSearch": {}}]
    assert services.sent("python.org")["tools"] == [{"urlContext": {}}]
    assert services.sent("50 primes")["tools"] == [{"codeExecution": {}}]
    assert "thinkingConfig" in services.sent("A bat and a ball")["generationConfig"]
    voice = services.sent("wonderful day")["generationConfig"]["speechConfig"]
    assert '"Kore"' in json.dumps(voice)
    assert "responseJsonSchema" in services.sent("Three cities")["generationConfig"]
    (drawn,) = [r for r in services.openai.generate_calls if r.path.endswith("/generations")]
    assert drawn.json["n"] == 2 and drawn.json["quality"] == "low"


def html_of(cell: Any) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def media_of(body: Any, at: int = -1) -> list[str]:
    """The types of the data in a message of a request to Gemini."""
    blobs = [part["inlineData"] for part in body["contents"][at]["parts"] if "inlineData" in part]
    return [blob.get("mimeType") or blob["mime_type"] for blob in blobs]  # the SDK writes both


# --- without a key ---


@pytest.fixture
def model(home: Path) -> Iterator[None]:
    """The weights, in the test's own home; its model's process ends with the test."""
    from gemini_magic.backends import local

    assert REAL is not None
    folder = home / "cache" / "models"
    folder.mkdir(parents=True)
    (folder / REAL.name).symlink_to(REAL)
    yield
    local.stop()


@pytest.mark.slow
@pytest.mark.local_model
@pytest.mark.skipif(REAL is None, reason="the embedded model is not on this machine")
def test_it_runs_to_its_end_without_a_key(model: None, tmp_path: Path) -> None:
    work = tmp_path / "work"
    cells = executed(only={*CODE}, work=work)
    for name, expected in SAID.items():
        look(name, cells[name], expected)
    for name in TAGGED:  # each says what it needs, in two lines
        (error,) = [one for one in cells[name].outputs if one.output_type == "error"]
        what, next_step = lines(error)
        assert "a key" in what and "none was found" in what, name
        assert "→ run: %gemini key" in next_step, name
    assert "No pictures yet" in text_of(cells["gallery"])
    assert not list(work.iterdir())
