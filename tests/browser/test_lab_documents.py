"""The Lab extension's ways in and out: export, import, migration, and the guard on save."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import picture
from tests.browser.lab import KEY, Lab, Notebook
from tests.wire import Answer, GoogleServer

pytestmark = pytest.mark.browser

#: For everything that waits: the machine may be busy with other things.
LONG = 60_000

IMAGES = Path(__file__).parents[2] / "docs" / "images"

#: A key of a shape that is known, and of no service.
SECRET = "AIza" + "SyQ8w3e5r7t9y1u2i4o6p8a0s2d4f6g8h0j"

PROMPT = {
    "runSettings": {"temperature": 0.5, "model": "models/gemini-2.5-flash"},
    "systemInstruction": {},
    "chunkedPrompt": {
        "chunks": [
            {"text": "When is high water?", "role": "user"},
            {"text": "At **noon**.", "role": "model", "finishReason": "STOP"},
        ],
        "pendingInputs": [{"text": "And low water?", "role": "user"}],
    },
}

OLD = """\
import google.generativeai as genai

genai.configure(api_key="unused")
model = genai.GenerativeModel("gemini-2.5-flash")
print(model.generate_content("When is high water?").text)
tuned = genai.list_tuned_models()
"""


#: What a screen reader calls what is focused, more or less.
NAME_OF_FOCUS = """() => {
  const at = document.activeElement;
  return at.ariaLabel || at.labels?.[0]?.innerText || at.innerText;
}"""


@pytest.fixture
def page(lab: Lab, pages: Callable[[int], Page]) -> Iterator[Page]:
    """A page of Lab with nothing open, no side bar and no dialog."""
    page = pages(0)
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    yield page
    while (left := page.locator(".jp-Dialog")).count():
        left.first.get_by_role("button").last.press("Escape")
    page.evaluate(
        """() => {
          for (const widget of [...jupyterapp.shell.widgets('main')]) widget.dispose();
          jupyterapp.shell.collapseLeft();
          jupyterapp.commands.execute('apputils:dismiss-notification');
        }"""
    )
    lab.close_kernels()


def notebook(lab: Lab, page: Page, name: str, *cells: str) -> Notebook:
    made = Notebook(lab, page, lab.write(name, *cells), kernel=False)
    page.wait_for_function("() => jupyterapp.shell.currentWidget?.context?.isReady")
    return made


def dialog(page: Page, title: str) -> Locator:
    found = page.locator(".jp-Dialog", has=page.locator(".jp-Dialog-header", has_text=title))
    found.wait_for()
    return found


def execute(page: Page, command: str, **args: str) -> None:
    """Execute a command of Lab and wait until it is done."""
    page.evaluate(
        "async ([name, args]) => { await jupyterapp.commands.execute(name, args) }", [command, args]
    )


def begin(page: Page, command: str, **args: str) -> None:
    """Execute a command that asks something."""
    page.evaluate("([name, args]) => { jupyterapp.commands.execute(name, args) }", [command, args])


def press(at: Locator | Page, name: str) -> None:
    at.get_by_role("button", name=name, exact=True).click()


def notified(page: Page, text: str) -> Locator:
    toast = page.locator(".Toastify__toast", has_text=text)
    toast.first.wait_for()
    return toast.first


def pictures(page: Page, name: str) -> None:
    """Keep how it looks in both themes."""
    for theme, suffix in (("JupyterLab Dark", "-dark"), ("JupyterLab Light", "")):
        execute(page, "apputils:change-theme", theme=theme)
        light = "false" if suffix else "true"
        page.locator(f"body[data-jp-theme-light='{light}']").wait_for(state="attached")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        made = picture(page, f"lab-{name}{suffix}")
        if os.environ.get("GEMINI_MAGIC_TEST_SCREENSHOTS"):
            shutil.copy(made, IMAGES / made.name)


def files_of(page: Page) -> Locator:
    """The file browser's list, as it is now."""
    page.evaluate(
        """async () => {
          await jupyterapp.commands.execute('filebrowser:activate');
          await jupyterapp.commands.execute('filebrowser:refresh');
        }"""
    )
    return page.locator(".jp-DirListing-content")


def choose(page: Page, file: str, entry: str) -> None:
    """Choose an entry of a file's context menu."""
    item = files_of(page).locator(
        ".jp-DirListing-item", has_text=re.compile(rf"^{re.escape(file)}")
    )
    item.first.click(button="right")
    page.locator(".lm-Menu-item", has_text=entry).click()


def drop(page: Page, path: Path, onto: Locator) -> None:
    """Drop a file of the machine, as a hand does."""
    box = onto.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + min(box["height"] - 3, 60)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()


# --- export ---


def test_export_dialog_to_a_script_that_runs(lab: Lab, page: Page, google: GoogleServer) -> None:
    made = notebook(lab, page, "tides", "topic = 'x'", "%%gemini\nExplain {{ topic }}")
    made.set_source(0, "topic = 'the tides'")  # in the editor alone
    page.locator(".jp-NotebookPanel-toolbar [data-command='gemini-magic:export']").click()
    asked = dialog(page, "tides.ipynb")
    code = asked.get_by_role("region", name="Preview of tides.py")
    expect(code).to_contain_text("topic = 'the tides'")
    expect(code).to_contain_text("google-genai")
    expect(code.locator("span").first).to_be_visible()  # it is coloured
    pictures(page, "export")
    target = asked.get_by_label("Target")
    expect(target).to_be_focused()
    reached = []
    while not reached or "Target" not in reached[-1]:  # round once, by the keyboard alone
        page.keyboard.press("Tab")
        reached.append(page.evaluate(NAME_OF_FOCUS))
        assert len(reached) < 20, reached
    for name in ("try again", "Files", "Folder", "Preview of tides.py", "Cancel", "Export"):
        assert any(name in one for one in reached), (name, reached)
    target.select_option("curl")
    expect(asked.get_by_role("region", name="Preview of tides.sh")).to_contain_text("curl ")
    target.select_option("python-genai")
    asked.get_by_role("checkbox", name="try again").check()
    expect(code).to_contain_text("retry")
    press(asked, "Export")
    asked.wait_for(state="detached")
    script = lab.root / "tides.py"
    page.locator(".jp-FileEditor .cm-content", has_text="Exported from tides.ipynb").wait_for()
    google.set_script(Answer(text="They come and go."))
    env = {**os.environ, "GEMINI_API_KEY": KEY}
    ran = subprocess.run(
        [sys.executable, script], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "They come and go."), ran.stderr
    assert "Explain the tides" in google.generate_calls[0].body.decode()


def test_export_asks_before_it_replaces_and_packs_all_programs(
    lab: Lab, page: Page, google: GoogleServer
) -> None:
    notebook(lab, page, "again", "%%gemini\nHello")
    (lab.root / "again.py").write_text("mine\n")
    page.locator(".lm-MenuBar-item", has_text="File").first.click()
    page.locator(".lm-Menu-item", has_text="Export as a Program…").wait_for()
    picture(page, "lab-file-menu")
    page.locator(".lm-Menu-item", has_text="Export as a Program…").click()
    asked = dialog(page, "again.ipynb")
    asked.get_by_role("region", name="Preview of again.py").wait_for()
    press(asked, "Export")
    expect(asked.get_by_role("status")).to_contain_text("again.py is there already")
    assert (lab.root / "again.py").read_text() == "mine\n"
    press(asked, "Replace")
    asked.wait_for(state="detached")
    assert "google-genai" in (lab.root / "again.py").read_text()

    begin(page, "gemini-magic:export", path="again.ipynb")
    asked = dialog(page, "again.ipynb")
    asked.get_by_role("region", name="Preview of again.py").wait_for()
    asked.get_by_role("radio", name="ZIP file").check()
    expect(asked.get_by_role("textbox", name="ZIP file")).to_have_value("again.zip")
    asked.get_by_role("textbox", name="ZIP file").press("Enter")
    asked.wait_for(state="detached")
    names = zipfile.ZipFile(lab.root / "again.zip").namelist()
    assert {"python/again.py", "curl/again.sh"} <= set(names)


def test_export_to_a_branch_shows_what_it_would_commit(
    lab: Lab, page: Page, google: GoogleServer
) -> None:
    folder = lab.root / "repository"
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    for words in (
        ["init", "-q", str(folder)],
        ["-C", str(folder), "config", "user.name", "Ada"],
        ["-C", str(folder), "config", "user.email", "ada@example.org"],
    ):
        subprocess.run(["git", *words], check=True, env=env)
    notebook(lab, page, "branch", "%%gemini\nHello")
    begin(page, "gemini-magic:export")
    asked = dialog(page, "branch.ipynb")
    asked.get_by_role("region", name="Preview of branch.py").wait_for()
    asked.get_by_role("radio", name="Git branch").check()
    asked.get_by_role("textbox", name="Repository").fill("repository")
    press(asked, "Export")
    expect(asked.get_by_role("region", name="Changes of the commit")).to_contain_text("branch.py")
    log = ["git", "-C", str(folder), "log", "--format=%s", "gemini-export"]
    assert subprocess.run(log, env=env, capture_output=True, check=False).returncode != 0
    press(asked, "Commit")
    asked.wait_for(state="detached")
    assert "branch.ipynb" in subprocess.run(log, env=env, capture_output=True, text=True).stdout


# --- import ---


def test_import_from_the_file_browser(lab: Lab, page: Page) -> None:
    (lab.root / "High water. A chat").write_text(json.dumps(PROMPT))
    choose(page, "High water. A chat", "Open AI Studio Prompt")
    page.locator(".jp-Notebook .jp-Cell", has_text="When is high water?").first.wait_for()
    expect(page.locator(".jp-Notebook .jp-OutputArea strong").first).to_have_text("noon")
    notified(page, "1 notebook was imported")
    pictures(page, "import")


def test_what_is_no_prompt_is_told(lab: Lab, page: Page) -> None:
    (lab.root / "list.txt").write_text("milk\n")
    choose(page, "list.txt", "Open AI Studio Prompt")
    asked = dialog(page, "“list.txt” was not imported")
    assert asked.locator(".jp-Dialog-body").inner_text().strip()
    asked.locator(".jp-Dialog-button").click()


def test_a_dropped_prompt_is_uploaded_and_offered(lab: Lab, page: Page, tmp_path: Path) -> None:
    for name, text in (("Dropped chat", json.dumps(PROMPT)), ("plain.txt", "just a text")):
        (tmp_path / name).write_text(text)
        drop(page, tmp_path / name, files_of(page))
        page.locator(".jp-DirListing-item", has_text=name).wait_for()
        assert (lab.root / name).read_text() == text  # Lab's own upload
    toast = notified(page, "“Dropped chat” looks like a prompt")
    assert page.locator(".Toastify__toast", has_text="plain.txt").count() == 0
    press(toast, "Open as notebook")
    page.locator(".jp-Notebook .jp-Cell", has_text="When is high water?").first.wait_for()


def test_a_prompt_dropped_onto_a_notebook(lab: Lab, page: Page, tmp_path: Path) -> None:
    (tmp_path / "Onto").write_text(json.dumps(PROMPT))
    (tmp_path / "words").write_text("just words")
    made = notebook(lab, page, "target", "a = 1")
    cell = made.cell(0).locator(".cm-content")
    drop(page, tmp_path / "words", cell)  # what Lab does with it: its text, where it falls
    expect(cell).to_contain_text("just words")
    drop(page, tmp_path / "Onto", cell)
    asked = dialog(page, "Open “Onto” as a notebook?")
    press(asked, "Open as notebook")
    page.locator(".jp-Notebook .jp-Cell", has_text="When is high water?").first.wait_for()
    assert (lab.root / "Onto").is_file()
    execute(page, "docmanager:open", path="target.ipynb")
    assert "high water" not in "".join(made.sources())


# --- migration ---


def test_migration_is_shown_and_applied(lab: Lab, page: Page) -> None:
    old = lab.root / "old.py"
    old.write_text(OLD)
    execute(page, "docmanager:open", path="old.py")
    editor = page.locator(".jp-FileEditor .cm-content")
    editor.wait_for()
    choose(page, "old.py", "Migrate to google-genai")
    view = page.locator(".jp-gemini-Migration")
    changes = view.get_by_role("region", name="Changes of old.py")
    expect(changes.locator(".jp-mod-added").first).to_contain_text("from google import genai")
    expect(changes.locator(".jp-mod-removed").first).to_contain_text("google.generativeai")
    verdicts = view.get_by_role("region", name="Verdicts")
    expect(verdicts.locator("tr.jp-mod-left")).to_contain_text("line 6")
    verdicts.get_by_role("button", name="line 1", exact=True).first.click()
    expect(changes.locator(".jp-mod-current")).to_contain_text("import google.generativeai")
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    pictures(page, "migrate")
    view.get_by_role("checkbox", name="Side by side").check()
    row = changes.locator("tr", has_text="import google.generativeai").first
    expect(row).to_contain_text("from google import genai")
    pictures(page, "migrate-beside")
    assert old.read_text() == OLD
    press(view, "Apply")
    expect(view.get_by_role("status")).to_contain_text("Applied")
    assert "from google import genai" in old.read_text()
    expect(editor).to_contain_text("from google import genai")
    press(view, "Close")
    view.wait_for(state="detached")


def test_a_migration_sees_what_is_not_saved_and_what_changes_meanwhile(
    lab: Lab, page: Page
) -> None:
    old = lab.root / "open.py"
    old.write_text(OLD)
    execute(page, "docmanager:open", path="open.py")
    editor = page.locator(".jp-FileEditor .cm-content")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("print('typed')\n")
    begin(page, "gemini-magic:migrate-openai")
    press(dialog(page, "“open.py” has unsaved changes"), "Save")
    view = page.locator(".jp-gemini-Migration")
    view.locator(".jp-mod-added", has_text="from openai import OpenAI").first.wait_for()
    assert "typed" in old.read_text()
    old.write_text(OLD.replace("high", "low"))
    press(view, "Apply")
    expect(view.locator(".jp-gemini-Question")).to_contain_text("was changed meanwhile")
    assert "generativeai" in old.read_text()
    press(view, "Apply")
    expect(view.get_by_role("status")).to_contain_text("Applied")
    assert "low water" in old.read_text() and "OpenAI" in old.read_text()


def test_a_notebook_s_migration_is_shown_by_cell_and_left(lab: Lab, page: Page) -> None:
    lines = OLD.splitlines()
    path = lab.write("cells", "\n".join(lines[:3]), "\n".join(lines[3:]))
    before = path.read_text("utf-8")
    begin(page, "gemini-magic:migrate-google", path="cells.ipynb")
    view = page.locator(".jp-gemini-Migration")
    view.get_by_role("button", name="cell 2, line 1", exact=True).first.click()
    expect(view.locator(".jp-mod-current")).to_contain_text("genai.GenerativeModel")
    press(view, "Cancel")
    view.wait_for(state="detached")
    assert path.read_text("utf-8") == before


# --- the guard ---


class Guarded:
    """A notebook with a key in it, and what is asked of the server."""

    def __init__(self, lab: Lab, page: Page, name: str, *cells: str) -> None:
        self.notebook = notebook(lab, page, name, *cells)
        self.page = page
        self.asked: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        path = request.url.split("?")[0]
        if path.endswith(self.notebook.path.name) and request.method == "PUT":
            self.asked.append("save")
        elif "/gemini-magic/api/secrets/" in path:
            self.asked.append(path.rsplit("/", 1)[1])

    def leave(self) -> None:
        self.page.remove_listener("request", self._note)

    def save(self) -> None:
        """As a user does."""
        self.page.keyboard.press("Control+s")

    def question(self) -> Locator:
        return dialog(self.page, f"A key is in “{self.notebook.path.name}”")

    def wait_saved(self, holds: str, lacks: str = "nothing of it", again: bool = False) -> None:
        """Wait until that is in the file; ``again`` and again ask for a save.

        Lab does not save while its last save is not wholly done.
        """
        deadline = time.monotonic() + LONG / 1000
        while True:
            text = self.notebook.path.read_text("utf-8")
            if holds in text and lacks not in text:
                return
            assert time.monotonic() < deadline, (self.asked, text)
            if again:
                self.save()
            self.page.wait_for_timeout(200)


@pytest.fixture
def guarded(lab: Lab, page: Page) -> Iterator[Callable[..., Guarded]]:
    made: list[Guarded] = []

    def open_it(name: str, *cells: str) -> Guarded:
        made.append(Guarded(lab, page, name, "x = 1"))
        for index, text in enumerate(cells):
            made[-1].notebook.set_source(index, text)
        made[-1].notebook.cell(0).locator(".cm-content").click()
        return made[-1]

    yield open_it
    for one in made:
        one.leave()


def test_a_key_is_redacted(guarded: Callable[..., Guarded]) -> None:
    it = guarded("redact", f'key = "{SECRET}"')
    it.save()
    asked = it.question()
    expect(asked).to_contain_text("cell 1, line 1")
    assert SECRET not in asked.inner_text()
    pictures(it.page, "guard")
    press(asked, "Redact")
    asked.wait_for(state="detached")
    it.wait_saved("key = ", SECRET)
    assert SECRET not in it.notebook.sources()[0] and "key = " in it.notebook.sources()[0]
    assert it.asked[:3] == ["scan", "redact", "save"]
    it.page.keyboard.press("Control+z")  # nothing is lost
    it.page.wait_for_function(
        "secret => jupyterapp.shell.currentWidget.content.model.cells.get(0)"
        ".sharedModel.getSource().includes(secret)",
        arg=SECRET,
    )


def test_a_key_is_saved_anyway_and_asked_for_once(guarded: Callable[..., Guarded]) -> None:
    it = guarded("anyway", f'key = "{SECRET}"')
    it.save()
    press(it.question(), "Save anyway")
    it.wait_saved(SECRET)
    it.notebook.set_source(0, f'key = "{SECRET}"  # once more')
    it.wait_saved("once more", again=True)
    assert it.page.locator(".jp-Dialog").count() == 0
    badge = it.page.get_by_role("button", name="1 key in this notebook")
    badge.wait_for()
    badge.click()  # it can still be taken out
    press(it.question(), "Redact")
    badge.wait_for(state="hidden")
    assert SECRET not in it.notebook.path.read_text("utf-8")


def test_a_key_is_moved_to_the_keyring(lab: Lab, guarded: Callable[..., Guarded]) -> None:
    it = guarded("move", f'key = "{SECRET}"')
    it.save()
    asked = it.question()
    expect(asked.get_by_label("Name in the keyring")).to_have_value("gemini")
    asked.get_by_label("Name in the keyring").fill("work")
    press(asked, "Move to keyring")
    told = dialog(it.page, "The key is still there")  # there is no keyring
    told.locator(".jp-Dialog-button").click()
    kept = lab.home / "keyring.json"
    kept.write_text("{}")
    try:
        asked = it.question()
        asked.get_by_label("Name in the keyring").fill("work")
        press(asked, "Move to keyring")
        asked.wait_for(state="detached")
        it.wait_saved("key = ", SECRET)
        [(name, value)] = json.loads(kept.read_text()).items()
        assert name.endswith("work") and value == SECRET
        assert "work" in it.notebook.sources()[0] and "keyring" in it.notebook.sources()[0]
    finally:
        kept.unlink()


def test_whoever_leaves_the_question_saves_nothing(guarded: Callable[..., Guarded]) -> None:
    it = guarded("leave", f'key = "{SECRET}"')
    for _ in range(2):
        it.save()
        asked = it.question()
        it.save()  # no second question
        assert it.page.locator(".jp-Dialog").count() == 1
        it.page.keyboard.press("Escape")
        asked.wait_for(state="detached")
    assert it.asked == ["scan", "scan"]
    assert SECRET not in it.notebook.path.read_text("utf-8")
    assert SECRET in it.notebook.sources()[0]


def test_autosave_is_not_held_up(guarded: Callable[..., Guarded]) -> None:
    it = guarded("autosave", f'key = "{SECRET}"')
    # What Lab's timer calls.
    it.page.evaluate("async () => { await jupyterapp.shell.currentWidget.context.save() }")
    assert SECRET in it.notebook.path.read_text("utf-8")
    assert it.page.locator(".jp-Dialog").count() == 0
    toast = notified(it.page, "autosave.ipynb” was saved with a key in it")
    it.page.get_by_role("button", name="1 key in this notebook").wait_for()
    assert SECRET not in toast.inner_text()
    pictures(it.page, "guard-autosave")
    press(toast, "Look")
    press(it.question(), "Redact")
    it.page.get_by_role("button", name="1 key in this notebook").wait_for(state="hidden")
    assert SECRET not in it.notebook.path.read_text("utf-8")


def test_a_key_in_an_output(
    lab: Lab, page: Page, opened: Callable[..., Notebook], guarded: Callable[..., Guarded]
) -> None:
    it = guarded("output", "x = 1")
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    it.notebook.set_source(0, f"print('AI' + '{SECRET[2:]}')\nprint('kept')")
    it.notebook.run(0)
    it.save()
    asked = it.question()
    expect(asked).to_contain_text("cell 1, its output")
    press(asked, "Redact")
    asked.wait_for(state="detached")
    it.wait_saved("kept", SECRET)
    shown = it.notebook.outputs(0)
    expect(shown).to_contain_text("kept")
    assert SECRET not in shown.inner_text()


def test_nothing_is_asked_where_there_is_no_key(guarded: Callable[..., Guarded]) -> None:
    it = guarded("clean", "x = 2  # FAQ. hf_ sk-learn")
    it.save()
    it.wait_saved("x = 2")
    assert it.asked[0] == "save", it.asked
    assert it.page.locator(".jp-Dialog").count() == 0


def test_saving_goes_on_without_the_server_s_routes(guarded: Callable[..., Guarded]) -> None:
    it = guarded("alone", f'key = "{SECRET}"')
    it.page.route("**/gemini-magic/api/**", lambda route: route.fulfill(status=404, body="none"))
    try:
        it.save()
        it.wait_saved(SECRET)
        assert it.page.locator(".jp-Dialog").count() == 0
    finally:
        it.page.unroute("**/gemini-magic/api/**")


def test_the_guard_can_be_turned_off(guarded: Callable[..., Guarded]) -> None:
    it = guarded("off", f'key = "{SECRET}"')
    name = it.notebook.path.name
    execute(it.page, "settingeditor:open", query="Gemini documents")
    guard = it.page.get_by_label("Guard on save")
    guard.uncheck()
    picture(it.page, "lab-settings")
    execute(it.page, "docmanager:open", path=name)
    left = it.page.locator(".jp-Dialog")
    deadline = time.monotonic() + LONG / 1000
    while SECRET not in it.notebook.path.read_text("utf-8"):  # settings take a moment
        assert time.monotonic() < deadline
        if left.count():
            it.page.keyboard.press("Escape")
        it.save()
        it.page.wait_for_timeout(500)
    while left.count():
        it.page.keyboard.press("Escape")
    execute(it.page, "settingeditor:open", query="Gemini documents")
    guard.check()
    execute(it.page, "docmanager:open", path=name)
    while not left.count():
        assert time.monotonic() < deadline
        it.save()
        it.page.wait_for_timeout(500)
    it.page.keyboard.press("Escape")


def test_a_notebook_that_is_saved_as_it_is_closed_is_asked_for(
    page: Page, guarded: Callable[..., Guarded]
) -> None:
    it = guarded("closed", f'key = "{SECRET}"')
    for answer in ("Don’t save", "Redact"):
        begin(page, "application:close")
        press(dialog(page, "Save your work"), "Save")
        asked = it.question()
        assert SECRET not in it.notebook.path.read_text("utf-8")
        press(asked, answer)
        asked.wait_for(state="detached")
        if answer == "Don’t save":  # it stays open
            assert SECRET in it.notebook.sources()[0]
            assert it.asked == ["scan"]
    it.wait_saved("key = ", SECRET)
    page.locator(".jp-NotebookPanel").wait_for(state="detached")


def test_save_all_asks_for_the_notebook_with_a_key_and_saves_the_others(
    lab: Lab, page: Page, guarded: Callable[..., Guarded]
) -> None:
    it = guarded("with", f'key = "{SECRET}"')
    clean = lab.write("without", "x = 1")
    execute(page, "docmanager:open", path=clean.name)
    page.wait_for_function(
        """() => jupyterapp.shell.currentWidget?.context?.path === 'without.ipynb' &&
          jupyterapp.shell.currentWidget.context.isReady"""
    )
    set_first = "text => jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel" + (
        ".setSource(text)"
    )
    for answer, changed in (("Don’t save", "x = 2"), ("Redact", "x = 3")):
        page.evaluate(set_first, changed)
        begin(page, "docmanager:save-all")
        asked = it.question()  # of the notebook that is not in front
        assert changed not in clean.read_text("utf-8"), "saved before the answer"
        press(asked, answer)
        asked.wait_for(state="detached")
        deadline = time.monotonic() + LONG / 1000
        while changed not in clean.read_text("utf-8"):
            assert time.monotonic() < deadline
            page.wait_for_timeout(200)
        assert SECRET not in it.notebook.path.read_text("utf-8")
        assert page.locator(".jp-Dialog").count() == 0
        if answer == "Don’t save":
            assert "key = " not in it.notebook.path.read_text("utf-8")
    it.wait_saved("key = ", SECRET)


def test_what_another_front_end_saves_is_told(
    lab: Lab, page: Page, guarded: Callable[..., Guarded]
) -> None:
    it = guarded("elsewhere", "x = 1")
    lab.save(it.notebook.path, f'key = "{SECRET}"')
    toast = notified(page, "elsewhere.ipynb” was saved with a key in it")
    assert SECRET not in toast.inner_text()
    badge = page.get_by_role("button", name="1 key in this notebook")
    badge.wait_for()
    press(toast, "Look")
    notified(page, "something else saved it")
    lab.save(it.notebook.path, "x = 3")
    badge.wait_for(state="hidden")
