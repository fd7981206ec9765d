"""Keys in a notebook: found wherever they stand, taken out without a trace, or moved away."""

from __future__ import annotations

import ast
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.convert.notebook_keys import find, key_of, redacted, replaced
from gemini_magic.errors import UsageError

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
OTHER = "sk-proj-" + "abcdefghij0123456789ABCDEFGHIJ"
PRIVATE = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
)
EXPRESSION = 'kept("x")'


def code(source: str | list[str], outputs: Any = (), **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "id": "c", "metadata": {}, "source": source,
            "outputs": list(outputs), **more}  # fmt: skip


def book(*cells: Any, **more: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [*cells], **more}


HOLDS = {
    "a text": (book(code(f'a = 1\nkey = "{KEY}"')), 0, "source", 2),
    "lines": (book("odd", code(["a = 1\n", "\n", f'key = "{KEY}"'])), 1, "source", 3),
    "Markdown": (book({"cell_type": "markdown", "source": f"my key {KEY}"}), 0, "source", 1),
    "a stream": (book(code("1", [{"name": "stdout", "text": ["x\n", KEY]}])), 0, "output", 2),
    "a result": (book(code("1", [{"data": {"text/plain": f"'{KEY}'"}}])), 0, "output", 1),
    "JSON": (book(code("1", [{"data": {"application/json": {"a": [KEY, 1]}}}])), 0, "output", 1),
    "a traceback": (book(code("1", [{"traceback": ["a", f"b {KEY}"], "evalue": ""}])), 0, "output",
                    1),
    "a drawing": (book(code("1", [{"data": {"image/svg+xml": f"<b {KEY}/>"}}])), 0, "output", 1),
    "metadata": (book(code("1", metadata={"a": {"b": KEY}})), 0, "metadata", 1),
    "its own": (book(metadata={"a": [KEY]}), None, "metadata", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDS)
def test_a_key_is_found_and_taken_out_wherever_it_stands(name: str) -> None:
    document, cell, where, line = HOLDS[name]
    before = copy.deepcopy(document)
    (found,) = find(document)
    assert (found.cell, found.where, found.line) == (cell, where, line)
    assert (found.kind, found.shown) == ("GEMINI_API_KEY", "AIza…uv")
    assert key_of(document, found.id) == KEY
    clean = redacted(document, [found.id])
    assert document == before
    assert KEY not in json.dumps(clean) and find(clean) == []
    assert "<GEMINI_API_KEY>" in json.dumps(clean)
    assert json.dumps(clean).replace("<GEMINI_API_KEY>", KEY) == json.dumps(document)
    assert redacted(document, ["other"]) == document


def test_the_same_key_has_the_same_id_and_another_another() -> None:
    document = book(code(f"{KEY} {OTHER}"), code(OTHER, [{"text": KEY}]))
    found = find(document)
    assert len({one.id for one in found}) == 2 and len(found) == 4
    clean = json.dumps(redacted(document, [found[0].id]))
    assert KEY not in clean and clean.count(OTHER) == 2
    assert all(KEY not in repr(one) and OTHER not in repr(one) for one in found)


def test_a_private_key_goes_with_all_its_lines() -> None:
    for source in (
        f'key = """{PRIVATE}"""\nx = 1',
        f'key = """{PRIVATE}"""\nx = 1'.splitlines(True),
    ):
        document = book(code(source))
        (found,) = find(document)
        assert (found.kind, found.shown) == ("PRIVATE_KEY", "PRIVATE KEY")
        clean = redacted(document, [found.id])["cells"][0]["source"]
        assert "".join(clean) == 'key = """<PRIVATE_KEY>"""\nx = 1'


BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
TAIL = "w0QXJ2A="


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"a\n{{}}\n{BODY}\n{BODY}\n\nx = 1\ny = 2", "a\n{}\n\nx = 1\ny = 2"),
        (f"{{}}\n{BODY}\n{TAIL}\nx = 1", "{}\nx = 1"),
        (f'k = "{{}}\\n{BODY}\\r\\n{BODY}"\nx = 1', 'k = "{}"\nx = 1'),
        (f'k = ("{{}}\\n"\n  "{BODY}\\n"\n  "{BODY}")\nx = 1', 'k = ("{}")\nx = 1'),
        (f"{{}}\nProc-Type: 4,ENCRYPTED\nDEK-Info: a,B\n\n{BODY}\nx = 1", "{}\nx = 1"),
        (f"{{}}\n{BODY}\nx = 1\n-----BEGIN PRIVATE KEY-----\nor\n-----END PRIVATE KEY-----",
         "{}\nx = 1\n-----BEGIN PRIVATE KEY-----\nor\n-----END PRIVATE KEY-----"),
        (f"1 {{}}\n2 {BODY}\n3 {BODY}\n4 -----END PRIVATE KEY-----\nx", "1 {}\nx"),
        (f"{{}}<br>{BODY}<br>-----END PRIVATE KEY-----<br>x", "{}<br>x"),
        (f"{{}} {BODY} {TAIL} -----END PRIVATE KEY-----x", "{}x"),
    ],
)  # fmt: skip
def test_a_private_key_without_an_end_takes_nothing_else_along(text: str, left: str) -> None:
    document = book(code(text.format("-----BEGIN PRIVATE KEY-----")))
    (found,) = find(document)
    made = redacted(document, [found.id])
    assert made["cells"][0]["source"] == left.format("<PRIVATE_KEY>")
    assert BODY not in json.dumps(made)


@pytest.mark.parametrize("end", ["", "-----END PRIVATE KEY-----"])
@pytest.mark.parametrize("between", ['" in text:\n    x = 1\ny = "', "", "\n", "\n...\n", '", "'])
def test_the_name_of_a_private_key_is_none(between: str, end: str) -> None:
    assert find(book(code(f'if "-----BEGIN PRIVATE KEY-----{between}{end}"'))) == []


def test_values_of_the_environment_are_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "correct horse 9")
    document = book(code("print('correct horse 9')"))
    assert find(document) == []
    (found,) = find(document, ["MY_KEY"])
    assert (found.kind, found.shown) == ("MY_KEY", "…")
    assert "horse" not in json.dumps(redacted(document, [found.id], ["MY_KEY"]))


def test_pictures_are_not_looked_into() -> None:
    data = {"image/png": KEY, "text/plain": "a picture"}
    assert find(book(code("1", [{"data": data}]))) == []


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (f'key = "{KEY}"', f"key = {EXPRESSION}"),
        (f"f(a, key='{KEY}', b=2)  # x", f"f(a, key={EXPRESSION}, b=2)  # x"),
        (f'h = {{"auth": "Bearer {KEY}"}}', f'h = {{"auth": ("Bearer " + {EXPRESSION})}}'),
        (f'u = "https://x?key={KEY}&a=1"', f'u = ("https://x?key=" + {EXPRESSION} + "&a=1")'),
        (f'x = 1\n\nkey = "{KEY}"\ny = 2', f"x = 1\n\nkey = {EXPRESSION}\ny = 2"),
        (f'# old: {KEY}\nkey = "{KEY}"', f"# old: <GEMINI_API_KEY>\nkey = {EXPRESSION}"),
        (f'a = "#"; key = "{KEY}"', f'a = "#"; key = {EXPRESSION}'),
        (f'a = "{KEY}", "{KEY}"', f"a = {EXPRESSION}, {EXPRESSION}"),
        (f'a = "{KEY} {KEY}"', f'a = (({EXPRESSION} + " ") + {EXPRESSION})'),
        (f"""os.system("curl -H 'x-goog-api-key: {KEY}' https://x")""",
         f"""os.system(("curl -H 'x-goog-api-key: " + {EXPRESSION} + "' https://x"))"""),
        (f"""body = '{{"key": "{KEY}"}}'""",
         f"""body = ('{{"key": "' + {EXPRESSION} + '"}}')"""),
        (f'é = "é"; key = "{KEY}"\r\nx = 1', f'é = "é"; key = {EXPRESSION}\r\nx = 1'),
        (f'await f("{KEY}")', f"await f({EXPRESSION})"),
        (f'# a\nf(\n  1,  # "b\n  "{KEY}",\n)', f'# a\nf(\n  1,  # "b\n  {EXPRESSION},\n)'),
    ],
)  # fmt: skip
def test_an_expression_takes_the_place_of_a_literal(source: str, written: str) -> None:
    document = book(code(source, [{"text": f"it is {KEY}"}]), {"cell_type": "raw", "source": KEY})
    made = replaced(document, find(document)[0].id, EXPRESSION)
    assert made["cells"][0]["source"] == written
    ast.parse(written)
    assert find(made) == [] and KEY not in json.dumps(made)
    lines = copy.deepcopy(document)
    lines["cells"][0]["source"] = source.splitlines(keepends=True)
    made = replaced(lines, find(lines)[0].id, EXPRESSION)
    assert "".join(made["cells"][0]["source"]) == written


MAGICS = (
    "!pip install -q x\n%load_ext gemini_magic\nfiles = !ls 'it\na, b = %env A\n?print\nprint??\n"
    "for i in x:\n    !echo it's \\\n      so\n    %time f(\n"
    'text = """\n%s\n!x\n"""\ny = (1\n  % 2)\n'
)


def test_magics_elsewhere_in_a_cell_are_no_matter() -> None:
    document = book(code(f'{MAGICS}key = "{KEY}"  # {KEY}\n!ls'))
    made = replaced(document, find(document)[0].id, EXPRESSION)
    assert made["cells"][0]["source"] == (f"{MAGICS}key = {EXPRESSION}  # <GEMINI_API_KEY>\n!ls")


@pytest.mark.parametrize(
    "metadata",
    [{"language_info": {"name": "R"}}, {"kernelspec": {"language": "javascript"}},
     {"language_info": {"name": "julia"}, "kernelspec": {"language": "python"}}],
)  # fmt: skip
def test_only_pythons_cells_are_given_an_expression(metadata: dict[str, Any]) -> None:
    document = book(code(f'key = "{KEY}"'), metadata=metadata)
    with pytest.raises(UsageError, match="Python"):
        replaced(document, find(document)[0].id, EXPRESSION)
    only = book({"cell_type": "markdown", "source": KEY}, metadata=metadata)
    assert KEY not in json.dumps(replaced(only, find(only)[0].id, EXPRESSION))
    for known in ({"language_info": {"name": "Python"}}, {"kernelspec": {"language": "python"}},
                  {"language_info": 5, "kernelspec": []}):  # fmt: skip
        document["metadata"] = known
        made = replaced(document, find(document)[0].id, EXPRESSION)
        assert made["cells"][0]["source"] == f"key = {EXPRESSION}"


@pytest.mark.parametrize(
    "source",
    [
        f"%env GEMINI_API_KEY={KEY}",
        f"!curl -H 'x: {KEY}'",
        f"%%gemini\nmy key is '{KEY}'",
        f"# a\n\n%%gemini\nmy key is '{KEY}'",
        f"# a\r\n%%bash\ncurl '{KEY}'\n# {KEY}",
        f"x = 1\n%%bash\ncurl '{KEY}'",
        f"x = !curl '{KEY}'",
        f"!curl \\\n  '{KEY}'",
        f"""f"{{call('{KEY}')}}\"""",
        f"""f"{{call('{KEY}')}}" 'a'""",
        f"""a = "x " "b={KEY}\"""",
        f"""a = ("b={KEY}"  # a\n  "x")""",
        f"""a = 'b={KEY}' f'{{x}}'""",
        f"def f(:\n  key = '{KEY}'",
        f"match a:\n  case 'b {KEY}': pass",
        f'a = """\n% x """\nb = """\nc = \'{KEY}\'\n% y """\n!ls',
        f"key = '{KEY}'\x00",
        f"# a\rkey = '{KEY}'",
        f"key = u'{KEY}'",
        f'key = f"{KEY}{{x}}"',
        f'key = b"{KEY}"',
        f'key = """{KEY}"""',
        f'key = """\n{KEY}\n"""',
        f"key = {KEY}",
        f'key = "\\\\{KEY}"',
        f'key = """{PRIVATE}"""',
    ],
)
def test_what_is_no_plain_literal_is_left_to_be_redacted(source: str) -> None:
    document = book(code(source))
    with pytest.raises(UsageError) as refusal:
        replaced(document, find(document)[0].id, EXPRESSION)
    assert "redact" in refusal.value.next_step and KEY not in str(refusal.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(KEY)
    | st.just(f'"{OTHER}"\n'),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["cells", "source", "outputs", "metadata", "cell_type", "id", "text/plain", "data"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["cells", "metadata", "x"]), _JSON, max_size=3))
def test_any_json_is_walked_and_comes_back(document: dict[str, Any]) -> None:
    before = json.dumps(document)
    found = find(document)
    assert json.dumps(redacted(document, [])) == before
    clean = redacted(document, [one.id for one in found])
    assert find(clean) == []
    assert json.dumps(document) == before
