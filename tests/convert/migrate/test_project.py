"""Models that one file makes and another one uses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemini_magic.convert.migrate import files
from gemini_magic.convert.migrate.job import Options
from tests.convert.migrate.recorder import Recorder

BEGIN = 'import google.generativeai as genai\ngenai.configure(api_key="k")\n'
MODEL = BEGIN + 'model = genai.GenerativeModel("m", system_instruction="s")\n'


def migrated(
    folder: Path,
    texts: Mapping[str, str],
    to: str = "google-genai",
    base_url: str | None = None,
) -> dict[str, str]:
    """The new texts; what was left or assisted is below, in comments."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    paths = files.find([str(folder)])
    options = Options(base_url, files.project(paths), to=to)
    made = {}
    for path in paths:
        file = files.migrate(path, options)
        assert file.error is None
        told = [f"# {one.verdict}: {one.text}\n" for one in file.places if one.verdict != "done"]
        made[path.relative_to(folder).as_posix()] = file.new.decode() + "".join(told)
    return made


@pytest.mark.parametrize(
    ("imported", "name"),
    [
        ("from llm import model\n", "model"),
        ("from llm import model as m\n", "m"),
        ("import llm\n", "llm.model"),
        ("import llm as other\n", "other.model"),
    ],
)
def test_a_model_is_one_thing_in_both_files(tmp_path: Path, imported: str, name: str) -> None:
    new = migrated(
        tmp_path,
        {"llm.py": MODEL, "main.py": imported + f"print({name}.generate_content('x').text)\n"},
    )
    assert 'model = {\n    "model": "m",\n' in new["llm.py"]
    assert f"client.models.generate_content(contents='x', **{name}).text or \"\"" in new["main.py"]
    assert "from llm import client\n" in new["main.py"]
    assert "TODO" not in new["main.py"]


def test_alone_it_stays_two_names(tmp_path: Path) -> None:
    new = migrated(tmp_path, {"llm.py": MODEL, "main.py": "import llm\n"})
    assert 'model = "m"\nmodel_config = ' in new["llm.py"]
    assert new["main.py"] == "import llm\n"


def test_functions_that_return_models_chats_and_answers(tmp_path: Path) -> None:
    new = migrated(tmp_path, {
        "llm.py": MODEL + "def get():\n    return genai.GenerativeModel('p')\n"
        "def talk():\n    return model.start_chat()\n"
        "def ask(x):\n    return model.generate_content(x)\n",
        "main.py": "from llm import get, talk, ask\n"
        "print(get().count_tokens('x').total_tokens)\n"
        "for c in talk().send_message('x', stream=True):\n    print(c.text)\n"
        "print(ask('x').text)\n",
    })  # fmt: skip
    assert "(chosen := get())[\"model\"], contents='x')" in new["main.py"]
    assert "talk().send_message_stream('x')" in new["main.py"]
    assert "print(ask('x').text or \"\")" in new["main.py"]


def test_packages_relative_imports_and_what_is_handed_on(tmp_path: Path) -> None:
    new = migrated(tmp_path, {
        "pkg/__init__.py": "from .core import model\n",
        "pkg/core.py": MODEL,
        "pkg/use.py": "from .core import model\nfrom . import core\n"
        "model.generate_content('a')\ncore.model.generate_content('b')\n",
        "main.py": "from pkg import model\nmodel.generate_content('c')\n",
    })  # fmt: skip
    assert "contents='a', **model)" in new["pkg/use.py"]
    assert "contents='b', **core.model)" in new["pkg/use.py"]
    assert "contents='c', **model)" in new["main.py"]
    assert "from .core import client\n" in new["pkg/use.py"]


def test_a_notebook_that_imports_one(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
            "source": "import llm\nllm.model.generate_content('x')"}  # fmt: skip
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    new = migrated(tmp_path, {"llm.py": MODEL, "n.ipynb": json.dumps(document)})
    assert "client.models.generate_content(contents='x', **llm.model)" in new["n.ipynb"]


def test_what_cannot_be_resolved_is_marked(tmp_path: Path) -> None:
    new = migrated(tmp_path, {
        "llm.py": MODEL + "class Bot:\n    def __init__(self):\n        self.model = model\n",
        "main.py": "from llm import Bot\nBot().model.generate_content('x')\n",
    })  # fmt: skip
    assert "# TODO(gemini-magic): Bot().model has to be a dict" in new["main.py"]


def test_files_that_import_each_other_or_cannot_be_read(tmp_path: Path) -> None:
    new = migrated(tmp_path, {
        "a.py": BEGIN + "import b\nmodel = genai.GenerativeModel('m')\n",
        "b.py": "import a\na.model.generate_content('x')\n",
        "c.py": "import d\nd.model.generate_content('x')\n",
        "d.py": "print 1\n",
    })  # fmt: skip
    assert "contents='x', **a.model)" in new["b.py"]
    assert new["c.py"].startswith("import d\nd.model") and new["d.py"] == "print 1\n"


def test_to_openai(tmp_path: Path) -> None:
    new = migrated(tmp_path, {
        "llm.py": MODEL + "def ask(x):\n    return model.generate_content(x)\n",
        "main.py": "from llm import model, ask\nprint(ask('x').text)\n"
        "model.generate_content('y')\n",
    }, "openai")  # fmt: skip
    assert "ask('x').choices[0].message.content or \"\"" in new["main.py"]
    assert "client.chat.completions.create(**chat_request(model, 'y'))" in new["main.py"]
    assert "from llm import client\n" in new["main.py"]


@pytest.mark.slow
def test_the_migrated_files_run_together(tmp_path: Path) -> None:
    with Recorder() as recorder:
        new = migrated(tmp_path, {
            "llm.py": MODEL + "def get():\n    return genai.GenerativeModel('p')\n",
            "main.py": "from llm import model, get\n"
            "print(model.generate_content('a', generation_config={'temperature': 0}).text)\n"
            "print(get().start_chat().send_message('b').text)\n",
        }, base_url=recorder.url)  # fmt: skip
        assert not any("# left" in text for text in new.values())
        for name, text in new.items():
            (tmp_path / name).write_text(text)
        done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True,
                              text=True, timeout=60)  # fmt: skip
        assert done.stdout == 'answer to "a"\nanswer to "b"\n', done.stderr
        first, second = recorder.requests
    assert first.path.endswith("/models/m:generateContent")
    assert first.json["generationConfig"] == {"temperature": 0}
    assert first.json["systemInstruction"]["parts"] == [{"text": "s"}]
    assert second.path.endswith("/models/p:generateContent")
