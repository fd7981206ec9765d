"""Notebooks about schemas and tools of every kind: what code writes down is what is sent."""

from __future__ import annotations

from typing import Any

from tests.wire import Answer, Call

_TYPES = '''
import dataclasses
from datetime import date
from enum import Enum, IntEnum
from typing import Annotated, Literal, NamedTuple, Optional, TypedDict, Union

from pydantic import BaseModel, Field


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Movie(TypedDict):
    """A film."""

    title: str
    year: int


class Loose(TypedDict, total=False):
    note: str


class Point(NamedTuple):
    x: float
    y: float


@dataclasses.dataclass
class Place:
    """Somewhere."""

    name: str
    at: Point
    tags: list[str] = dataclasses.field(default_factory=list)
    open: bool = True


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(default=9, ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    born: date | None = None
    colour: Colour = Colour.RED


class Node(BaseModel):
    """A tree."""

    label: Annotated[str, Field(min_length=1, description="what it is called")]
    children: list["Node"] = []
    extra: dict[str, Optional[int]] = Field(default_factory=dict)  # noqa: UP045


class Puppy(Dog):
    toys: tuple[str, ...] = ()
    level: Level = Level.LOW

    def bark(self) -> str:
        return "wuff"


Pet = Union[Cat, Dog]  # noqa: UP007
'''
_TOOLS = '''
class Desk:
    """Holds seats."""

    def __init__(self, seats: int) -> None:
        self.seats = seats

    def reserve(self, name: str, party: Literal["small", "large"] = "small") -> str:
        """Reserve a seat.

        Parameters
        ----------
        name : str
            For whom.
        party : str
            How many come.
        """
        self.seats -= 1
        return f"{name}: {self.seats} left"


desk = Desk(3)


def add(a: int | float, b: float = 0.5, *, whole: bool = False) -> float:
    """Add two numbers.

    :param a: the first
    :param b: the second
    """
    return round(a + b) if whole else a + b


def paint(colour: Colour, at: Point | None = None, tags: list[str] | None = None) -> list[str]:
    """Paint something."""
    return [str(colour), str(at), *(tags or [])]


def find(
    place: Place, options: dict[str, int] | None = None, limit: int | None = None
) -> dict[str, object]:
    return {"place": place.name, "options": options, "limit": limit}


def nothing() -> None:
    """Does nothing."""
'''

SCHEMAS: dict[str, list[str]] = {
    "schema of a TypedDict": [_TYPES, "%%gemini --schema Movie\nA film", "_.parsed"],
    "schema of a TypedDict's list": [_TYPES, "%%gemini --schema 'list[Loose]'\nNotes"],
    "schema of a dataclass": [_TYPES, "%%gemini --schema Place -o p\nA place", "p.parsed.at.x"],
    "schema of an enum": [_TYPES, "%%gemini --schema Colour -o c\nA colour", "c.parsed.name"],
    "schema of a literal": [
        _TYPES,
        "%%gemini --schema 'Literal[\"a\", \"b\"]' -o c\nChoose",
        "c.parsed",
    ],
    "schema of a union": [_TYPES, "%%gemini --schema Pet -o p\nA pet", "type(p.parsed).__name__"],
    "schema in a circle": [_TYPES, "%%gemini --schema Node -o n\nA tree", "n.parsed.children"],
    "schema with a base class": [_TYPES, "%%gemini --schema Puppy -o p\nA pet", "p.parsed.bark()"],
    "schema of a dict": [_TYPES, "%%gemini --schema 'dict[str, int]' -o d\nCounts", "d.parsed"],
    "schema of a number": ["%%gemini --schema int -o n\nA number", "n.parsed + 1"],
    "schema in short, a list": ["%%gemini --schema '[name, age int]' -o p\nPeople", "p.parsed[0]"],
    "schema with an order": [
        'SHAPE = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": '
        '["string", "null"]}}, "propertyOrdering": ["b", "a"], "required": ["b"]}',
        "%%gemini --schema SHAPE\nSomething",
    ],
    "schema and chat": [
        _TYPES,
        "%%gemini --schema Movie --chat films\nOne film",
        "%%gemini --chat films\nWhy that one?",
    ],
    "schema in a function": [
        _TYPES,
        "%%gemini --schema Movie --def film\nA film about {{ subject }}",
        "print(film('rain').parsed)\nfilm(subject='snow')",
    ],
}  # fmt: skip

TOOLS: dict[str, list[str]] = {
    "tools of every kind": [_TYPES, _TOOLS, "%%gemini --tools add,paint,nothing\nPaint it"],
    "tools with a dataclass": [_TYPES, _TOOLS, "%%gemini --tools find\nFind it"],
    "tools and few hops": [_TYPES, _TOOLS, "%%gemini --tools add --max-hops 1\nAdd"],
    "tools and a system": [
        _TYPES,
        _TOOLS,
        "%%gemini --tools add,nothing --system 'Use {{ Desk.__doc__ }}' -t 0.1\nAdd and stop",
    ],
    "tools that change variables": [
        "notes = []",
        'def note(text: str) -> int:\n    """Keep a note."""\n    notes.append(text)\n'
        "    return len(notes)",
        "%%gemini --tools note\nKeep it",
        "%%gemini\nYou kept {{ notes }}",
    ],
}

ANSWERS: dict[str, Any] = {
    "schema of a TypedDict": [Answer('{"title": "M", "year": 1931}')],
    "schema of a TypedDict's list": [Answer('{"items": [{"note": "a"}, {}]}')],
    "schema of a dataclass": [Answer('{"name": "Ulm", "at": [1.5, 2], "tags": ["a"]}')],
    "schema of an enum": [Answer('{"value": "blue"}')],
    "schema of a literal": [Answer('{"value": "b"}')],
    "schema of a union": [Answer('{"value": {"kind": "dog", "born": "2020-02-29"}}')],
    "schema in a circle": [Answer('{"label": "a", "children": [{"label": "b"}], "extra": {}}')],
    "schema with a base class": [Answer('{"kind": "dog", "toys": ["ball"], "level": 2}')],
    "schema of a dict": [Answer('{"a": 1}')],
    "schema of a number": [Answer('{"value": 41}')],
    "schema in short, a list": [Answer('{"items": [{"name": "A", "age": 3}]}')],
    "schema with an order": [Answer('{"b": "x"}')],
    "schema and chat": [Answer('{"title": "M", "year": 1931}'), Answer("It is good.")],
    "schema in a function": [Answer('{"title": "M", "year": 1931}')],
    "tools of every kind": [
        Answer(calls=[Call("add", {"a": 1, "b": 2.5}, "a"), Call("nothing", {}, "b")]),
        Answer(calls=[Call("paint", {"colour": "red", "tags": ["x"]}, "c")]),
        Answer("Done."),
    ],
    "tools with a dataclass": [
        Answer(
            calls=[Call("find", {"place": {"name": "Ulm", "at": [1, 2]}, "options": {"a": 1}}, "a")]
        ),
        Answer("There."),
    ],
    "tools and few hops": [
        Answer(calls=[Call("add", {"a": 1}, "a")]),
        Answer(calls=[Call("add", {"a": 2}, "b")]),
    ],
    "tools and a system": [Answer(calls=[Call("add", {"a": 1}, "a")]), Answer("1.5")],
    "tools that change variables": [
        Answer(calls=[Call("note", {"text": "first"}, "a")]),
        Answer("Kept."),
    ],
}
