"""What JupyterLab's editor knows of a ``%%gemini`` cell: colours, help, completion, its tools."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OUTPUT, picture
from tests.browser.lab import Lab, Notebook
from tests.browser.test_quota import THEME, THEMED
from tests.wire import Answer, GoogleServer, OpenAIServer

pytestmark = pytest.mark.browser

#: Drawn anew where GEMINI_MAGIC_TEST_SCREENSHOTS is set.
IMAGES = Path(__file__).parents[2] / "docs" / "images"
#: What the editor and the server may take on a loaded machine, in milliseconds.
PATIENCE = 60_000

PROMPT = """\
%%gemini -m gemini-2.5-flash --temperature 0.2
# Tides at {{ harbour.name }}

A **short** table for `{{ day:%d.%m. }}`, as this program has it, and no \\{{ more }}:

```python
def height(t: float) -> str:
    return f"{t:.1f} m at {{ harbour.name }}"
```"""
CODE = "x = 1\nreply = %gemini -m gemini-2.5-flash Hello"

PROXY_KEY = "sk-TESTKEYtestkeyTESTKEYtestkey0123456789"
PROXY = """
[backends.proxy]
kind = "openai"
base_url = "{url}/v1"
key_env = "PROXY_KEY"
models = {{ "gpt-5-mini" = "gpt-5-mini", "gemini-2.5-flash" = "gemini-2.5-flash" }}
"""


@pytest.fixture
def proxy(lab: Lab, google: GoogleServer) -> Iterator[OpenAIServer]:
    """A second backend beside Google's."""
    keys = lab.root / ".env"
    keys.write_text(f"PROXY_KEY={PROXY_KEY}\n")
    keys.chmod(0o600)
    with OpenAIServer(key=PROXY_KEY) as server:
        lab.configure(google.url, PROXY.format(url=server.url))
        yield server
    keys.unlink()
    assert not server.errors, server.errors


def words(notebook: Notebook, index: int, kind: str) -> Locator:
    """What is drawn as this in a cell's editor."""
    return notebook.cell(index).locator(f".cm-content .jp-gemini-{kind}")


def colours(notebook: Notebook, index: int) -> dict[str, str]:
    """The texts of a cell's editor, each with its colour."""
    found: dict[str, str] = notebook.cell(index).evaluate(
        """cell => {
          const found = {};
          const walk = document.createTreeWalker(cell.querySelector('.cm-content'), 4);
          while (walk.nextNode()) {
            const node = walk.currentNode;
            found[node.data.trim()] = getComputedStyle(node.parentElement).color;
          }
          return found;
        }"""
    )
    return found


def coloured(notebook: Notebook, index: int, word: str, like: str) -> None:
    """Wait until a word of a cell has the colour that the theme gives to such words."""
    notebook.page.wait_for_function(
        """([index, word, like]) => {
          const content = document.querySelector(
            `.jp-Notebook .jp-Cell[data-windowed-list-index='${index}'] .cm-content`);
          const walk = document.createTreeWalker(content, 4);
          const probe = document.createElement('span');
          probe.style.color = `var(--jp-mirror-editor-${like}-color)`;
          document.body.append(probe);
          const wanted = getComputedStyle(probe).color;
          probe.remove();
          while (walk.nextNode()) {
            const node = walk.currentNode;
            if (node.data.trim() === word)
              return getComputedStyle(node.parentElement).color === wanted;
          }
        }""",
        arg=[index, word, like],
        timeout=PATIENCE,
    )


def themed(notebook: Notebook, dark: bool) -> None:
    notebook.page.evaluate(THEME, dark)
    notebook.page.wait_for_function(THEMED, arg=dark, timeout=PATIENCE)


def keep(notebook: Notebook, name: str) -> None:
    """A picture for ``docs/images``, as it is now and in the dark theme beside it."""
    for dark in (True, False):
        themed(notebook, dark)
        picture(notebook.page, f"{name}-dark" if dark else name)
    if os.environ.get("GEMINI_MAGIC_TEST_SCREENSHOTS"):
        for end in ("", "-dark"):
            shutil.copy(OUTPUT / f"{name}{end}.png", IMAGES / f"{name}{end}.png")


def button(notebook: Notebook) -> Locator:
    return notebook.page.locator("[data-command='gemini-magic:cell-tools']:visible")


def menu(notebook: Notebook) -> Locator:
    return notebook.page.locator(".jp-gemini-CellMenu")


def source(notebook: Notebook, index: int, text: str) -> None:
    """Wait until a cell has this text."""
    notebook.page.wait_for_function(
        """([index, text]) => jupyterapp.shell.currentWidget.content.widgets[index]
          .model.sharedModel.getSource() === text""",
        arg=[index, text],
        timeout=PATIENCE,
    )


def test_a_prompt_has_the_colours_of_its_parts(opened: Callable[..., Notebook]) -> None:
    notebook = opened(PROMPT, CODE, "plain = 1", name="tides")
    themed(notebook, False)
    coloured(notebook, 1, "%%gemini", "keyword")
    coloured(notebook, 1, "-m", "attribute")
    coloured(notebook, 1, "--temperature", "attribute")
    coloured(notebook, 1, "gemini-2.5-flash", "string-2")
    coloured(notebook, 1, "0.2", "number")
    coloured(notebook, 1, "Tides at", "header")
    coloured(notebook, 1, "def", "keyword")
    coloured(notebook, 1, "name", "property")  # {{ harbour.name }} is Python
    expect(words(notebook, 1, "Placeholder")).to_have_text(
        ["{{ harbour.name }}", "{{ day:%d.%m. }}", "{{ harbour.name }}"], timeout=PATIENCE
    )
    # One line of Python stays Python.
    coloured(notebook, 2, "1", "number")
    expect(words(notebook, 2, "Magic")).to_have_text("%gemini")
    expect(words(notebook, 2, "Model").first).to_contain_text("gemini")
    expect(words(notebook, 2, "Placeholder")).to_have_count(0)
    keep(notebook, "lab-cell")


def test_colours_follow_the_text(opened: Callable[..., Notebook]) -> None:
    notebook = opened("*one* = 1", "")
    themed(notebook, False)
    prompt = notebook.cell(1).locator(".jp-gemini-Prompt")
    expect(prompt).to_have_count(0)
    notebook.select(1)
    notebook.command("notebook:enter-edit-mode")
    notebook.cell(1).locator(".cm-content").click()
    keys = notebook.page.keyboard
    keys.press("Control+Home")
    keys.insert_text("# why\n\n%%gemini\n")
    expect(prompt).to_have_count(1)
    coloured(notebook, 1, "# why", "comment")
    keys.press("ArrowUp")
    keys.press("Home")
    keys.press("Delete")
    expect(prompt).to_have_count(0)
    # Lab takes back what was typed within half a second as one step.
    keys.press("Control+z")
    notebook.page.wait_for_function(
        "() => !jupyterapp.shell.currentWidget.content.widgets[1]"
        ".model.sharedModel.getSource().includes('\\n%gemini')",
        timeout=PATIENCE,
    )
    expect(prompt).to_have_count(int("%%gemini" in notebook.sources()[1]))
    keys.press("Control+Shift+z")
    source(notebook, 1, "# why\n\n%gemini\n*one* = 1")
    expect(prompt).to_have_count(0)
    keys.insert_text("%")
    expect(prompt).to_have_count(1)
    # What the kernel is told of the cell did not change.
    assert notebook.save()["cells"][1]["metadata"] == {}


def test_help_where_the_mouse_rests(opened: Callable[..., Notebook]) -> None:
    notebook = opened(PROMPT)
    themed(notebook, False)
    coloured(notebook, 1, "--temperature", "attribute")
    notebook.select(1)
    tip = notebook.page.locator(".jp-gemini-Hover")
    cell = notebook.cell(1)
    for word, said in (
        ("--temperature", ["--temperature", "randomness"]),
        ("gemini-2.5-flash", ["gemini-2.5-flash", "studio", "answers in text"]),
    ):
        rests(notebook, cell.get_by_text(word, exact=True), tip)
        for one in said:
            expect(tip).to_contain_text(one)
        if word == "gemini-2.5-flash":
            picture(notebook.page, "lab-hover")
        notebook.page.mouse.move(640, 780)
        expect(tip).to_have_count(0, timeout=PATIENCE)
    assert notebook.witness.errors == []


def rests(notebook: Notebook, word: Locator, tip: Locator) -> None:
    """Let the mouse rest on a word until there is help; a slow page may miss a first try."""
    for _ in range(20):
        notebook.page.mouse.move(640, 780)
        word.hover()
        try:
            tip.wait_for(timeout=3_000)
            return
        except Exception:
            continue
    raise AssertionError("no help came")


def test_completion_in_the_first_line(opened: Callable[..., Notebook]) -> None:
    notebook = opened("", "")
    box = notebook.page.locator(".jp-Completer:not(.lm-mod-hidden)")
    notebook.type_in(1, "%%gemini --temp")
    expect(notebook.cell(1).locator(".jp-gemini-Prompt")).to_have_count(1)
    notebook.page.keyboard.press("Tab")
    expect(box.locator(".jp-Completer-match")).to_have_text(["--temperature"], timeout=PATIENCE)
    picture(notebook.page, "lab-completion")
    notebook.page.keyboard.press("Enter")
    source(notebook, 1, "%%gemini --temperature")


def test_the_tools_are_on_prompts_alone(opened: Callable[..., Notebook]) -> None:
    notebook = opened("%%gemini\nhello", "x = 1")
    notebook.select(2)
    expect(notebook.cell(2).locator(".jp-cell-toolbar")).to_be_visible(timeout=PATIENCE)
    expect(button(notebook)).to_have_count(0)
    visible = "id => jupyterapp.commands.isVisible(id)"
    assert not notebook.page.evaluate(visible, "gemini-magic:show-as-code")
    notebook.select(1)
    expect(button(notebook)).to_have_count(1, timeout=PATIENCE)
    assert notebook.page.evaluate(visible, "gemini-magic:show-as-code")
    notebook.set_source(1, "hello = 1")
    expect(button(notebook)).to_have_count(0, timeout=PATIENCE)


def test_a_prompt_runs_on_another_backend(
    opened: Callable[..., Notebook], google: GoogleServer, proxy: OpenAIServer
) -> None:
    google.set_script(Answer(text="from Google"))
    proxy.set_script(Answer(text="from the proxy"))
    prompt = "%%gemini -m gemini-2.5-flash --fresh\nWho are you?"
    notebook = opened(prompt, name="tides-elsewhere")
    themed(notebook, False)
    notebook.run(1)
    outputs = notebook.cell(1).locator(".jp-OutputArea")
    expect(outputs).to_contain_text("from Google", timeout=PATIENCE)
    notebook.select(1)
    button(notebook).click()
    items = menu(notebook).locator("[role='menuitem']")
    expect(items.filter(has_text="Run on proxy")).to_have_count(1, timeout=PATIENCE)
    keep(notebook, "lab-cell-tools")
    # The keyboard is in the menu.
    chosen = menu(notebook).locator(".lm-mod-active")
    for _ in range(10):
        if "proxy" in chosen.inner_text():
            break
        notebook.page.keyboard.press("ArrowDown")
    notebook.page.keyboard.press("Enter")
    asked = "%%gemini -m proxy:gemini-2.5-flash --fresh\nWho are you?"
    source(notebook, 1, asked)
    expect(outputs).to_contain_text("from the proxy", timeout=PATIENCE)
    assert len(proxy.generate_calls) == len(google.generate_calls) == 1
    notebook.wait_idle(60)
    # One step back, as anything that was typed.
    notebook.cell(1).locator(".cm-content").click()
    notebook.page.keyboard.press("Control+z")
    source(notebook, 1, prompt)


def test_a_prompt_as_code(opened: Callable[..., Notebook], google: GoogleServer) -> None:
    notebook = opened(
        "day = 'Monday'",
        "%%gemini\nSomething else",
        "%%gemini\nThe tides of {{ day }}",
        "late = 1",
        name="tides-as-code",
    )
    themed(notebook, False)
    notebook.select(3)
    start(notebook, "gemini-magic:show-as-code")
    dialog = notebook.page.locator(".jp-Dialog")
    program = dialog.get_by_role("region", name="Program")
    expect(program).to_contain_text("The tides of {day}", timeout=PATIENCE)
    expect(program).to_contain_text("day = 'Monday'")
    for other in ("Something else", "late = 1"):
        assert other not in program.inner_text()
    keep(notebook, "lab-code")
    language = dialog.get_by_label("Language and SDK")
    assert language.evaluate("node => node === document.activeElement")
    titles = language.locator("option").all_inner_texts()
    assert len(titles) == 5, titles
    language.select_option("curl")
    expect(program).to_contain_text("#!/usr/bin/env bash", timeout=PATIENCE)
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    notebook.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert google.requests == []


def test_a_prompt_compares_models(
    opened: Callable[..., Notebook], google: GoogleServer, proxy: OpenAIServer
) -> None:
    notebook = opened("%%gemini -m proxy:gpt-5-mini --temperature 1\nWho are you?")
    notebook.select(1)
    start(notebook, "gemini-magic:compare-models")
    dialog = notebook.page.locator(".jp-Dialog")
    insert = dialog.get_by_role("button", name="Insert", exact=True)
    expect(insert).to_be_disabled(timeout=PATIENCE)
    expect(dialog.get_by_label("proxy:gpt-5-mini", exact=True)).to_be_checked()
    dialog.get_by_label("proxy:gemini-2.5-flash", exact=True).check()
    expect(insert).to_be_enabled()
    picture(notebook.page, "lab-compare")
    insert.click()
    expect(dialog).to_have_count(0)
    compared = "proxy:gpt-5-mini,proxy:gemini-2.5-flash"
    source(notebook, 1, f"%%gemini --compare {compared} --temperature 1\nWho are you?")
    assert google.requests == [] and proxy.generate_calls == []


def start(notebook: Notebook, command: str) -> None:
    """Execute a command without waiting for the dialog that it shows."""
    notebook.page.evaluate("id => { jupyterapp.commands.execute(id) }", command)
