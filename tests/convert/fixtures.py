"""Notebooks whose requests a script has to send, too: cells, and what the servers answer."""

from __future__ import annotations

from typing import Any

from tests.convert import fixtures_types
from tests.wire import Answer, Call, Picture, Printed, Program

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000002000000030802000000368849d600000014494441"
    "54789c633c2127c7c0c0c0c4c0c080a000144a010aa1e44d030000000049454e44ae426082"
)

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
    "more braces": [  # Jinja, LaTeX, TypeScript, dollars
        "x, cost = 1, '9'",
        "%%gemini\n{% if x %}{{% raw %}} {{ x }}{# no #} $x $5 $x^2$ ${x} $${x} {x} {x!r} `{x}`\n"
        "type T = {a: {b: string}}; const f = (x) => ({...x}); \\text{{{ x }}} {{{x}}} {{ cost }}$",
    ],
    "hidden names": [  # what no cell defines, and what a star import brings
        "globals()['hid' + 'den'] = 'found'\nfrom math import *  # noqa: F403",
        "%%gemini\n{{ hidden }} {{ floor(pi) }}",
    ],
    "system from a file": [
        "role = 'notes.txt'",
        "%%gemini --system '{{ open(role).read() }}'\nWho are you?",
    ],
    "captured": ["%%capture\n%%gemini -t 0.3\nIn silence", "%%time\n%%capture out\n%gemini Again"],
    "in classes and blocks": [
        "class Asker:\n    who = 'me'\n    def ask(self, n=1):\n        global file\n"
        "        if n > 0:\n"
        "            with open('notes.txt') as file:\n"
        "                reply = %gemini --quiet {{ Asker.who }} {{ file.readline() }}\n"
        "            return reply\n        return None",
        "a = [Asker().ask(n) for n in range(3)]",
        "try:\n    %gemini --quiet {{ a[1].text.upper() }}\nfinally:\n    z = 1",
    ],
    "await in functions": [
        "import asyncio\nasync def many():\n    for word in ('a', 'b'):\n"
        "        await asyncio.sleep(0)\n        yield word",
        "async for word in many():\n    %gemini --quiet Say {{ word }}",
        "async def ask(number):\n    await asyncio.sleep(0)\n"
        "    reply = %gemini --quiet Ask {{ word }}\n    return reply.text * number",
        "both = [await ask(one) for one in (1, 2)]",
        "%%gemini --chat end\n{{ both }} {{ word }}",
    ],
    "values of many kinds": [
        "from datetime import date\nfrom decimal import Decimal\nfrom fractions import Fraction\n"
        "class Own:\n    def __str__(self):\n        return 'own'\n"
        "    def __format__(self, spec):\n        return f'<{spec}>'\nown = Own()\n"
        "d = {'a': [1, (2, 3)], 'b': None}\ndata = b'\\x00\\xff'\nday = date(2026, 2, 3)",
        "%%gemini\n{{ d }} {{ data }} {{ day:%d.%m.%Y }} {{ Decimal('1.50') }} {{ own }} "
        "{{own:x}} "
        "{{ own!r:.4}} {{ Fraction(1, 3) }} {{ d.get('b') }} {{ [own, 1] }} "
        "{{ d['a'][1:] }} {{ 1_0 }}",
    ],
    "attributes of answers": [
        "%%gemini --schema 'name, tags list' -o a\nA thing",
        "%%gemini -o b\n{{ a.parsed }} {{ a.json['name'] }} {{ a.text!r }} {{ a.finish_reason }}",
        "%%gemini\n{{ a.code }} {{ b }} {{ str(a) + 'x' }}",
    ],
    "options of the notebook alone": [
        "%%gemini --as text --timeout 30 --force --allow-remote-images\nHello",
        "%%gemini --fresh --no-fallback\nHello",
        "%%gemini --as code --quiet -o out\nHello again",
    ],
    "chat over models": [  # the model changes in the middle of a conversation
        "%%gemini --chat trip\nOne",
        "%%gemini --chat trip -m MODEL --stop X\nTwo",
        "%%gemini --chat trip --raw\nThree {{ x }}",
        "%%gemini --chat trip --seed 3 --system 'Now {{ 1 + 1 }}'\nFour",
    ],
    "chat with pictures": [
        _PICTURE,
        "%%gemini --chat look --image picture\nWhat is it?",
        "%%gemini --chat look\nAnd {{ picture }}?",
        "%%gemini --chat look\nCompare them",
    ],
    "def of all": [
        _PICTURE,
        "%%gemini --def look --system 'As {{ role }}' -t 0.4\n{{ photo }}: {{ question.title() }}",
        "one = look(picture, 'who?', role='x')\nprint(one)",
    ],
    "figures and arrays": [
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n"
        "import numpy as np\nfig, ax = plt.subplots(figsize=(1, 1))\nax.plot([1, 2])\n"
        "grey = np.zeros((2, 2, 3), dtype='uint8')",
        "%%gemini\n{{ fig }} {{ ax }} {{ grey }} {{ np.arange(3) }} {{ np.float64(1.5) }}",
    ],
    "photos and bytes": [
        "from PIL import Image\nfrom pathlib import Path\n"
        "Image.new('RGB', (3, 3), 'blue').save('p.jpg')\nphoto = Image.open('p.jpg')\n"
        "raw = Path('photo.png').read_bytes()\nImage.new('L', (2, 2)).save('g.webp')",
        "%%gemini --image p.jpg\n{{ photo }} {{ raw }} {{ Path('g.webp') }}",
        "%%gemini --image raw --file Path('notes.txt')\nHm",
    ],
    "documents": [
        "from pathlib import Path\nPath('a.pdf').write_bytes(b'%PDF-1.4 a')\n"
        "Path('t.csv').write_text('a,b\\n1,2')\nPath('code.py').write_text('x = 1\\n')",
        "%%gemini --file a.pdf --file t.csv\nWhat do they say?",
        "%%gemini\n{{ Path('code.py') }} and {{ Path('a.pdf') }}",
    ],
    "sounds": [
        "import wave\nwith wave.open('s.wav', 'wb') as file:\n    file.setnchannels(1)\n"
        "    file.setsampwidth(2)\n    file.setframerate(8000)\n    file.writeframes(bytes(8))",
        "%%gemini --file s.wav\nWhat is heard?",
    ],
    "series and tables": [
        "import pandas as pd\ndf = pd.DataFrame({'a': [1.5, None], 'ü': ['x', 'y']}, "
        "index=['i', 'j'])\n"
        "from IPython.display import display, Markdown\ndisplay(df)",
        "%%gemini\n{{ df['a'] }} {{ df.T:csv }} {{ df.iloc[0]:md }} {{ [df] }} {{ df.to_csv() }}",
        "df.describe()",
    ],
    "thoughts off": [
        "%%gemini -m MODEL --thinking off\nQuick",
        "%%gemini -m MODEL --thinking medium\nX",
    ],
    "compared": ["%%gemini --compare MODEL,OTHER -o both\nWho is better?"],
    "max pixels": [
        "from PIL import Image\nbig = Image.new('RGB', (40, 30), 'green')",
        "big.save('big.png')\nsize = big.size",
        "%%gemini --max-pixels 300 --image big.png\nLook at {{ big }} and {{ 1 }}",
    ],
    "repaired": [
        _RECIPE,
        "%%gemini --schema Recipe --repair -o r --chat c\nA pie",
        "%%gemini --chat c\nAnd now?",
        "%%gemini --schema Step --repair -o s\nA step",
        "%%gemini --schema Step --repair\nA good step",
        "r.parsed.steps[0].text + s.parsed.text",
    ],
    "a slow tool": [
        "import time\ndef slow(n: int) -> int:\n    time.sleep(n)\n    return n",
        "%%gemini --tools slow --tool-timeout 0.2\nWait",
    ],
    **fixtures_types.SCHEMAS,
    **fixtures_types.TOOLS,
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
    "route": [
        "%%gemini --route pair\nWho?",
        "%gemini use pair",
        "%%gemini --no-fallback\nAnd now?",
    ],
    "signatures": [
        _TOOLS,
        "%%gemini --tools weather --chat w --thinking high\nHow is Ulm?",
        "%%gemini --chat w\nAnd then?",
    ],
    "code that ran": [
        "%%gemini --code-execution --chat c\nCount",
        "%%gemini --chat c\nMore",
    ],
    "every setting": [
        "%%gemini -m gem:gemini-3.1-flash-image --modalities text,image --aspect 1:1 --size 1K "
        "--safety off --media-resolution high -n 1\nDraw {{ 'it' }}",
    ],
    "picture asked about": [
        "%%gemini -m gem:gemini-3.1-flash-image -o art --save made\nDraw a cat",
        "%%gemini\nWhat is {{ art }}? And {{ art.images[0] }}",
    ],
    "both wires": [
        "%%gemini -m gem:gemini-2.5-flash --out a\nFirst here",
        "%%gemini -m oai:gpt-4o-mini\nThen there: {{ a }}",
        "%%gemini -m gem:gemini-2.5-pro\nAnd here again",
    ],
}

#: What only OpenAI's wire has: an interface for pictures.
OPENAI_ONLY: dict[str, list[str]] = {
    "pictures drawn": [
        "%%gemini -m oai:gpt-image-2.5-flare --size 1K --aspect 3:2 --quality high -n 2 -o art\n"
        "Draw {{ 'it' }}",
        "len(art.images)",
    ],
    "pictures edited": [
        _PICTURE,
        "%%gemini -m oai:gpt-image-2.5-flare --system 'In oil'\nMake {{ picture }} blue",
        "%%gemini -m oai:gpt-image-2.5-flare --image photo.png --image picture\nMix them",
    ],
    "pictures in a chat": [
        "%%gemini -m oai:gpt-image-2.5-flare --chat art\nDraw a cat",
        "%%gemini -m oai:gpt-image-2.5-flare --chat art\nMake it blue",
    ],
    "pictures of old": ["%%gemini -m oai:dall-e-3 --quality low\nA cat"],
}

#: Notebooks whose own code is not clean.
UNTIDY = frozenset({"hidden names"})
#: Notebooks that ask several models at the same time, in no order.
AT_ONCE = frozenset({"compared"})

_DRAWN = [Answer(items=[Picture(PNG)])]
ANSWERS: dict[str, Any] = {
    **fixtures_types.ANSWERS,
    "picture out": [Answer(items=["Here: ", Picture(PNG)]), Answer(items=[Picture(PNG), "Blue."])],
    "every setting": [Answer(items=["Here: ", Picture(PNG)])],
    "picture asked about": [Answer(items=["Here: ", Picture(PNG)]), Answer("A cat.")],
    "speech": [Answer(items=[Picture(b"\1\2" * 50, "audio/L16;codec=pcm;rate=24000")])],
    "pictures drawn": [Answer(items=[Picture(PNG), Picture(PNG)])],
    "pictures edited": _DRAWN,
    "pictures in a chat": _DRAWN,
    "pictures of old": _DRAWN,
    "attributes of answers": [
        Answer('{"name": "A", "tags": ["x"]}'),
        Answer("```python\nx = 1\n```"),
        Answer("End."),
    ],
    "repaired": [
        Answer(_JSON.replace('"sweet"', '"hot"')),
        Answer(_JSON),
        Answer("Now."),
        Answer("That is {no JSON"),
        Answer('{"text": "Bake"}'),
        Answer('{"text": "Stir"}'),
    ],
    "a slow tool": [Answer(calls=[Call("slow", {"n": 1}, "a")]), Answer("Too slow.")],
    "signatures": [
        Answer(
            thoughts=["Hm."],
            items=[
                "Let me see.",
                {
                    "functionCall": {"name": "weather", "args": {"city": "Ulm"}, "id": "a"},
                    "thoughtSignature": "c2lnbmVk",
                },
            ],
        ),
        Answer("Sunny."),
    ],
    "code that ran": [
        Answer(items=["So: ", Program("print(6 * 7)"), Printed("42\n"), "It is 42."]),
        Answer("43."),
    ],
    "tools": CALLS,
    "tools in a chat": [*CALLS, Answer("Rain.")],
    "schema of a class": [Answer(_JSON)],
    "schema of a list": [Answer('{"items": [{"text": "Bake", "minutes": 3}]}')],
    "schema in short": [Answer('{"name": "A", "age": 3, "tags": []}')],
    "schema as JSON": [Answer('```json\n{"a b": "c"}\n```')],
    "schema in a variable": [Answer('{"n": 1}')],
}
