"""``%gemini usage``: its options, table, DataFrame and plot."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic.errors import MissingExtra, UsageError
from gemini_magic.notebook import usage_command
from gemini_magic.quota.usage import DayUse
from tests.notebook.quota_values import HOSTILE

USES = (
    DayUse("2026-11-19", "studio", "p", "gemini-2.5-flash", "free", 12, 3_400, 900),
    DayUse("2026-11-21", "studio", "p", "gemini-2.5-flash", "free", 3, 100, 20),
    DayUse("2026-11-21", "proxy", "key:ab", "gemini-2.5-pro", "", 1, 50_000, 2_000, 1, 82_500),
)


class Shell:
    """A notebook's shell, as far as drawing needs one."""

    def __init__(self) -> None:
        self.kernel = object()
        self.shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.display_pub = SimpleNamespace(
            publish=lambda data, meta: self.shown.append((data, meta))
        )


def run(*words: str, uses: Sequence[DayUse] = USES, shell: Any = None) -> tuple[Any, Any]:
    shell = shell or Shell()
    return usage_command.run(shell, lambda days: uses, list(words), "gemini"), shell


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


def test_the_days_asked_for() -> None:
    asked: list[int] = []

    def days(count: int) -> list[DayUse]:
        asked.append(count)
        return []

    for words in ([], ["--days", "7"], ["--days=1"]):
        usage_command.run(Shell(), days, words, "gemini")
    assert asked == [30, 7, 1]


@pytest.mark.parametrize(
    "words",
    ["--days", "--days 0", "--days x", "--days 9999", "--days ²", "--as pie", "flash", "--"],
)
def test_wrong_words_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        run(*words.split())


def test_nothing_used_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(uses=())[1].shown == []
    assert capsys.readouterr().out == "Nothing was asked in the last 30 days.\n"
    run("--days", "1", uses=())
    assert capsys.readouterr().out.count("\n") == 1


def test_a_terminal_gets_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    value, _ = run(shell=SimpleNamespace())
    lines = capsys.readouterr().out.splitlines()
    assert value is None and len(lines) == 2 + 3 + 1
    assert lines[4].split() == [
        "2026-11-21", "proxy", "key:ab", "gemini-2.5-pro", "1", "50,000", "2,000", "1", "$0.08",
    ]  # fmt: skip
    assert lines[-1].split() == ["all", "16", "53,500", "2,920", "1", "$0.08"]
    assert len({line.rindex("$") for line in lines[2:]}) == 1, "numbers are not aligned"


def test_the_plot_is_a_picture_with_a_text_in_its_place() -> None:
    pytest.importorskip("matplotlib")
    _, shell = run()
    ((data, metadata),) = shell.shown
    said = metadata["image/png"]["alt"]
    assert said == (
        "Bars for every day from 2026-11-19 to 2026-11-21: 16 requests to 2 models, $0.08 in all"
    )
    assert f'alt="{said}"' in data["text/html"] and data["image/png"] in data["text/html"]
    assert "gemini-2.5-pro" in data["text/plain"]
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.format == "PNG" and image.width > 1000
    assert image.convert("RGBA").getpixel((2, 2))[3] == 0, "it should have no ground of its own"


def test_pyplot_and_the_styles_are_left_alone() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figures, settings = pyplot.get_fignums(), dict(matplotlib.rcParams)
    run("--as", "plot")
    assert pyplot.get_fignums() == figures and dict(matplotlib.rcParams) == settings


def test_many_models_become_others_and_days_are_whole() -> None:
    uses = [DayUse("2026-11-21", "b", "p", f"m{n:02}", "", 20 - n, 1, 1) for n in range(11)]
    days, found = usage_command.stacks(uses)
    assert len(days) == 7 and days[-1].isoformat() == "2026-11-21"
    assert [one.label for one in found] == [*(f"m{n:02}" for n in range(8)), "3 others"]
    assert found[-1].requests == [0] * 6 + [12 + 11 + 10]
    assert sum(sum(one.tokens) for one in found) == 22


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", [HOSTILE, "_hidden", "$\\frac$", "模型", "x" * 300, ""])
def test_names_are_no_markup(name: str) -> None:
    pytest.importorskip("matplotlib")
    uses = [DayUse("2026-11-21", name, name, name, name, 2**62, 2**62, 1, 1, 2**62)]
    ((data, _),) = run(uses=uses)[1].shown
    assert "<script" not in data["text/html"] and "\x1b" not in data["text/plain"]
    ((data, _),) = run("--as", "table", uses=uses)[1].shown
    assert "<script" not in data["text/html"] and "<img" not in data["text/html"]
    assert "$\\" not in data["text/html"]


@pytest.mark.parametrize("uses", [USES, ()])
def test_the_frame_has_its_types(uses: Sequence[DayUse]) -> None:
    pandas = pytest.importorskip("pandas")
    frame, shell = run("--as", "df", uses=uses)
    assert shell.shown == [] and len(frame) == len(uses)
    assert list(frame.columns) == [
        "day", "backend", "project", "model", "tier", "requests", "input_tokens", "output_tokens",
        "images", "cost_usd",
    ]  # fmt: skip
    assert frame["day"].dtype.kind == "M" and frame["cost_usd"].dtype == "float64"
    assert all(frame[name].dtype == "int64" for name in frame.columns[5:9])
    assert all(pandas.api.types.is_string_dtype(frame[name]) for name in frame.columns[1:5])
    if uses:
        assert frame["cost_usd"].sum() == 0.0825 and frame["day"].max().day == 21


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("matplotlib", "pandas"):
        without(monkeypatch, package)
    ((data, _),) = run()[1].shown
    assert "<table" in data["text/html"]
    assert capsys.readouterr().out == "For a plot, run: pip install 'gemini-magic[plot]'\n"
    for form in ("plot", "df"):
        with pytest.raises(MissingExtra, match=r"gemini-magic\[plot\]"):
            run("--as", form)
