"""``--params``: what a cell tagged ``parameters`` assigns is an option of the script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.exported import Exported
from gemini_magic.convert.options import Options
from tests.convert.lab import kinds, ruff_complaints, run_script, script_of

_CELL = '''import math
city = "Ulm"  # where to; 100% sure
days = 3
price: float = 2
big_trip = False
tags = ["a", "b"]
sizes: list[int] = []
limit: int | None = None
kind: Literal["x", "y"] = "x"
_own = -5
who = None
path = math.pi
pair = (1, 2)
mixed = [1, "a"]
help = 1
city_2 = city + "!"'''

_PRINT = "print([city, days, price, big_trip, tags, sizes, limit, kind, _own, who, pair, help])"


def made_of(*cells: str | dict[str, Any], params: bool = True) -> Exported:
    tagged = {"source": _CELL, "metadata": {"tags": ["parameters"]}}
    title = {"cell_type": "markdown", "source": "\n# A *trip*, 100%\nmore"}
    typing = "from typing import Literal"
    return script_of(title, typing, tagged, *cells, _PRINT, options=Options(params=params))


def test_values_come_from_the_command_line_or_from_the_cell(tmp_path: Path) -> None:
    made = made_of()
    done = run_script(made.text, tmp_path)
    assert done.stdout == (
        "['Ulm', 3, 2, False, ['a', 'b'], [], None, 'x', -5, None, (1, 2), 1]\n"
    ), done.stderr  # fmt: skip
    words = "--city Bonn --days 5 --price 1.5 --big-trip --tags x --sizes 1 2 --limit 9 --kind y"
    done = run_script(made.text, tmp_path, *words.split(), "--own", "-7", "--who", "me")
    assert done.stdout == (
        "['Bonn', 5, 1.5, True, ['x'], [1, 2], 9, 'y', -7, 'me', (1, 2), 1]\n"
    ), done.stderr  # fmt: skip
    assert run_script(made.text, tmp_path, "--no-big-trip", "--tags").returncode == 0
    for wrong in (["--days", "x"], ["--kind", "z"], ["--unknown"]):
        done = run_script(made.text, tmp_path, *wrong)
        assert done.returncode == 2 and "usage:" in done.stderr
    assert not ruff_complaints(made.text), ruff_complaints(made.text)


def test_help_names_the_notebook_and_its_words(tmp_path: Path) -> None:
    done = run_script(made_of().text, tmp_path, "--help")
    assert done.returncode == 0
    shown = " ".join(done.stdout.split())
    assert "A *trip*, 100% (Exported from test.ipynb)" in shown
    assert "where to; 100% sure" in shown and "--big-trip, --no-big-trip" in shown


def test_what_is_no_literal_stays_and_is_told() -> None:
    made = made_of()
    assert kinds(made) == ["differs"] * 5
    for name in ("path", "pair", "mixed", "help", "city_2"):
        assert any(f"--params: {name} " in note.text for note in made.notes)
    assert "path = math.pi" in made.text and 'city_2 = city + "!"' in made.text


def test_without_params_they_are_plain_constants() -> None:
    made = made_of(params=False)
    assert made.notes == () and "argparse" not in made.text and _CELL in made.text


def test_prompts_and_an_awaiting_cell_see_the_values(tmp_path: Path) -> None:
    tagged = {"source": "n = 2\nwho = 'me'", "metadata": {"tags": ["parameters"]}}
    later = "import asyncio\nawait asyncio.sleep(0)\nprint(who * n)"
    made = script_of(later, tagged, "print(who * n)", options=Options(params=True))
    done = run_script(made.text.replace("print(who * n)", "pass", 1), tmp_path, "--n", "3")
    assert done.stdout == "mememe\n", done.stderr
    asked = script_of(tagged, "%gemini -m studio: Say {{ who }}", options=Options(params=True))
    assert 'f"Say {who}"' in asked.text


def test_only_the_first_cell_counts_and_an_empty_one_is_left_alone() -> None:
    first = {"source": "import os", "metadata": {"tags": ["parameters"]}}
    second = {"source": "a = 1", "metadata": {"tags": ["parameters"]}}
    third = {"source": "b = 1", "metadata": {"tags": ["parameters"]}}
    made = script_of(first, second, third, options=Options(params=True))
    assert '"--a"' in made.text and '"--b"' not in made.text and "\nb = 1\n" in made.text


def test_names_of_the_notebook_make_way() -> None:
    cells = ["parser = arguments = argparse = 1"]
    tagged = {"source": "a = 1", "metadata": {"tags": ["parameters"]}}
    made = script_of(*cells, tagged, options=Options(params=True))
    assert "parser_2 = argparse_2.ArgumentParser(" in made.text
    assert "a = arguments_2.a" in made.text


def test_help_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    text = made_of("%gemini -m studio:gemini-2.5-pro About {{ city }}").text
    done = run_script(text, tmp_path, "--help")
    assert done.returncode == 0 and "--city" in done.stdout, done.stderr[-500:]
