"""What ``--schema`` takes, what services are told of it, and how answers are read."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import typing
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, create_model, field_validator

from gemini_magic.engine.schema import Misfit, Schema, frame, repair, schema_for, schema_of
from gemini_magic.engine.schema_types import adapter, record
from gemini_magic.errors import PlaceholderError, UsageError
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.types import Message, Part, Reply, Request, ToolCall, ToolResult
from tests.wire.google_rules import json_schema_rules
from tests.wire.openai_rules import strict_schema


class Unit(enum.Enum):
    GRAM = "g"
    LITRE = "l"


class Ingredient(BaseModel):
    name: str
    amount: Annotated[float, Field(description="in units", ge=0)]
    unit: Unit


class Recipe(BaseModel):
    """A dish."""

    title: str
    steps: list[str]
    needs: list[Ingredient]
    note: str = ""


class Node(BaseModel):
    name: str
    children: list[Node] = []


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Movie(typing.TypedDict):
    """A film."""

    title: str
    year: int


class Longer(Movie, total=False):
    minutes: int


class NewMovie(typing_extensions.TypedDict):
    title: str
    year: typing_extensions.NotRequired[int]


class Strange(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def check(cls, x: int) -> int:
        if x == 1:
            raise ZeroDivisionError("one")
        if x == 2:
            raise ValueError("two is not\nallowed")
        return x


AS_DICT = {
    "type": "object",
    "properties": {"z": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["z", "age"],
}

NAMES: dict[str, Any] = {
    "Recipe": Recipe, "Node": Node, "Point": Point, "Pair": Pair, "Movie": Movie, "Unit": Unit,
    "Longer": Longer, "NewMovie": NewMovie, "Literal": Literal, "as_dict": AS_DICT,
    "as_text": json.dumps(AS_DICT), "fields": "name, age int", "Strange": Strange, "five": 5,
    "typing": typing, "recipe": Recipe(title="", steps=[], needs=[]), "function": print,
    "Decimal": Decimal, "datetime": datetime, "Any": Any, "none": None, "Movies": list[Movie],
}  # fmt: skip


def named(given: str, **more: Any) -> Schema:
    return schema_of(given, Namespace({**NAMES, **more}).value)


def document(given: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(named(given).document)
    return made


EXPRESSIONS = [
    "Recipe", "Node", "Point", "Pair", "Movie", "Longer", "NewMovie", "Unit", "list[Recipe]",
    "[Recipe]", "[Node]", "Recipe | Movie", "Recipe | None", "dict[str, Recipe]", "dict[str, int]",
    "Literal['a', 'b']", "Literal['a']", "int", "str", "float", "bool", "list[int]", "set[str]",
    "tuple[int, str]", "list[Movie]", "Movie | None", "typing.Optional[Movie]", "Movies", "as_dict",
    "as_text", "fields", "name, age int", "[name, age int]", "Decimal", "datetime.date", "list",
    '{"type": "object", "properties": {"a": {"type": "string"}}}', '{"type": "integer"}', "Any",
    '[{"type": "object", "properties": {"a": {"type": "string"}}}]', "{'type': 'string'}", "{}",
]  # fmt: skip


@pytest.mark.parametrize("given", EXPRESSIONS)
def test_services_take_what_becomes_of_it(given: str) -> None:
    made = document(given)
    assert made["type"] == "object"
    assert not list(json_schema_rules(made, "schema"))
    text = json.dumps(made)
    assert '"title": "' not in text  # a property may have that name
    assert "oneOf" not in text and "const" not in text and "uniqueItems" not in text


@pytest.mark.parametrize(
    "given", ["Movie", "NewMovie", "Point", "list[Movie]", "Unit", "Node", "name, age int", "int"]
)
def test_an_object_says_that_it_is_closed(given: str) -> None:
    made = document(given)
    assert made["additionalProperties"] is False
    wholly = given not in ("NewMovie", "Point", "Node")
    assert (not list(strict_schema(made, ()))) is wholly


def test_a_model_becomes_what_people_would_write() -> None:
    assert document("Recipe") == {
        "description": "A dish.",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "steps": {"type": "array", "items": {"type": "string"}},
            "needs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "amount": {"type": "number", "minimum": 0, "description": "in units"},
                        "unit": {"type": "string", "enum": ["g", "l"]},
                    },
                    "required": ["name", "amount", "unit"],
                    "additionalProperties": False,
                },
            },
            "note": {"type": "string"},
        },
        "required": ["title", "steps", "needs"],
        "additionalProperties": False,
    }
    assert list(document("Recipe")["properties"]) == ["title", "steps", "needs", "note"]


def test_a_recursive_type_keeps_its_reference_below_an_object() -> None:
    made = document("Node")
    assert made["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert set(made["$defs"]) == {"Node"}
    wrapped = document("list[Node]")
    assert wrapped["properties"]["items"]["items"] == {"$ref": "#/$defs/Node"}
    assert "$defs" in wrapped and "$defs" not in wrapped["properties"]["items"]


def test_types_that_hold_each_other_often_do_not_explode() -> None:
    kind: Any = int
    for depth in range(12):
        kind = create_model(f"M{depth}", **{f"f{i}": (kind, ...) for i in range(8)})
    assert len(schema_for(kind).document) < 200_000


def test_a_reference_of_the_users_own_still_points_at_it_when_wrapped() -> None:
    given = {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"$ref": "#"}]}}
    made = schema_for(given)
    assert json.loads(made.document)["properties"]["items"]["items"]["anyOf"][1] == {
        "$ref": "#/properties/items"
    }
    assert made.read('{"items": [1, [2, []]]}') == [1, [2, []]]


READINGS: list[tuple[str, str, Any]] = [
    ("Point", '{"x": 1, "y": 2}', Point(1, 2)),
    ("Point", '\ufeff{"x": 1}', Point(1)),
    ("Point", 'Sure!\n```json\n{"x": 1}\n```\nAnything else?', Point(1)),
    ("Point", '```\n{"x": "1"}\n```', Point(1)),
    ("Point", 'Here [it] is: {"x": 1} {not json}', Point(1)),
    ("Point", 'It is {"x": 1}', Point(1)),
    ("Pair", '{"left": 1}', Pair(1)),
    ("Pair", "[1, \"x\"]", Pair(1, "x")),
    ("Movie", '{"title": "M", "year": 1931, "x": 1}', {"title": "M", "year": 1931}),
    ("Longer", '{"title": "M", "year": 1931, "minutes": 117}',
     {"title": "M", "year": 1931, "minutes": 117}),
    ("list[Point]", '{"items": [{"x": 1}]}', [Point(1)]),
    ("[Point]", '[{"x": 1}]', [Point(1)]),
    ("Unit", '{"value": "g"}', Unit.GRAM),
    ("Unit", '"g"', Unit.GRAM),
    ("Unit", "g", Unit.GRAM),
    ("int", "42", 42),
    ("int", '{"value": 42}', 42),
    ("str", "hello {there}", "hello {there}"),
    ("str", '{"value": "hello"}', "hello"),
    ("str", '{"value": "héllo \U0001f600"}', "héllo \U0001f600"),
    ("Recipe | None", '{"value": null}', None),
    ("name, age int", '{"name": "Ada", "age": "36"}', {"name": "Ada", "age": 36}),
    ("[name, tags list]", '{"items": [{"name": "a", "tags": ["b"]}]}',
     [{"name": "a", "tags": ["b"]}]),
    ("as_dict", '{"z": "a", "age": 3, "more": 1}', {"z": "a", "age": 3, "more": 1}),
    ('{"type": "integer"}', '{"value": 3}', 3),
    ("Decimal", '{"value": 1.25}', Decimal("1.25")),
    ("datetime.date", '{"value": "2026-01-31"}', datetime.date(2026, 1, 31)),
    ("set[str]", '{"items": ["a", "a"]}', {"a"}),
    ("dict[str, int]", '{"items": 3}', {"items": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "text", "value"), READINGS)
def test_an_answer_is_read(given: str, text: str, value: Any) -> None:
    read = named(given).read(text)
    assert read == value and type(read) is type(value)


MISFITS = [
    ("name, age int", '{"name": "a", "age": "old"}', "age: should be a valid integer, got 'old'"),
    ("name, age int", '{"name": "a"}', "age: is missing"),
    ("list[Point]", '{"items": [{"x": 1}, {"x": null}]}', "[1].x: should be a valid integer"),
    ("as_dict", '{"z": "a", "age": "old"}', "age: 'old' is not of type 'integer'"),
    ("as_dict", '{"z": "a"}', "'age' is a required property"),
    ("as_dict", '{"z": "\\ud800", "age": 1}', "half a character"),
    ("Point", "", "no JSON: it is empty"),
    ("Point", '{"x": 1', "no JSON: Expecting ',' delimiter at line 1, column 8"),
    ("Point", "I would rather not.", "no JSON: Expecting value at line 1, column 1"),
    ("Point", '{"x": NaN}', "no JSON"),
    ("Point", "[" * 100_000, "no JSON"),
    ("as_dict", "[" * 100_000 + "]" * 100_000, "no JSON"),
    ("Point", '{"x": ' + "9" * 10_000 + "}", "no JSON"),
    ("Strange", '{"x": 1}', "ZeroDivisionError: one"),
    ("Strange", '{"x": 2}', "x: two is not allowed, got 2"),
    ("Unit", "x", "should be 'g' or 'l', got 'x'"),
    ("Point", json.dumps({"x": "a" * 5000}), "got 'aaaa"),
]


@pytest.mark.parametrize(("given", "text", "says"), MISFITS)
def test_a_misfit_says_in_one_line_what_is_wrong(given: str, text: str, says: str) -> None:
    with pytest.raises(Misfit) as caught:
        named(given).read(text)
    message = str(caught.value)
    assert says in message and "\n" not in message and len(message) <= 420


def test_hostile_brackets_take_no_time() -> None:
    import time

    schema, began = named("Point"), time.process_time()
    for text in ("[{" * 200_000, '{"' * 100_000, '{"a":[' * 50_000 + "x", '"' * 400_000):
        with pytest.raises(Misfit):
            schema.read(text)
    assert time.process_time() - began < 3


REFUSED = [
    ("Recpie", "Recpie", "Did you mean Recipe?"),
    ("list[Recpie]", "Recpie", "Did you mean Recipe?"),
    ("Recpie.Inner", "Recpie", "Did you mean Recipe?"),
    ("list[Zebra]", "'Zebra' is not defined", "Run the cell that defines it first"),
    ("five", "a value (int), no type", "short form"),
    ("recipe", "a value (Recipe), no type", "short form"),
    ("none", "a value (NoneType), no type", ""),
    ("function", "a value (builtin_function_or_method), no type", ""),
    ("name, age int, age", "'age' comes twice", "For example"),
    ("name, age itn", "'itn', the type of 'age'", "Did you mean int"),
    ("name, 3 int", "'3' is no name", ""),
    ("name, : what", "no name", ""),
    ("[]", "empty", ""),
    (",", "no field", ""),
    ("", "empty", ""),
    ('{"type": "object", ]}', "no JSON", ""),
    ('{"type": "objekt"}', "objekt", ""),
    ('{"name": "string"}', "says nothing of a type", ""),
    ('{"$ref": "https://example.com/x"}', "points at nothing", ""),
    ('{"$ref": "#/$defs/X"}', "points at nothing", ""),
    ("{'type': {1, 2}}", "no JSON schema", ""),
    ("typing.Callable[[], int]", "cannot be asked for", ""),
    ("1 / 0", "division by zero", ""),
]


@pytest.mark.parametrize(("given", "what", "hint"), REFUSED)
def test_what_is_no_schema_is_refused_before_anything_is_sent(
    given: str, what: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        named(given)
    assert what in caught.value.what and "nothing was sent" in caught.value.what
    assert hint in caught.value.next_step


def test_any_evaluator_will_do() -> None:
    assert schema_of("Point", NAMES.__getitem__).name == "Point"
    with pytest.raises(UsageError, match="KeyError"):
        schema_of("Nothing", NAMES.__getitem__)
    with pytest.raises(UsageError):
        schema_of("x", lambda _: (_ for _ in ()).throw(PlaceholderError("no.", "next")))


def test_text_in_a_variable_is_never_evaluated() -> None:
    with pytest.raises(UsageError, match="neither"):
        named("bad", bad="__import__('os').system('true')")


def test_a_word_of_pythons_own_can_be_shadowed() -> None:
    assert named("list", list=Point).read('{"x": 1}') == Point(1)


SHORT = [
    ("name", "name", {"type": "string"}),
    ("age int: in years", "age", {"type": "integer", "description": "in years"}),
    ("age: int", "age", {"type": "integer"}),
    ("tags list", "tags", {"type": "array", "items": {"type": "string"}}),
    ("tags[]", "tags", {"type": "array", "items": {"type": "string"}}),
    ("n int[]", "n", {"type": "array", "items": {"type": "integer"}}),
    ("n list[float]", "n", {"type": "array", "items": {"type": "number"}}),
    ("n list of bool", "n", {"type": "array", "items": {"type": "boolean"}}),
    ("größe float", "größe", {"type": "number"}),
]


@pytest.mark.parametrize(("field", "name", "told"), SHORT)
def test_the_short_form(field: str, name: str, told: dict[str, Any]) -> None:
    made = document(f"first, {field}")
    assert made["properties"] == {"first": {"type": "string"}, name: told}
    assert made["required"] == ["first", name]


def test_the_short_form_over_several_lines_may_have_commas() -> None:
    made = document("name: first, then last\n\nage int")
    assert made["properties"]["name"]["description"] == "first, then last"
    assert made["properties"]["age"] == {"type": "integer"}


# --- any type, any value, any text ---------------------------------------------------------------

_SCALARS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**63), 2**63)),
    (str, st.text(st.characters(codec="utf-8"))),
    (bool, st.booleans()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (Unit, st.sampled_from(Unit)),
    (datetime.date, st.dates()),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Pair, st.builds(Pair, st.integers(), st.text(st.characters(codec="utf-8")))),
    (Point, st.builds(Point, st.integers(), st.integers())),
    (Node, st.builds(Node, name=st.just("n"), children=st.just([Node(name="m")]))),
]


def _more(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner.flatmap(
        lambda one: st.sampled_from([
            (list[one[0]], st.lists(one[1], max_size=3)),
            (dict[str, one[0]], st.dictionaries(st.sampled_from("ab"), one[1])),
            (one[0] | None, st.none() | one[1]),
            (tuple[one[0], int], st.tuples(one[1], st.integers())),
        ])
    )  # fmt: skip


@st.composite
def _types(draw: st.DrawFn) -> tuple[Any, Any]:
    """A type and one of its values."""
    kinds = st.recursive(st.sampled_from(_SCALARS), _more, max_leaves=2)
    form = draw(st.sampled_from(["plain", "model", "dataclass", "typed dict", "named tuple"]))
    if form == "plain":
        kind, values = draw(kinds)
        return kind, draw(values)
    drawn = {f"f{i}": draw(kinds) for i in range(draw(st.integers(1, 3)))}
    given = {name: draw(values) for name, (_, values) in drawn.items()}
    fields: list[tuple[str, Any]] = [(name, kind) for name, (kind, _) in drawn.items()]
    made: Any
    if form == "model":
        made = create_model("M", **{name: (kind, ...) for name, kind in fields})  # type: ignore[call-overload]
    elif form == "dataclass":
        made = dataclasses.make_dataclass("D", fields)
    elif form == "typed dict":
        return record("T", dict(fields)), given
    else:
        made = NamedTuple("N", fields)  # type: ignore[misc]
    return made, made(**given)


@settings(max_examples=150)
@given(_types())
def test_a_value_as_json_reads_back_the_same(drawn: tuple[Any, Any]) -> None:
    kind, value = drawn
    schema = schema_for(kind)
    told = json.loads(schema.document)
    assert told["type"] == "object" and not list(json_schema_rules(told, "schema"))
    text = TypeAdapter(kind).dump_json(value).decode()
    assert schema.read(text) == value
    assert schema.read(f"Here it is:\n\n```json\n{text}\n```\n") == value
    for key in ("items", "value"):
        if list(told.get("properties", ())) == [key]:
            assert schema.read(f'{{"{key}": {text}}}') == value


_PIECES = ['{"x": 1}', "{", "}", "[", "]", '"', "\\", "\\ud800", "\ud800", "```", "```json\n", "\n",
           "9" * 5000, "1e999", "NaN", "null", "x", '{"items": [', '{"value": ', ":", ",", "\x00",
           "\ufeff", "[" * 3000, "]" * 3000, '{"a":' * 1500]  # fmt: skip
_SOME = [named(given) for given in ("Point", "list[Node]", "int", "str", "as_dict", "Unit", "Any",
                                     '{"type": "array"}', "Strange", "Decimal", "{}")]  # fmt: skip


@given(
    st.text(st.characters(codec=None)) | st.lists(st.sampled_from(_PIECES)).map("".join),
    st.sampled_from(_SOME),
)
def test_any_text_is_read_or_does_not_fit(text: str, schema: Schema) -> None:
    try:
        schema.read(text)
    except Misfit as misfit:
        str(misfit).encode()
        assert "\n" not in str(misfit)


# --- beside it -----------------------------------------------------------------------------------


def test_a_table_of_what_came() -> None:
    rows = [Point(1, 2), Point(3)]
    for value in (rows, {"items": rows}, [{"x": 1, "y": 2}, {"x": 3, "y": 0}],
                  create_model("L", found=(list[Point], ...))(found=rows)):  # fmt: skip
        assert frame(value).to_dict("records") == [{"x": 1, "y": 2}, {"x": 3, "y": 0}]
    assert frame(Point(1)).to_dict("records") == [{"x": 1, "y": 0}]
    assert frame(Pair(1)).to_dict("records") == [{"left": 1, "right": "r"}]
    assert frame([Pair(1)]).to_dict("records") == [{"left": 1, "right": "r"}]
    assert frame([1, 2])["value"].tolist() == [1, 2]
    assert frame(["a", {"x": 1}]).columns.tolist() == ["value", "x"]
    assert frame("abc")["value"].tolist() == ["abc"]
    assert frame(Unit.GRAM)["value"].tolist() == ["g"]
    assert frame({"tags": ["a", "b"]})["tags"].tolist() == [["a", "b"]]
    assert frame({"items": ["a", "b"]})["value"].tolist() == ["a", "b"]
    assert len(frame([])) == 0 and len(frame({"items": []})) == 0


def test_to_ask_once_more_goes_on_from_the_answer() -> None:
    request = Request((Message("user", (Part("who?"),)),), schema=named("Point").document)
    again = repair(request, Reply.saying("nobody"), "x: is missing")
    assert [message.role for message in again.messages] == ["user", "model", "user"]
    assert again.messages[1].text == "nobody"
    assert "x: is missing" in again.messages[2].text and again.schema == request.schema
    call = Message("model", (Part(call=ToolCall("f", "{}")),))
    result = Message("user", (Part(result=ToolResult("f", "1")),))
    said = Message("model", (Part("no"),))
    again = repair(request, Reply.saying("no", exchanged=(call, result, said)), "x: is missing")
    assert again.messages[:-1] == (*request.messages, call, result, said)
    assert repair(request, Reply(), "x").messages[1].text == "(nothing)"


def test_an_adapter_is_a_type_too() -> None:
    assert schema_for(adapter(Point)).read('{"x": 1}') == Point(1)
