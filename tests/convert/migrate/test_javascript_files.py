"""JavaScript projects as files: several that know each other, package.json, pages, ZIP files."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from gemini_magic.cli import main
from gemini_magic.convert.migrate import files
from gemini_magic.convert.migrate.javascript import files as javascript
from gemini_magic.convert.migrate.job import Options
from tests.convert.migrate.test_javascript_rules import HTTP

OPENAI = ["--to", "openai", "--base-url", "https://p.example/v1"]
LENDER = """\
import { GoogleGenerativeAI } from "@google/generative-ai";
export const genAI = new GoogleGenerativeAI(process.env.KEY);
export const getModel = () => genAI.getGenerativeModel({ model: "x" });
"""
USER = """\
import { getModel, genAI as g } from "../lib/gemini.js";
export async function ask(prompt: string) {
  const result = await getModel().generateContent(prompt);
  const other = g.getGenerativeModel({ model: "y" });
  return result.response.text() + (await other.generateContent("z")).response.text();
}
"""
PACKAGE = """\
{
  "name": "a",
  "dependencies": { "react": "^19", "@google/generative-ai": "^0.21.0" },
  "devDependencies": {"vite": "^6"}
}
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name, text in {
        "lib/gemini.ts": LENDER,
        "services/ask.ts": USER,
        "services/other.ts": 'const response = await fetch("/lib/gemini");\nresponse.text();\n',
        "package.json": PACKAGE,
        "node_modules/x/index.js": LENDER,
        "dist/index.js": LENDER,
        "data.json": PACKAGE,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8", newline="")
    return tmp_path


def run(*words: object) -> int:
    try:
        return main(["migrate", *map(str, words)]) or 0
    except SystemExit as end:
        return int(end.code or 0)


def test_files_know_each_other(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "--write") == 0
    assert "0 assisted" in capsys.readouterr().err
    assert (app / "lib/gemini.ts").read_text() == (
        'import { GoogleGenAI } from "@google/genai";\n'
        f"export const genAI = new GoogleGenAI({{ apiKey: process.env.KEY, {HTTP} }});\n"
        'export const getModel = () => ({ ai: genAI, model: "x" });\n'
    )
    made = (app / "services/ask.ts").read_text()
    assert "ai.models.generateContent({ model, config, contents: prompt }))(getModel())" in made
    assert 'const other = { ai: g, model: "y" };' in made
    assert '(result.text ?? "")' in made
    for name in ("services/other.ts", "node_modules/x/index.js", "dist/index.js", "data.json"):
        assert "genai" not in (app / name).read_text()
    assert run(app, "--check") == 0


def test_files_know_each_other_to_openai(app: Path) -> None:
    assert run(app, "--write", *OPENAI) == 0
    lender = (app / "lib/gemini.ts").read_text()
    assert 'import OpenAI from "openai";' in lender
    assert "dangerouslyAllowBrowser: true" in lender  # vite, and no server
    made = (app / "services/ask.ts").read_text()
    assert "chat.completions.create(chatRequest({ model, config, contents: prompt }))" in made
    assert 'messages: [{ role: "user", content: "z" }]' in made
    assert '(result.choices[0].message.content ?? "")' in made
    assert '"react": "^19", "openai": "^' in (app / "package.json").read_text()
    assert run(app, "--check", *OPENAI) == 0


def test_the_diff_and_the_report(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app) == 0
    shown = capsys.readouterr()
    assert '+import { GoogleGenAI } from "@google/genai";' in shown.out
    assert "3 of 4 files would change" in shown.err
    assert run(app, "--report", "json", "--check") == 1
    rows = {Path(row["path"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert [place["rule"] for place in rows["package.json"]["places"]] == ["dependency"]
    assert rows["package.json"]["places"][0]["line"] == 3
    assert {place["rule"] for place in rows["gemini.ts"]["places"]} == {"import", "client", "model"}
    assert not rows["other.ts"]["changed"]


@pytest.mark.parametrize(
    ("before", "to", "after"),
    [
        ('{"dependencies":{"@google/generative-ai":"0.24.1"}}', "google-genai",
         '{"dependencies":{"@google/genai":"^3.1.0"}}'),
        ('{"dependencies":{"@google/genai":"1","@google/generative-ai":"0.24.1", "x": "1"}}',
         "google-genai", '{"dependencies":{"@google/genai":"1","x": "1"}}'),
        ('{"dependencies":{"@google/genai":"1",\n "@google/generative-ai":"0.24.1"\n}}', "openai",
         '{"dependencies":{"openai":"^7.57.0"\n}}'),
        ('\ufeff{"devDependencies":{"@google/genai":"1"}}\r\n', "openai",
         '\ufeff{"devDependencies":{"openai":"^7.57.0"}}\r\n'),
        ('{"dependencies":{"@google/genai":"1"}}', "google-genai",
         '{"dependencies":{"@google/genai":"1"}}'),
        ('{"keywords":["@google/generative-ai"]}', "google-genai",
         '{"keywords":["@google/generative-ai"]}'),
    ],
)  # fmt: skip
def test_package_json(before: str, to: str, after: str) -> None:
    made = javascript.migrate(before, Path("package.json"), Options(to=to)).text
    assert made == after
    json.loads(made.removeprefix("\ufeff"))


PAGE = """\
<!doctype html>
<!-- <script>import "@google/generative-ai"</script> -->
<script type="importmap">
{
  "imports": {
    "react": "https://esm.sh/react@19",
    "@google/genai": "https://esm.sh/@google/genai@^1.9.0",
    "@google/generative-ai": "https://esm.run/@google/generative-ai"
  }
}
</script>
<p>@google/generative-ai</p>
<script type="module">
  import { GoogleGenerativeAI } from "@google/generative-ai";
  const model = new GoogleGenerativeAI(k).getGenerativeModel({ model: "x" });
</script>
<script type="text/x-template">import "@google/generative-ai"</script>
"""


def test_pages() -> None:
    made = javascript.migrate(PAGE, Path("index.html"))
    assert made.text == PAGE.replace(
        ',\n    "@google/generative-ai": "https://esm.run/@google/generative-ai"', ""
    ).replace('{ GoogleGenerativeAI } from "@google/generative-ai"',
              '{ GoogleGenAI } from "@google/genai"').replace(
        'new GoogleGenerativeAI(k).getGenerativeModel({ model: "x" })', '{ model: "x" }'
    )  # fmt: skip
    assert [place.line for place in made.places] == [8, 14, 15, 15]
    again = javascript.migrate(PAGE, Path("index.html"), Options("https://p.example", to="openai"))
    assert '"openai": "https://esm.sh/openai@^7.57.0"\n' in again.text
    assert 'import OpenAI from "openai";' in again.text
    broken = PAGE.replace('"imports"', "imports")
    with pytest.raises(Exception, match="its import map is no JSON"):
        javascript.migrate(broken, Path("index.html"))


VITE = """\
export default defineConfig(({ mode }) => ({
  define: {
    'process.env.API_KEY': JSON.stringify(env.GEMINI_API_KEY),
    'process.env.GEMINI_API_KEY': JSON.stringify(env.GEMINI_API_KEY)
  },
}));
"""


def test_the_configuration_of_vite() -> None:
    options = Options("https://p.example/v1", to="openai", key_env="PROXY_KEY")
    path = Path("vite.config.ts")
    made = javascript.migrate(VITE, path, options).text
    line = "    'process.env.API_KEY'"
    new = "    'process.env.PROXY_KEY': JSON.stringify(env.PROXY_KEY),\n"
    assert made == VITE.replace(line, new + line)
    assert javascript.migrate(made, path, options).text == made
    assert javascript.migrate(VITE, path, Options(to="openai")).text == VITE
    assert javascript.migrate(VITE, path).text == VITE


def archive(**names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in names.items():
            made.writestr(name, text)
    return held.getvalue()


def test_zip_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "app.zip"
    held = {"lib/gemini.ts": LENDER, "services/ask.ts": USER, "package.json": PACKAGE,
            "metadata.json": "{}", "vite.config.ts": VITE, "a.png": "\udcff".encode("utf-8",
            "surrogateescape").decode("latin-1")}  # fmt: skip
    path.write_bytes(archive(**held))
    assert run(path, *OPENAI) == 0
    shown = capsys.readouterr()
    assert f"+++ {path}[lib/gemini.ts]" in shown.out
    assert run(path, *OPENAI, "--write") == 0
    with zipfile.ZipFile(path) as made:
        assert made.namelist() == list(held)
        texts = {name: made.read(name).decode() for name in held}
    assert "dangerouslyAllowBrowser" in texts["lib/gemini.ts"]
    assert "chatRequest" in texts["services/ask.ts"]
    assert "env.OPENAI_API_KEY" in texts["vite.config.ts"]
    assert texts["metadata.json"] == "{}"
    assert texts["a.png"] == held["a.png"]
    assert run(path, *OPENAI, "--check") == 0


@pytest.mark.parametrize("name", ["../a.js", "/a.js", "C:\\a.js"])
def test_hostile_zip_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / "app.zip"
    path.write_bytes(archive(**{name: LENDER}))
    found = files.migrate(path)
    assert found.error is not None
    assert "refused" in found.error.what
    path.write_bytes(b"PK\3\4" + b"x" * 50)
    assert files.migrate(path).error is not None


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    old = tmp_path / "old.js"
    old.write_bytes("// é\n".encode("latin-1"))  # names no SDK: whatever it is, it is left alone
    assert files.migrate(old).error is None
    binary = tmp_path / "binary.js"
    binary.write_bytes(b'"@google/generative-ai"\0')
    open_ = tmp_path / "open.ts"
    open_.write_text('import "@google/generative-ai"; f(')
    for path, what in ((binary, "it is binary"), (open_, "cannot be read as JavaScript")):
        error = files.migrate(path).error
        assert error is not None
        assert what in error.what
    (tmp_path / "package.json").write_text('{"@google/generative-ai": ')
    error = files.migrate(tmp_path / "package.json").error
    assert error is not None
    assert "no JSON" in error.what
    with pytest.raises(Exception, match="neither a program of Python or JavaScript"):
        files.find([str(tmp_path / "x.css")] if (tmp_path / "x.css").touch() is None else [])


@pytest.mark.skipif(os.name == "nt", reason="modes are the file system's")
def test_bytes_and_modes_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.mjs"
    path.write_bytes(b"\xef\xbb\xbf#!/usr/bin/env node\r\n" + LENDER.replace("\n", "\r\n").encode())
    path.chmod(0o755)
    assert run(path, "--write") == 0
    made = path.read_bytes()
    assert made.startswith(b"\xef\xbb\xbf#!/usr/bin/env node\r\n")
    assert made.count(b"\r\n") == made.count(b"\n")
    assert path.stat().st_mode & 0o777 == 0o755
