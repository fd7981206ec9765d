"""Export in JupyterLab: the menu of nbconvert's doors, and the tabs of ``%gemini code``."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

import pytest

from tests.browser.conftest import picture
from tests.browser.hostile import PAYLOADS
from tests.browser.lab import Lab, Notebook
from tests.wire import GoogleServer

pytestmark = pytest.mark.browser

DOORS = ["Gemini_curl", "Gemini_node", "Gemini_openai", "Gemini_python"]


def test_the_menu_lists_the_targets(lab: Lab, opened: Callable[..., Notebook]) -> None:
    notebook = opened("topic = 'light'", "%%gemini\nExplain {{ topic }}", name="menu")
    notebook.save()
    page = notebook.page
    page.locator(".lm-MenuBar-item", has_text="File").first.click()
    page.locator(".lm-Menu-item", has_text="Save and Export Notebook As").hover()
    found = page.locator(".lm-Menu").last.locator(".lm-Menu-item")
    found.filter(has_text="Gemini_python").wait_for()
    labels = [label.strip() for label in found.all_inner_texts()]
    assert [label for label in labels if label.startswith("Gemini")] == DOORS
    picture(page, "export-menu")
    with page.context.expect_page() as caught:
        found.filter(has_text="Gemini_python").click()
    address = caught.value.url
    caught.value.close()
    assert "/nbconvert/gemini_python/menu.ipynb" in address or address in ("", "about:blank")
    with urllib.request.urlopen(
        f"{lab.url}/nbconvert/gemini_python/menu.ipynb?download=true&token={lab.token}"
    ) as answer:
        text = answer.read().decode("utf-8")
    assert 'f"Explain {topic}"' in text and "get_ipython" not in text


def test_get_code(opened: Callable[..., Notebook], google: GoogleServer) -> None:
    hostile = "\n".join(PAYLOADS.values())
    notebook = opened(f"%%gemini --raw --quiet\n{hostile}", "%gemini code")
    for index in (1, 2):
        notebook.run(index)
        notebook.wait_idle()
    cell = notebook.cell(2)
    tabs = cell.locator(".lm-TabBar-tabLabel")
    tabs.first.wait_for()
    assert tabs.all_inner_texts() == [
        "Python (genai)", "Python (openai)", "Node (genai)", "Node (openai)", "curl"
    ]  # fmt: skip
    field = cell.locator("textarea").first
    first = field.input_value()
    assert "google-genai" in first and "<script" in first
    cell.locator("button", has_text="Copy").first.click()
    cell.get_by_role("status").first.wait_for()
    notebook.page.wait_for_function("() => document.activeElement.tagName === 'TEXTAREA'")
    picture(notebook.page, "get-code")
    tabs.nth(4).click()
    picture(notebook.page, "get-code-curl")
    assert notebook.witness.report == [], notebook.witness.report
