"""50,000 hostile texts, sanitised, through the code that JupyterLab renders Markdown with.

Whole, and in the pieces that long ones are cut into.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

import pytest

from gemini_magic.notebook.sanitise import Sanitiser, sanitise

HERE = Path(__file__).parent / "marked_fuzz"
RENDERMIME = "@jupyterlab/rendermime@4.6.4"
LATEX_SHA256 = "7ee116b18066d57d2899abe8edffbaa57fb0b55c9af64310b9d3345319423573"
TEXTS = int(os.environ.get("GEMINI_MAGIC_FUZZ_TEXTS", "50000"))
SEED = int(os.environ.get("GEMINI_MAGIC_FUZZ_SEED", "1"))

PAYLOADS = (
    """
<script>alert(1)</script>|<img src=x onerror=alert(1)>|<b>|</code>|<!-- x|-->|<?php ?>|<![CDATA[x]]>
<svg/onload=alert(1)>|<a href="javascript:alert(1)">x</a>|<https://a.example>|<javascript:alert(1)>
<x@y.example>|<div|<iframe src=//e.example>|<style>@import '//e.example';</style>|<p\n>|< b>|<<b>>|<
""".strip("\n")
    .replace("\n", "|")
    .replace("<p\\n>", "<p\n>")
    .split("|")
)
SCHEMES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "&#106;avascript:alert(1)", "java&Tab;script:x",
    "java\tscript:x", "java\nscript:x", " javascript:x", "\x01javascript:x", "javascript&colon;x",
    "javascript%3Ax", "data:text/html,x", "data:image/png;base64,AA==", "vbscript:x",
    "file:///etc", "//host.example/x", "/files/x", "\\\\host\\x", "x.png", "attachment:x.png",
    "blob:x", "ftp://h.example", "https://a.example/x", "http://a.example", "HTTPS://a.example",
    "https://a.example/(x)_$a", "mailto:a@b.example", "#top", "https:x", "http:/\\x",
    "https://a.example/$\"onx=\"$", "", "<x y>", "<javascript:x>", "<https://a.example>",
    "https://a.example/@@0@@", "https://a.example/@\\@0@@", "www.a.example", "https://a.example/`",
    "https://u@a.example:8/|x*y_z~", "javascript:(a(b)c)",
]  # fmt: skip
MATH = [
    "$", "$$", "\\(", "\\)", "\\\\(", "\\\\)", "\\\\[", "\\\\]", "\\[", "\\]", "\\begin{a}",
    "\\end{a}", "\\begin{align*}", "\\end{align*}", "\\$", "{", "}", "\\{", "@@0@@", "@@1@@",
    "@\\@0@@", "$\"onx=\"$", "$`$", "$a<b$", "$x$", "$[$", "$]$", "$\n$", "$\n```\n$", "$\n>$",
    "$\\href{javascript:x}{y}$",
]  # fmt: skip
MARKS = [
    "`", "``", "```", "````", "~", "~~", "~~~", "~~~~", "*", "**", "_", "__", "[", "]", "(", ")",
    "![", "](", "][", "]:", "[a]", "[a]: ", "\\", "\\`", "\\[", "|", "\\|", "!", "#", ">", "\"",
    "'", "&#96;", "&lt;", "&#91;", "~T", "~D", "www.", "https://", "a@b.example", "  \n", "[x] ",
    "[ ] ", "^", ":", "=", "-",
]  # fmt: skip
STARTS = [
    "", "", "", "", " ", "  ", "   ", "    ", "     ", "      ", "\t", " \t", "> ", ">", "> > ",
    "- ", "* ", "+ ", "-\t", "1. ", "2. ", "10. ", "1) ", "- - ", "  - ", "    - ", "   - ",
    "- > ", "> - ", "- [ ] ", "# ", "## ", "| ", "1.\t", "- \t- ", "-     ", "\xa0", "\ufeff",
    "   > ", "1. - ", "  2. ",
]  # fmt: skip
FENCES = ["```", "```", "```", "````", "~~~", "~~~~", "`````", "``", "```~", "~~~`", "``` `"]
INFOS = [
    "", "", "", "py", "python x", "mermaid", "Mermaid", " mermaid ", 'a"><img src=x onerror=x>',
    "a$x$", "a\\\"", 'x" onx="', "{.py}", "a`b", "@@0@@", "a&quot;b", "<b>", "~~~", "$",
    "merm\\aid", "mer&#109;aid", "c++",
]  # fmt: skip
WHOLE = [
    "---", "***", "===", "-----", "| a | b |\n|---|---|", "|-|-|", "a | b\n-|-", "[a]: {u}",
    "[a]: {u} \"t\"", "[a]: {u}\n\"t", "[a]:\n{u}", "[a\nb]: {u}", "[a\n\nb]: {u}", "[^1]: x",
    "[a]: <{u}>", "[a", "b]: {u}", "\"", "t\" x", "<!--", "[a]: {u} '", "[a]: {u} (", "    code",
    "\tcode", "* * *", "- - -", "(t)",
]  # fmt: skip
WORDS = ["a", "b", "word", "x1", "foo bar", "é", "中文", "\U0001f600", "\ud800", "http", "i < j"]
BREAKS = [
    *["\n"] * 12, *["\n\n"] * 6, "\r", "\r\n", "\r\n\r\n", "\n \n", "\n\t\n", "\n   \n", "\u2028",
    "\u2029", "\x0b", "\x0c", "\x85", "\n\xa0\n", "\n\n\n", "\x00", "\\\n", "  \n", "\n\u2028\n",
]  # fmt: skip


class Hostile:
    """Random texts that look like Markdown more often than not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        pick = self.random
        lines = []
        weights = [pick.random() ** 2 for _ in range(5)]
        for _ in range(pick.randint(1, pick.choice([3, 8, 16]))):
            kind = pick.choices(range(5), weights)[0]
            start = pick.choice(STARTS)
            if kind == 0:
                line = start + pick.choice(FENCES) + pick.choice(INFOS)
            elif kind == 1:
                line = start + self.block(start)
            elif kind == 2:
                line = start + pick.choice(WHOLE).replace("{u}", pick.choice(SCHEMES))
            else:
                line = start + self.inline(pick.randint(1, 8))
            lines += [line, pick.choice(BREAKS)]
        return "".join(lines)

    def block(self, start: str) -> str:
        pick = self.random
        inside = "".join(c if c in " \t>" else " " for c in start)
        run = pick.choice(["```", "```", "~~~", "````"])
        lines = [run + pick.choice(INFOS)]
        for _ in range(pick.randint(0, 4)):
            lines.append(
                pick.choice([inside, inside, inside, ""]) + self.inline(pick.randint(0, 3))
            )
        if pick.random() < 0.8:
            lines.append(pick.choice([inside, inside, inside, "", " ", "    "]) + run)
        return "\n".join(lines)

    def inline(self, count: int) -> str:
        return "".join(self.atom() for _ in range(count))

    def atom(self) -> str:
        pick = self.random
        kind = pick.randrange(12)
        if kind == 0:
            return pick.choice(PAYLOADS)
        if kind == 1:
            return pick.choice(["", "!", "!!", "\\!"]) + f"[{self.inline(1)}]({self.destination()})"
        if kind == 2:
            return pick.choice(["`{}`", "`{}`", "``{}``", "`` {} ``", "` {}`"]).format(
                self.inline(1)
            )
        if kind == 3:
            return pick.choice(SCHEMES)
        if kind == 4:
            return pick.choice(MATH)
        if kind in (5, 6):
            return pick.choice(MARKS)
        if kind == 7:
            return "`" + pick.choice(WORDS) + pick.choice(PAYLOADS) + "`"
        if kind == 8:
            return pick.choice(["*{}*", "**{}**", "~~{}~~", "_{}_", "[{}]", "~{}~", "${}$"]).format(
                self.inline(2)
            )
        return pick.choice([" ", "", " "]) + pick.choice(WORDS) + pick.choice([" ", "", " "])

    def destination(self) -> str:
        pick = self.random
        title = pick.choice(
            ["", "", "", ' "t"', " 't'", " (t)", '\n"t"', ' "$"onx="$"', ' "`"', ' "a\nb"', ' "']
        )
        return pick.choice(["", "", "", " ", "\n", "\t"]) + pick.choice(SCHEMES) + title


def unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def lab() -> list[str]:
    """The command that renders texts as Lab does; installed once into a cache folder."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        unavailable("node and npm are needed")
    files = ("package.json", "package-lock.json")
    key = hashlib.sha256(b"".join((HERE / f).read_bytes() for f in files) + RENDERMIME.encode())
    root = os.environ.get("GEMINI_MAGIC_TEST_CACHE")
    base = Path(root) if root else Path.home() / ".cache" / "gemini_magic_tests"
    cache = base / f"marked_fuzz-{key.hexdigest()[:16]}"
    latex = cache / "latex.mjs"
    if not latex.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copy(HERE / name, cache / name)
        try:
            run = {
                "cwd": cache,
                "check": True,
                "capture_output": True,
                "text": True,
                "timeout": 300,
            }
            subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], **run)  # type: ignore[call-overload]
            subprocess.run([npm, "pack", "--ignore-scripts", RENDERMIME], **run)  # type: ignore[call-overload]
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            unavailable(f"npm could not install: {error} {error.stderr}")
        with tarfile.open(next(cache.glob("jupyterlab-rendermime-*.tgz"))) as archive:
            member = archive.extractfile("package/lib/latex.js")
            assert member is not None
            source = member.read()
        latex.write_bytes(source)
    assert hashlib.sha256(latex.read_bytes()).hexdigest() == LATEX_SHA256
    shutil.copy(HERE / "fuzz.mjs", cache / "fuzz.mjs")
    return [node, str(cache / "fuzz.mjs"), str(latex)]


#: A text, whether it may show images, and the lengths of its pieces (without them it is whole).
Sample: TypeAlias = tuple[str, bool] | tuple[str, bool, tuple[int, ...]]


def dangers(command: list[str], texts: Sequence[Sample]) -> list[tuple[int, str]]:
    """What Lab would make of `texts` that no trusted cell should contain: (index, what).

    And where pieces look otherwise than the whole.
    """
    done = subprocess.run(
        command, input=json.dumps(texts), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [(index, problem) for index, problem in json.loads(done.stdout)]


@pytest.mark.slow
def test_the_harness_sees_danger(lab: list[str]) -> None:
    """Unsanitised texts: each kind of danger is noticed, so silence below means something."""
    bad = [
        "<script>alert(1)</script>", "a <b>b</b>", "![x](https://a.example/x.png)",
        "[a](javascript:x)", '```a"><img src=x>\nb\n```', 'https://a.example/$"onx="$',
        "```mermaid\nx\n```", "[a](/files/x)", '[a](https://a.example "$"onx="$")',
        "[a\n\nb]: javascript:x\n\n[a b]",
    ]  # fmt: skip
    seen = {index for index, _ in dangers(lab, [(text, False) for text in bad])}
    assert seen == set(range(len(bad)))


@pytest.mark.slow
def test_nothing_dangerous_survives(lab: list[str]) -> None:
    hostile = Hostile(SEED)
    raw = [(hostile.text(), i % 8 == 0) for i in range(TEXTS)]
    safe = [(sanitise(text, allow_remote_images=images), images) for text, images in raw]
    problems = dangers(lab, safe)
    report = [
        f"{problem}\n  text: {raw[i][0]!r}\n  safe: {safe[i][0]!r}" for i, problem in problems[:5]
    ]
    assert not problems, f"{len(problems)} problems, seed {SEED}\n" + "\n".join(report)


#: What models write, and what a cut must not come between.
PLAIN = [
    "A paragraph with *words*, `code`, $x_1$ and [a link](https://a.example).\nIt goes on.",
    "## A title", "Title\n-----", "- one\n- two\n  more", "- one\n\n- two\n\n  more",
    "1. one\n2. two", "3. three", "* star\n    * deep", "- [ ] task", "    indented", "\tindented",
    "   three spaces", "> quote\n> more", "> quote\nlazy", "| a | b |\n|---|---|\n| 1 | 2 |",
    "a | b\n--|--\n1 | 2", "```python\nx = '$'\n\n\ny = '$'\n```", "  ```\n  x\n  ```",
    "- x\n  ```\n  y\n  ```", "~~~\nx\n~~~~", "```\nx\n  ```", "```\nx\n`````", "$$\na\n$$",
    "\\\\(x\\\\) and \\\\[y\\\\]", "$", "$a", "b$", "***", "---", "* * *",
    "\\begin{a}\nx\n\\end{a}", "<b>bold</b>", "![x](https://a.example/x.png)", "x[0]: int", "[x]",
    "`a", "b`", "-", "1.", "# same", "# same", "\U0001f30a", "a\\", "  \n",
    "[a]: https://a.example", "[a]",
]  # fmt: skip


@pytest.mark.slow
def test_the_harness_sees_a_cut_that_shows(lab: list[str]) -> None:
    texts = [
        "- a\n\n- b\n",
        "a\nb\n",
        "[a]\n\n[a]: https://a.example\n",
        "```\n\nx\n```\n",
        "a\n\n  b",
    ]
    cut: list[Sample] = [(text, False, (text.index("\n") + 1,)) for text in texts]
    assert {index for index, _ in dangers(lab, cut)} == {0, 1, 2, 3}


@pytest.mark.slow
def test_pieces_look_like_the_whole_and_are_as_harmless(lab: list[str]) -> None:
    hostile = Hostile(SEED + 1)
    pick = hostile.random
    texts: list[Sample] = []
    for _ in range(TEXTS // 5):
        parts = [
            pick.choice(PLAIN) if pick.random() < 0.6 else hostile.text()
            for _ in range(pick.randint(2, 16))
        ]
        images = pick.random() < 0.1
        sanitiser = Sanitiser(allow_remote_images=images, least=1)
        sanitiser.feed(
            "".join(part + pick.choice(["\n\n"] * 4 + ["\n", "\n\n\n"]) for part in parts)
        )
        markdown, blocks = sanitiser.cleaned()
        texts.append((markdown, images, blocks))
    assert sum(len(one[2]) for one in texts if len(one) == 3) > len(texts)
    problems = dangers(lab, texts)
    report = [f"{problem[:2000]}\n  cut at {texts[i]!r}" for i, problem in problems[:5]]
    assert not problems, f"{len(problems)} problems, seed {SEED}\n" + "\n".join(report)
