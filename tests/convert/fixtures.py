"""Notebooks whose requests a script has to send, too: cells, and what the servers answer."""

from __future__ import annotations

from typing import Any

from tests.wire import Answer, Call

CALLS = [
    Answer(chunks=["Let me ", "look."], calls=[Call("weather", {"city": "Ulm", "days": 2}, "a")]),
    Answer(calls=[Call("population", {"city": "Ulm"}, "b"), Call("weather", {"city": "X"}, "c")]),
    Answer(chunks=["Sunny", "."]),
]
_TOOLS = '''
def weather(city: str, days: int = 1) -> dict[str, object]:
    """The weather of a city.

    Args:
        city: Its name.
        days: How many days.
    """
    if city == "X":
        raise LookupError("no such city")
    return {"city": city, "sun": days * 2}

async def population(city: str) -> int:
    """How many live there."""
    return len(city) * 1000
'''
_RECIPE = '''
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field


class Taste(StrEnum):
    SWEET = "sweet"
    SOUR = "sour"


class Step(BaseModel):
    """One thing to do."""

    text: str = Field(description="what to do")
    minutes: int | None = None


class Recipe(BaseModel):
    """A dish."""

    name: str
    taste: Taste
    kind: Literal["main", "dessert"] = "main"
    steps: list[Step]
'''
_JSON = '{"name": "Pie", "taste": "sweet", "kind": "dessert", "steps": [{"text": "Bake"}]}'
_PICTURE = "from PIL import Image\npicture = Image.new('RGB', (2, 2), 'red')"

#: Cells, by what they are about. ``{...}`` are Python's own; ``MODEL`` becomes another model.
NOTEBOOKS: dict[str, list[str]] = {
    "plain": ["%%gemini\nWhy is the sky blue?"],
    "line": ["%gemini Why is the sky blue, in a line?"],
    "comment above": ["# why\n\n%%gemini -t 0.5\nWhy is it blue?\n\n"],
    "assigned": ["answer = %gemini Say hi to 'them'", "print(answer.text)\nanswer"],
    "out": ["%%gemini --out answer\nSay hello", "%%gemini\nAgain: {{ answer }} {{ answer.text }}"],
    "sampling": [
        "%%gemini -t 0.2 --top-p 0.9 --max-output-tokens 100 --stop END --stop 'the end' "
        "--seed 7 --presence-penalty 0.5 --frequency-penalty -0.5\nTell me a story",
    ],
    "system": ["who = 'pirate'", "%%gemini --system 'You are a {{ who }}, \"really\"'\nHello"],
    "raw": ["%%gemini --raw --system '{{ x }}'\n{{ not.mine }} and \\{{ and {{ 5 }}"],
    "text placeholders": [
        "topic, n, price = 'light', 3, 1.5\nitems = [{'k': 'v'}]\nclass T:\n    a = 'x'",
        "%%gemini\n{{ topic }} {{ n }} {{price:.2f}} {{ items[0]['k'].upper() }} {{ topic!r:>10 }} "
        "{{ T.a }} "
        ' {{ items[0]["k"] }} {{ " ".join(["a", \'b\']) }} {"a": {{ n }}} {{ topic }}{{ n }}',
    ],
    "values from functions": [
        "def one(x):\n    return x * 2\nvalue = one(21)\nnothing = None",
        "%%gemini\n{{ value }} and {{ one('ab') }} and {{ nothing }} and {{ one([1]) }}",
    ],
    "literal braces": [
        '%%gemini\nJSON {"a": {"b": 1}}, {{color: \'red\'}}, \\frac{{a}}{{b}}, \\{{ x }}, ${{ x }}'
        '\nint a[2][2] = {{1,2},{3,4}}; f"{x}" \'\'\'x\'\'\' """y""" \\N{DASH} \\',
    ],
    "unicode": ["%%gemini\n👩‍👩‍👧 שלום \u202eabc\u202c\u2028 x\x0b\x7f\x85 é e\u0301 \ufeff"],
    "crlf": ["%%gemini\none\r\ntwo\rthree\n\n"],
    "long": ["%%gemini\n" + 'A sentence with "quotes", {braces} and ümläuts. ' * 60],
    "chat": [
        "%%gemini --chat trip\nPlan a day in {{ 'Ulm' }}",
        "%%gemini --chat trip --system 'Be brief'\nAnd the evening?",
        "%%gemini --chat other\nSomething else",
        "%%gemini --chat trip -t 0\nThank you",
    ],
    "chat in a loop": [
        "for word in ['one', 'two']:\n    last = %gemini --chat loop Tell me {{ word }}",
        "%%gemini --chat loop\nAnd {{ last.text }}?",
    ],
    "in a function": [
        "def ask():\n    reply = %gemini -t 0.1 {{ question }}?\n    return reply.text",
        "question = 'Who'\ntext = ask()\nquestion = 'What'\ntext += ask()",
        "if text:\n    %gemini So: {{ text }}\nelse:\n    %gemini Never\n    x = 1",
    ],
    "def": [
        "style = 'haiku'",
        "%%gemini --def poem\nA {{ style }} about {{ subject }}",
        "poem('rain', style='limerick')\na = poem(subject='snow')\nprint(a)",
    ],
    "schema of a class": [
        _RECIPE,
        "%%gemini --schema Recipe --out dish\nA cake",
        "print(dish.parsed.name, dish.parsed.steps[0].text, dish.parsed.taste is Taste.SWEET)",
    ],
    "schema of a list": [_RECIPE, "%%gemini --schema list[Step] --out steps\nHow to bake"],
    "schema in short": ["%%gemini --schema 'name, age int: in years, tags list'\nA person"],
    "schema as JSON": [
        '%%gemini --schema {"type": "object", "properties": {"a b": {"type": "string"}}, '
        '"required": ["a b"], "additionalProperties": false}\nSomething',
    ],
    "schema in a variable": [
        "SHAPE = {'type': 'object', 'properties': {'n': {'type': 'integer'}}}",
        "%%gemini --schema SHAPE\nA number",
    ],
    "tools": [
        _TOOLS,
        "%%gemini --tools weather,population\nHow is Ulm?",
    ],
    "tools in a chat": [
        _TOOLS,
        "%%gemini --tools weather,population --chat w\nHow is Ulm?",
        "%%gemini --chat w\nAnd tomorrow?",
    ],
    "pictures": [
        _PICTURE,
        "%%gemini\nDescribe {{ picture }} in one line, and {{ picture }}",
        "%%gemini --image photo.png --file notes.txt --image picture\nWhat is it?",
        "from pathlib import Path\nfiles = [Path('photo.png'), Path('notes.txt')]",
        "%%gemini\n{{ files }} {{ files[1] }} {{ [picture, 'and', picture] }}",
    ],
    "tables": [
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x|y', 'z']})",
        "%%gemini\nLook: {{ df }} {{ df:markdown }} {{ df['a'].sum() }} {{ df.shape[0] }}",
    ],
    "use": ["%gemini use MODEL", "%%gemini\nWho are you?", "%gemini use default"],
    "another model": ["%%gemini -m MODEL\nWho?", "%%gemini --quiet\nAnd now?"],
    "await": [
        "import asyncio\nx = 'outer'\n\ndef get():\n    return x",
        "await asyncio.sleep(0)\ntext = '''two\nlines'''\nx = 'inner'",
        "%%gemini\nIt is {{ text }} and {{ get() }}",
        "y = await asyncio.sleep(0, 'done')",
        "answer = %gemini Is it {{ y }}?\nprint(answer)",
    ],
    "time": ["%%time\n%%gemini\nQuick", "%time z = 6 * 7", "%%gemini\n{{ z }}"],
    "name clashes": [
        "client = 'c'\ntypes = 't'\ngenai = 'g'\nos = 'o'\nask_gemini = ask_openai = 1\n"
        "Reply = Any = json = Message = None\nNOTEBOOK = 'n'\nOpenAI = 'x'",
        "%%gemini --chat client\n{{ client }} {{ types }} {{ genai }} {{ os }} {{ NOTEBOOK }}",
    ],
    "shell": [
        "name = 'world'\nlines = !echo hello {name} $name",
        "%%bash\necho 'from bash' > made.txt",
        "!echo {name} >> made.txt\n%cd .\n%env WHO=me\nimport os",
        "%%writefile other.txt\nsome {text}",
        "%%gemini\n{{ lines }} {{ open('made.txt').read() }} {{ os.environ['WHO'] }} "
        "{{ open('other.txt').read() }}",
    ],
    "under the last answer": [
        "%%gemini --quiet\nFirst",
        "%%gemini\nMore of {{ _.text }}",
        "_.text",
    ],
    "thinking": [
        "%%gemini -m MODEL --thinking low\nThink",
        "%%gemini -m MODEL --thinking high\nMore",
    ],
    "search": ["%%gemini --search\nWhat is new?"],
}

#: What only Gemini's own wire can say.
GEMINI_ONLY: dict[str, list[str]] = {
    "top-k and safety": ["%%gemini --top-k 5 --safety few --media-resolution low\nHello"],
    "services": [
        "%%gemini --url-context\nRead https://example.com/",
        "%%gemini --code-execution\nX",
    ],
    "budget": ["%%gemini --thinking 128\nThink a little"],
    "addresses": ["%%gemini --file https://youtu.be/abc --file gs://bucket/a.pdf\nSum it up"],
    "speech": ["%%gemini -m gem:gemini-3.8-flash-tts --voice Kore\nSay it"],
    "picture out": [
        "%%gemini -m gem:gemini-3.1-flash-image --aspect 16:9 --size 2K --chat art\nDraw a cat",
        "%%gemini -m gem:gemini-3.1-flash-image --chat art\nMake it blue",
    ],
    "both wires": [
        "%%gemini -m gem:gemini-2.5-flash --out a\nFirst here",
        "%%gemini -m oai:gpt-4o-mini\nThen there: {{ a }}",
        "%%gemini -m gem:gemini-2.5-pro\nAnd here again",
    ],
}

ANSWERS: dict[str, Any] = {
    "tools": CALLS,
    "tools in a chat": [*CALLS, Answer("Rain.")],
    "schema of a class": [Answer(_JSON)],
    "schema of a list": [Answer('{"items": [{"text": "Bake", "minutes": 3}]}')],
    "schema in short": [Answer('{"name": "A", "age": 3, "tags": []}')],
    "schema as JSON": [Answer('```json\n{"a b": "c"}\n```')],
    "schema in a variable": [Answer('{"n": 1}')],
}
