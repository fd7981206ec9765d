"""Each rule of the JavaScript migrator as text before and after, and what must not mislead it."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from gemini_magic.convert.migrate.javascript.program import migrate
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Place
from gemini_magic.errors import GeminiMagicError
from tests.convert.migrate.javascript import HERE

HTTP = 'httpOptions: { apiVersion: "v1beta" }'
OLD = """\
import { GoogleGenerativeAI } from "@google/generative-ai";
const g = new GoogleGenerativeAI(k);
"""
NEW = f"""\
import {{ GoogleGenAI }} from "@google/genai";
const g = new GoogleGenAI({{ apiKey: k, {HTTP} }});
"""
MODEL = OLD + 'const m = g.getGenerativeModel({ model: "x" });\n'
MODEL_NEW = NEW + 'const m = { model: "x" };\n'
OPENAI = Options("https://p.example/v1", to="openai")
CLIENT = 'new OpenAI({ apiKey: process.env.OPENAI_API_KEY, baseURL: "https://p.example/v1" })'
GENAI = """\
import { GoogleGenAI, Type, Modality } from "@google/genai";
const ai = new GoogleGenAI({ apiKey: K });
"""
GENAI_NEW = f'import OpenAI from "openai";\nconst ai = {CLIENT};\n'


class Rule(NamedTuple):
    """A program before and after; the worst verdict of its places, and the file's suffix."""

    before: str
    after: str
    worst: str
    suffix: str


def read(name: str) -> dict[str, Rule]:
    """``### NAME; VERDICT.SUFFIX``, the program before, ``---``, the one after.

    ``#begin`` stands for an import and a client, ``#model`` for a model beside them.
    """
    text = HERE.joinpath(name).read_text("utf-8")
    found = {}
    for title, body in re.findall(r"(?ms)^### (.*?)\n(.*?)(?=^### |\Z)", text):
        words, _, verdict = title.partition("; ")
        before, after = body.split("---\n")
        before = before.replace("#begin\n", OLD).replace("#model\n", MODEL)
        after = after.replace("#begin\n", NEW).replace("#model\n", MODEL_NEW)
        worst, _, suffix = verdict.partition(".")
        found[words] = Rule(before, after, worst, f".{suffix}")
    return found


RULES = read("javascript_rules.txt")
TO_OPENAI = read("javascript_openai_rules.txt")

#: Lines beside the SDK's use that stay as they are.
TRAPS = {
    "texts": "f('m.generateContent(x)', \"result.response.text()\", `g.getGenerativeModel({})`);\n",
    "comments": "// m.generateContent(x)\n/* result.response.text()\n*/\n",
    "regular expressions": "if (a) /m.generateContent('/.test(b); c = d / e / f;\n",
    "templates": "f(`${`${a}` + '`'} m.generateContent(x) \\`${{ a: `}` }.a}`);\n",
    "markup": "const v = <p title='\"'>It's m.generateContent(x) // `no` {a /* { */}</p>;\n",
    "shadowed": "function other(m) { const g = 1; m.text(); return m.response; }\n",
    "shadowed block": "{ let m = { generateContent() {} }; m.generateContent(1); }\n",
    "other things": "const response = await fetch(u); f(await response.text(), res.stream);\n",
    "keys": "const o = { m: 1, g: 2, GoogleGenerativeAI: 3 }; o.m; o.GoogleGenerativeAI;\n",
    "a bot": "bot.sendMessage(1, 'a'); chrome.runtime.sendMessage({ a });\n",
    "labels": "m: for (;;) break m;\n",
    "line ends": "const a = 1\n;[1].map((x) => x)\n;(function () {})()\n",
    "numbers": "const n = 1_000.5e3 + .5 + 0xff + 10n; x ? .5 : 1;\n",
    "private": "class A { #m = 1; get m() { return this.#m; } static { f(); } }\n",
}


def _worst(places: tuple[Place, ...]) -> str:
    return max((place.verdict for place in places), key=["done", "assisted", "left"].index)


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str) -> None:
    rule = RULES[name]
    made = migrate(rule.before, rule.suffix)
    assert made.text == rule.after
    assert _worst(made.places) == rule.worst


@pytest.mark.parametrize("name", TO_OPENAI)
def test_rule_to_openai(name: str) -> None:
    rule = TO_OPENAI[name]
    made = migrate(GENAI + rule.before, rule.suffix, OPENAI)
    assert made.text == GENAI_NEW + rule.after
    assert _worst(made.places) == rule.worst


@pytest.mark.parametrize("name", TRAPS)
@pytest.mark.parametrize("to", ["google-genai", "openai"])
def test_trap(name: str, to: str) -> None:
    ask = 'const asked = (await m.generateContent("a")).response.text();\n'
    options = Options(to=to)
    text = MODEL + ask
    alone = migrate(text, ".js", options)
    made = migrate(TRAPS[name] + text + TRAPS[name], ".js", options)
    made = made._replace(text=made.text.replace(", dangerouslyAllowBrowser: true", ""))
    tail = alone.text.partition("\n/** ")[0]
    assert made.text.startswith(TRAPS[name] + tail.rstrip("\n") + "\n" + TRAPS[name])
    assert all(place.verdict == "done" for place in made.places)


@pytest.mark.parametrize(
    ("options", "key", "wanted"),
    [
        (OPENAI, "process.env.GEMINI_API_KEY", "process.env.OPENAI_API_KEY"),
        (OPENAI, "import.meta.env.VITE_KEY", "import.meta.env.VITE_OPENAI_API_KEY"),
        (OPENAI, "process.env.NEXT_PUBLIC_KEY!", "process.env.NEXT_PUBLIC_OPENAI_API_KEY"),
        (OPENAI, 'Deno.env.get("KEY")', 'Deno.env.get("OPENAI_API_KEY")'),
        (OPENAI._replace(key_env="P"), "K", "process.env.P"),
        (Options(to="openai"), "process.env.MINE", "process.env.MINE"),
    ],
)
def test_keys(options: Options, key: str, wanted: str) -> None:
    made = migrate(GENAI.replace("K }", f"{key} }}"), ".js", options).text
    assert f"apiKey: {wanted}, baseURL: " in made
    assert ("dangerouslyAllowBrowser" in made) == ("import.meta" in key)
    if options.base_url is None:
        assert 'baseURL: "https://generativelanguage.googleapis.com/v1beta/openai/"' in made


def test_a_key_and_a_retired_model_are_told_of() -> None:
    key = "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"
    made = migrate(MODEL.replace("(k)", f'("{key}")').replace('"x"', '"gemini-1.5-pro"'))
    told = [place.text for place in made.places if place.text]
    assert any("gemini-1.5-pro is retired" in text for text in told)
    assert any("a key stands here" in text for text in told)
    assert not any(key in text for text in told)


@pytest.mark.parametrize("text", ["f(", "`${", "f({)}", "<" * 10, "`" + "${`" * 200])
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(GeminiMagicError, match="cannot be read as JavaScript"):
        migrate(f'import {{ GoogleGenerativeAI }} from "@google/generative-ai";\n({text}')
