"""A cell becomes one request, byte for byte, or an error before anything is sent."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.cell import GeminiCell
from gemini_magic.engine.request import build
from gemini_magic.errors import PlaceholderError, UsageError
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.template import escape
from gemini_magic.types import CODE_EXECUTION, SEARCH, URL_CONTEXT, Message, Part, Reply, Settings
from tests import corpus

VALUES: dict[str, Any] = {
    "topic": "tides {{ secret }} {secret} ${{ x }} {{ topic }}",
    "user": SimpleNamespace(name="Ada"),
    "items": [{"k": "v"}],
    "price": 3.14159,
    "end": "END",
    "secret": "must not be seen",
}


class Recorder:
    """Evaluates in a namespace, and remembers what it was asked."""

    def __init__(self, **variables: Any) -> None:
        self.asked: list[str] = []
        self._space = Namespace({**VALUES, **variables})

    def __call__(self, expression: str) -> Any:
        self.asked.append(expression)
        return self._space.value(expression)


def request(text: str, evaluate: Any = None, **more: Any) -> Any:
    return build(GeminiCell.parse(text), evaluate or Recorder(), **more).request


def nothing(expression: str) -> Any:
    raise AssertionError(f"{expression} was evaluated")


@pytest.mark.parametrize("prompt", corpus.ALL.values(), ids=corpus.ALL.keys())
def test_a_raw_prompt_is_sent_byte_for_byte(prompt: str) -> None:
    if not prompt.strip():
        return
    cell = GeminiCell.of(prompt, {"raw": True})
    assert build(cell, nothing).request.prompt == prompt
    assert build(cell, nothing).notices == ()


@pytest.mark.parametrize("prompt", corpus.LITERAL.values(), ids=corpus.LITERAL.keys())
def test_a_prompt_without_placeholders_is_sent_byte_for_byte(prompt: str) -> None:
    wanted = prompt.replace(r"\{{", "{{") if r"\{{" in prompt else prompt
    assert build(GeminiCell.of(prompt), nothing).request.prompt == wanted
    assert (wanted == prompt) == (r"\{{" not in prompt)


@pytest.mark.parametrize("prompt", corpus.BLANK.values(), ids=corpus.BLANK.keys())
@pytest.mark.parametrize("options", [{}, {"raw": True}])
def test_a_blank_prompt_is_refused(prompt: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="the prompt is empty; nothing was sent"):
        build(GeminiCell.of(prompt, options), nothing)
    with pytest.raises(UsageError, match="the prompt is empty"):
        build(GeminiCell.of("{{ blank }}"), Recorder(blank=" \n"))


TOPIC = VALUES["topic"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("one", f"Explain {TOPIC}."),
        ("tight", TOPIC),
        ("jinja variable", "Hello Ada, {% if x %}y{% endif %}"),
        ("in json", f'{{"q": "{TOPIC}", "n": {{"m": {{}}}}}}'),
        ("after a fraction", rf"\frac{{{{a}}}}{{{{b}}}} for {TOPIC}"),
        ("doubled braces of an f-string", f'f"{{x:>{{width}}}} {TOPIC}"'),
        ("helm's end is a name", "{{ if .Values.x }}yEND"),
        ("expression", "V and    3.14159 and 3.14"),
    ],
)
def test_a_placeholder_takes_its_value_which_is_not_looked_at_again(name: str, wanted: str) -> None:
    prompt = corpus.FILLED[name]
    evaluate = Recorder()
    assert build(GeminiCell.of(prompt), evaluate).request.prompt == wanted
    assert "secret" not in evaluate.asked


def test_every_filled_prompt_of_the_corpus_is_tested() -> None:
    names = {mark.args[1][i][0] for mark in _marks() for i in range(len(mark.args[1]))}
    assert names == set(corpus.FILLED)


def _marks() -> Any:
    test = test_a_placeholder_takes_its_value_which_is_not_looked_at_again
    return test.pytestmark  # type: ignore[attr-defined]


def test_each_occurrence_is_evaluated_once_from_left_to_right() -> None:
    count = iter(range(100))
    evaluate = Recorder(tick=lambda: next(count))
    cell = GeminiCell.of("{{ tick() }} {{ topic }} {{ tick() }} {{ tick()!r:>3 }} {{ topic }}")
    text = build(cell, evaluate).request.prompt
    assert text == f"0 {TOPIC} 1   2 {TOPIC}"
    assert evaluate.asked == ["tick()", "topic", "tick()", "tick()", "topic"]


def test_an_undefined_name_is_an_error_and_nothing_is_built() -> None:
    with pytest.raises(PlaceholderError) as caught:
        request("%%gemini\n{{ tpic }} x")
    assert caught.value.what == "'tpic' is not defined; nothing was sent."
    assert caught.value.next_step == (
        "Did you mean topic or price? If the braces are part of the prompt, add --raw."
    )
    with pytest.raises(PlaceholderError) as caught:
        request("%%gemini\n{{ user.nme }}")
    assert "AttributeError" in caught.value.what and "--raw" in caught.value.next_step
    assert isinstance(caught.value.__cause__, AttributeError)


class Odd:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error("no text")

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        raise self.error("no format")


@pytest.mark.parametrize("form", ["{{ odd }}", "{{ odd!r }}", "{{ odd!s:>3 }}", "{{ odd:x }}"])
def test_a_value_that_cannot_be_written_is_an_error_of_two_lines(form: str) -> None:
    with pytest.raises(PlaceholderError) as caught:
        request(f"%%gemini\n{form}", Recorder(odd=Odd(ZeroDivisionError)))
    assert form in caught.value.what and "ZeroDivisionError" in caught.value.what
    with pytest.raises(KeyboardInterrupt):
        request(f"%%gemini\n{form}", Recorder(odd=Odd(KeyboardInterrupt)))


def test_a_wrong_format_is_an_error() -> None:
    with pytest.raises(PlaceholderError, match=r"\{\{ topic:\.2f \}\} cannot be made part of"):
        request("%%gemini\n{{ topic:.2f }}")


def test_conversions_and_formats_are_those_of_f_strings() -> None:
    x = "é"
    text = request(
        "%%gemini\n{{ x!r }} {{ x!a }} {{ x!s:>3 }} {{ n:,}}", Recorder(x=x, n=12345)
    ).prompt
    assert text == f"{x!r} {x!a} {x!s:>3} {12345:,}"


def test_a_picture_becomes_a_part_in_place() -> None:
    picture = Part(data=b"x", mime_type="image/png")
    parts = request("%%gemini\na {{ p }} b {{ p }}{{ e }}", Recorder(p=picture, e="")).messages[0]
    assert parts.parts == (
        Part(text="a "),
        picture,
        Part(text=" b "),
        picture,
    )
    [message] = request("%%gemini\n{{ p }}", Recorder(p=picture)).messages
    assert message == Message("user", (picture,))


def test_neighbouring_texts_are_one_part() -> None:
    [message] = request("%%gemini\na {{ x }} b {{ x }}", Recorder(x="")).messages
    assert message.parts == (Part(text="a  b "),)


def test_what_stays_as_typed_is_told() -> None:
    cell = GeminiCell.of("style={{color: 'red'}} {{1}} {{2}} {{3}}")
    assert build(cell, nothing).notices == (
        "sent as typed, not a placeholder: {{color: 'red'}}, {{1}}, {{2}}",
    )


def test_settings_of_the_cell_win_over_presets() -> None:
    presets = {"temperature": 1.0, "seed": 7}
    made = request("%%gemini -t 0 --stop a x", presets=presets)
    assert made.settings == Settings(temperature=0, seed=7, stop=("a",))
    assert request("%%gemini x").settings == Settings()


def test_history_comes_first() -> None:
    before = (Message("user", (Part(text="a"),)), Message("model", (Part(text="b"),)))
    assert [m.text for m in request("%%gemini c", history=before).messages] == ["a", "b", "c"]


def test_the_system_instruction_may_have_placeholders_too() -> None:
    assert request("%%gemini -s 'Be {{ user.name }}' x").system == "Be Ada"
    assert request("%%gemini --raw -s 'Be {{ user.name }}' x").system == "Be {{ user.name }}"
    assert request("%%gemini -s '' x").system == ""
    with pytest.raises(PlaceholderError, match="--system takes text only"):
        picture = Part(data=b"x", mime_type="image/png")
        request("%%gemini -s '{{ p }}' x", Recorder(p=picture))


def test_a_schema_is_part_of_the_request_and_reads_the_answer() -> None:
    recipe = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}}
    built = build(GeminiCell.parse("%%gemini --schema Recipe x"), Recorder(Recipe=recipe))
    assert built.schema is not None and built.schema.document == built.request.schema
    assert list(built.request.to_json()["schema"]["properties"]) == ["b", "a"]
    for option in ("Recpe", "topic", "1"):
        with pytest.raises(UsageError, match="nothing was sent"):
            request(f"%%gemini --schema {option} x", Recorder(Recipe=recipe))
    assert build(GeminiCell.parse("%%gemini x"), nothing).schema is None


# --- pictures and files --------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PICTURE = Part(data=PNG, mime_type="image/png")


def test_pictures_come_first_then_files_then_the_prompt() -> None:
    Path("a.png").write_bytes(PNG)
    Path("notes.py").write_text("x = 1")
    made = request(
        "%%gemini --file notes.py -i a.png --file a.png -i fig\nSay {{ user.name }}",
        Recorder(fig=PICTURE),
    )
    named = Part(data=PNG, mime_type="image/png", name="a.png")
    assert made.messages[-1].parts == (
        named,
        PICTURE,
        Part(text="--- notes.py ---\nx = 1\n\n"),
        named,
        Part(text="Say Ada"),
    )
    assert made.prompt == "--- notes.py ---\nx = 1\n\nSay Ada"


def test_a_picture_or_a_file_is_prompt_enough() -> None:
    Path("a.txt").write_text("a")
    assert request("%%gemini -i fig", Recorder(fig=PICTURE)).messages[-1].parts == (PICTURE,)
    assert request("%%gemini -f a.txt").prompt == "--- a.txt ---\na\n\n"
    film = Part(uri="https://youtu.be/abc", mime_type="video/mp4")
    assert request("%%gemini -f https://youtu.be/abc").messages[-1].parts == (film,)
    assert request("%%gemini --raw -i fig", Recorder(fig=PICTURE)).messages[-1].parts == (PICTURE,)


def test_pictures_are_shrunk_where_it_was_asked() -> None:
    from PIL import Image

    picture, text = (
        Image.new("RGB", (100, 50)),
        "%%gemini --max-pixels 200 -i pic\n{{ pic }}{{ n }}",
    )
    parts = request(text, Recorder(pic=picture, n=1)).messages[-1].parts
    sizes = [Image.open(io.BytesIO(part.data)).size for part in parts if part.data]
    assert sizes == [(20, 10), (20, 10)] and parts[-1] == Part(text="1")


def test_a_table_takes_its_form_from_the_placeholder() -> None:
    import pandas as pd

    evaluate = Recorder(df=pd.DataFrame({"a": [1]}))
    text = request("%%gemini\n{{ df }}|{{ df:csv }}|{{ df:markdown }}", evaluate).prompt
    assert text == ",a\n0,1\n|,a\n0,1\n||  | a |\n| --- | --- |\n| 0 | 1 |\n"
    with pytest.raises(PlaceholderError, match=r"\{\{ df:\.2f \}\} cannot be made part"):
        request("%%gemini\n{{ df:.2f }}", evaluate)
    assert "a" in request("%%gemini\n{{ df!s }}", evaluate).prompt


def test_the_last_answer_with_its_pictures() -> None:
    signed = Part(data=PNG, mime_type="image/png", signature=b"theirs")
    answer = Reply("There:", parts=(Part(text="There:"), signed))
    parts = request("%%gemini\nMake it night: {{ _ }}", Recorder(_=answer)).messages[-1].parts
    assert parts == (Part(text="Make it night: There:"), PICTURE)
    plain = Reply.saying("Yes.")
    assert request("%%gemini\nWhy {{ _ }}", Recorder(_=plain)).prompt == "Why Yes."


class Figure:
    def savefig(self, *_: Any, **__: Any) -> None:
        raise ValueError("no \n axes")


Figure.__module__ = "matplotlib.figure"


@pytest.mark.parametrize("cell", ["%%gemini\n{{ x }}", "%%gemini -i x y", "%%gemini -f x y"])
def test_an_object_that_raises_is_an_error_before_anything_is_sent(cell: str) -> None:
    for value in (Figure(), Odd(ZeroDivisionError), [Figure(), PNG]):
        with pytest.raises(UsageError) as caught:
            request(cell, Recorder(x=value))
        assert "cannot be made part of" in caught.value.what
        assert "nothing was sent" in caught.value.what
    with pytest.raises(KeyboardInterrupt):
        request(cell, Recorder(x=Odd(KeyboardInterrupt)))


def test_an_error_that_cannot_be_written_either() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    for cell in ("%%gemini\n{{ x }}", "%%gemini -f x y"):
        with pytest.raises(UsageError, match="its message cannot be read"):
            request(cell, Recorder(x=Odd(Mute)))  # type: ignore[arg-type]


def test_a_request_holds_no_object_of_the_notebook() -> None:
    from PIL import Image

    picture = Image.new("RGB", (8, 8), "red")
    space = {"pic": picture, "many": [picture, bytearray(PNG)], "t": type("T", (str,), {})("x")}
    text = "%%gemini -i pic\n{{ many }} {{ t }}"
    made = request(text, Recorder(**space))
    for part in made.messages[-1].parts:
        assert type(part.text) in (str, type(None)) and type(part.data) in (bytes, type(None))
    before = made.digest
    assert request(text, Recorder(**space)).digest == before
    picture.paste("blue", (0, 0, 4, 4))
    space["many"].clear()
    assert made.digest == before != request(text, Recorder(**space)).digest


# --- tools and services --------------------------------------------------------------------------


def lookup(city: str) -> str:
    """The weather of a city."""
    return city


def test_functions_become_tools() -> None:
    place = SimpleNamespace(book=lookup)
    cell = GeminiCell.parse("%%gemini --tools lookup,place.book --max-hops 3 --tool-timeout 2 x")
    built = build(cell, Recorder(lookup=lookup, place=place))
    assert [tool.name for tool in built.request.tools] == ["lookup", "book"]
    assert built.toolbox is not None and built.toolbox.max_hops == 3
    assert built.request.tools == built.toolbox.tools
    assert built.notices == ()
    bare = build(GeminiCell.parse("%%gemini --tools bare x"), Recorder(bare=lambda city: city))
    assert bare.notices == ("no docstring tells the model what it does: bare",)
    plain = build(GeminiCell.parse("%%gemini x"), nothing)
    assert plain.toolbox is None and plain.request.tools == ()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("price", "--tools price is no function but float"),
        ("len", "--tools len: it is built into Python, and does not say what it takes"),
        ("lokup", "--tools lokup: 'lokup' is not defined"),
        ("lookup()", "takes names of functions, not 'lookup()'"),
        ("lookup,user.lookup", "names two functions 'lookup'"),
        ("user.nme", "user.nme failed: AttributeError"),
    ],
)
def test_what_is_no_function(names: str, words: str) -> None:
    user = SimpleNamespace(lookup=lookup)
    with pytest.raises(UsageError) as caught:
        request(f"%%gemini --tools {names} x", Recorder(lookup=lookup, user=user))
    assert words in caught.value.what and "nothing was sent" in caught.value.what


def test_what_the_service_may_do() -> None:
    assert request("%%gemini x").services == ()
    assert request("%%gemini --code-execution --search --url-context x").services == (
        SEARCH,
        URL_CONTEXT,
        CODE_EXECUTION,
    )


def test_a_plain_cell_loads_neither_tools_nor_schemas() -> None:
    code = (
        "import sys; from gemini_magic.cell import GeminiCell;"
        "from gemini_magic.engine.request import build;"
        "build(GeminiCell.parse('%%gemini\\nhello {{ x }}'), lambda _: 1);"
        "print(*(name for name in sys.modules if name.startswith(('gemini_magic.parts_', 'PIL', "
        "'gemini_magic.web', 'gemini_magic.engine.toolbox', 'gemini_magic.engine.schema', "
        "'pydantic', 'asyncio'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@given(st.text(st.characters(codec="utf-8")).filter(str.strip))
def test_any_escaped_text_is_sent_as_it_is(text: str) -> None:
    escaped = escape(text)
    if escaped is not None:
        assert build(GeminiCell.of(escaped), nothing).request.prompt == text
    assert build(GeminiCell.of(text, {"raw": True}), nothing).request.prompt == text


@given(st.text())
def test_any_value_is_sent_as_it_is(value: str) -> None:
    cell = GeminiCell.of("<{{ x }}>")
    assert build(cell, Recorder(x=value)).request.prompt == f"<{value}>"


def test_a_long_prompt_is_built_in_a_moment() -> None:
    began = time.process_time()
    text = "{{ topic }} {{ {{a[ {{1}} x\n" * 4_000
    assert build(GeminiCell.of(text), Recorder()).notices
    assert time.process_time() - began < 6


def test_half_a_character_is_refused_before_anything_is_sent() -> None:
    for cell, names in (
        ("%%gemini\nhello {{ x }}", {"x": "\ud800"}),
        ("%%gemini --system {{x}}\nhello", {"x": "\udc80"}),
        ("%%gemini -f x hello", {"x": "\udc80"}),
        ("%%gemini -f gs://\udc80.png hello", {}),
    ):
        with pytest.raises(UsageError) as caught:
            request(cell, Recorder(**names))
        assert "half a character (U+D" in caught.value.what and caught.value.next_step
