"""Files, pictures, sound, tools and schemas in a real kernel: every option, every interrupt."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic.option_table import OPTIONS
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.windows import day
from tests.kernels import Executed, Kernel
from tests.notebook.media_values import bomb, picture, wav
from tests.wire import Answer, Call, Fault, Picture, Printed, Program

pytestmark = pytest.mark.kernel

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
TALKS, DRAWS, SPEAKS = (
    f"google:gemini-{name}" for name in ("2.5-flash", "3.1-flash-image", "3.8-flash-tts")
)
PROXY_DRAWS = "proxy:gpt-image-2.5-flare"
CAT = picture("PNG", (64, 48))
TOOLS = """
import asyncio, time
def slow(n: int) -> str:
    'Waits.'
    time.sleep(30)
    return 'slept'
async def slow_async(n: int) -> str:
    'Waits.'
    await asyncio.sleep(30)
    return 'slept'
def lookup(city: str) -> dict:
    'The weather.'
    return {'city': city, 'sky': '<b>clear</b>'}
"""


class Two(SimpleNamespace):
    """The servers of both wires, and where the ledger is."""

    google: Any
    proxy: Any
    home: Path

    def counted(self) -> list[int]:
        """The requests that are counted of each stream today, whatever came of them."""
        store = SqliteStore(self.home / "data" / "ledger.db")
        try:
            scopes = {scope for scope, _ in store.history("")}
            return [store.totals({scope}, day(store.now())).requests for scope in sorted(scopes)]
        finally:
            store.close()


@pytest.fixture
def two(google_server, openai_server, configure, home: Path, monkeypatch) -> Two:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TEST_KEY", KEY)
    made = Two(google=google_server(key=KEY), proxy=openai_server(key=KEY), home=home)
    made.configure = lambda more="": configure(
        f"""
        [settings]
        model = "{TALKS}"
        retries = 0
        [backends.google]
        kind = "google"
        base_url = "{made.google.url}"
        key_env = "TEST_KEY"
        project = "mine"
        [backends.proxy]
        kind = "openai"
        base_url = "{made.proxy.url}"
        key_env = "TEST_KEY"
        {more}
        """
    )
    made.configure()
    return made


def shown(done: Executed) -> list[str]:
    """What the cell shows, in its order: each output's richest type."""
    assert done.status == "ok", done.error
    return [next(iter(one["data"])) for one in done.outputs if "data" in one]


def sent(server: Any) -> dict[str, Any]:
    body: dict[str, Any] = server.generate_calls[-1].json
    return body


# --- what comes ----------------------------------------------------------------------------------


def test_pictures_are_drawn_saved_bound_and_used_again(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(items=["One: ", Picture(CAT), "two: ", Picture(picture("JPEG"))]))
    options = "--size 2K --aspect 16:9 --seed 3 --save out/here --out got"
    done = kernel.run(f"%%gemini -m {DRAWS} {options}\nA ../../cat")
    assert shown(done) == [
        "text/markdown", "image/png", "text/markdown", "image/jpeg", "text/plain",
    ]  # fmt: skip
    assert "2 pictures · saved in out/here/" in done.text
    files = sorted(path.name for path in Path("out/here").iterdir())
    assert [name.split("-", 3)[3] for name in files] == ["a-cat-1.png", "a-cat-2.jpg"]
    assert not list(Path.cwd().parent.glob("cat*"))
    assert kernel.value("(_ is got, [i.size for i in _.images], len(_.media))") == (
        True, [(64, 48), (32, 20)], 2,
    )  # fmt: skip
    settings = sent(two.google)["generationConfig"]
    assert settings["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "2K"}
    assert settings["seed"] == 3
    two.google.set_script(Answer(pictures=[Picture(CAT)]))
    kernel.run(f"%%gemini -m {DRAWS}\nMake it night: {{{{ _ }}}}")
    parts = sent(two.google)["contents"][-1]["parts"]
    assert [next(iter(part)) for part in parts] == ["text", "inlineData", "text", "inlineData"]
    kernel.run(f"%%gemini -m {DRAWS}\nMake it day: {{{{ got.images[0] }}}}")
    assert len(sent(two.google)["contents"][-1]["parts"]) == 2
    said = kernel.value(
        "__import__('gemini_magic.notebook.saving').notebook.saving.read_metadata("
        f"__import__('pathlib').Path('out/here/{files[0]}'))"
    )
    assert (said["prompt"], said["seed"], said["backend"]) == ("A ../../cat", 3, "google")


def test_a_reply_with_pictures_is_shown_again(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(items=["One.", Picture(CAT)]))
    done = kernel.run(f"x = %gemini -m {DRAWS} --quiet cat")
    assert done.status == "ok" and done.outputs == []
    assert len(list(Path("gemini_outputs").iterdir())) == 1
    for cell in ("x", "%gemini last", "x"):
        assert shown(kernel.run(cell)) == ["text/markdown", "image/png", "text/plain"]
    assert kernel.value("repr(x)") == f"<Reply 'One.' · 1 media · {DRAWS} · STOP>"
    assert shown(kernel.run(f"x = %gemini -m {DRAWS} cat\nx"))[-2:] == ["image/png", "text/plain"]
    done = kernel.run("%gemini gallery")
    assert shown(done) == ["text/html"] and done.outputs[0]["data"]["text/html"].count("<img") == 2
    assert kernel.run("%gemini gallery nowhere").ename == "UsageError"


def test_pictures_of_an_images_api(two: Two, kernel: Kernel) -> None:
    two.proxy.set_script(Answer(pictures=[Picture(CAT), Picture(CAT)]))
    done = kernel.run(f"%%gemini -m {PROXY_DRAWS} -n 2 --size 1024x1024 --quality high\ncat")
    assert shown(done) == ["image/png", "image/png", "text/plain"]
    assert two.proxy.requests[-1].path == "/v1/images/generations"
    assert json.loads(two.proxy.requests[-1].body)["n"] == 2
    kernel.run(f"%%gemini -m {PROXY_DRAWS}\nMake it night: {{{{ _.images[0] }}}}")
    assert two.proxy.requests[-1].path == "/v1/images/edits"


def test_sound_is_played_and_saved(two: Two, kernel: Kernel) -> None:
    raw = Picture(b"\1\0" * 4_000, "audio/L16;codec=pcm;rate=24000")
    two.google.set_script(Answer(items=[raw]))
    done = kernel.run(f"%%gemini -m {SPEAKS} --voice Kore\nSay hello")
    assert shown(done) == ["text/html", "text/plain"]
    assert done.outputs[0]["data"]["text/html"].startswith("<audio controls")
    (file,) = Path("gemini_outputs").iterdir()
    assert file.suffix == ".wav" and file.read_bytes().startswith(b"RIFF")


def test_files_and_pictures_go_along(two: Two, kernel: Kernel) -> None:
    Path("cat.txt").write_bytes(CAT)  # the content says what it is
    Path("notes.md").write_text("# Tides")
    Path("hi.wav").write_bytes(wav())
    two.google.set_script(Answer(text="seen"))
    kernel.run("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})")
    done = kernel.run(
        "%%gemini -i cat.txt --max-pixels 100 -f notes.md -f hi.wav --media-resolution low\n"
        "Look at {{ df }}, please"
    )
    assert shown(done) == ["text/markdown", "text/plain"]
    parts = sent(two.google)["contents"][-1]["parts"]
    kinds = [
        part["inlineData"].get("mimeType") or part["inlineData"]["mime_type"]
        for part in parts
        if "inlineData" in part
    ]
    assert "image/png" in kinds and "audio/wav" in kinds
    assert "# Tides" in json.dumps(parts)
    requests = len(two.google.requests)
    for cell in (
        "%%gemini --file http://127.0.0.1:1/x.png\nwhat",
        "%%gemini --image notes.md\nwhat",
        "%%gemini --file nowhere.pdf\nwhat",
    ):
        done = kernel.run(cell)
        assert done.status == "error" and "nothing was sent" in done.error, done.error
    assert len(two.google.requests) == requests


def test_a_chat_keeps_its_pictures(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(items=["Here: ", Picture(CAT)]))
    kernel.run(f"%%gemini -m {DRAWS} --chat art\nA cat", cell_id="a")
    kernel.run(f"%%gemini -m {DRAWS} --chat art\nMake it night", cell_id="b")
    contents = sent(two.google)["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert any("inlineData" in part for part in contents[1]["parts"])


def test_schemas_and_forms(two: Two, kernel: Kernel) -> None:
    misfit, fit = '{"name": 1}', '{"name": "Ann", "age": 3}'
    two.google.set_script([Answer(text=misfit), Answer(text=fit)])
    done = kernel.run("%%gemini --schema 'name, age int' --repair --out got\nWho?")
    assert shown(done) == ["text/plain", "text/plain", "application/json", "text/plain"]
    assert done.texts()[:2] == [misfit, "this does not fit the schema; asked once more"]
    assert kernel.value("(got.parsed['age'], len(got.notices))")[0] == 3
    two.google.set_script(Answer(text=misfit))
    done = kernel.run("%%gemini --schema 'name, age int' -o got\nWho?")
    assert (done.status, done.ename) == ("error", "Unfit")
    assert "application/json" not in done.outputs[0]["data"]  # the raw text, and why
    assert done.texts()[0] == misfit and "name" in done.error
    assert kernel.value("(_ is got, got.text, got.parsed)") == (True, misfit, None)
    done = kernel.run("%%gemini --schema 'name, age int' --as df\nWho?")
    assert done.ename == "Unfit" and "text/html" not in done.outputs[0]["data"]
    two.google.set_script(Answer(text="[1, 2]"))
    done = kernel.run("%%gemini --schema list[int] --as df\nNumbers")
    assert "<table" in done.outputs[0]["data"]["text/html"]
    assert kernel.value("_.parsed") == [1, 2]
    two.google.set_script(Answer(text="no JSON"))
    done = kernel.run("%%gemini --as df\nNumbers")
    assert done.texts()[0] == "no JSON" and "no table: the answer is not JSON" in done.texts()[1]
    done = kernel.run("%%gemini --as json\nNumbers")
    assert done.texts()[0] == "no JSON" and "the answer holds no JSON" in done.texts()[1]
    two.google.set_script(Answer(text='{"items": [1, 2]}'))
    done = kernel.run("%%gemini --schema list[int]\nNumbers")
    assert done.outputs[0]["data"]["application/json"] == [1, 2]
    for again in ("_", "%gemini last"):
        assert kernel.run(again).outputs[0]["data"]["application/json"] == [1, 2]
    two.google.set_script(Answer(text="<h1>Tides</h1><script>x</script>"))
    (page, _) = kernel.run("%%gemini --as html\nA page").outputs
    assert page["data"]["text/html"].startswith("<iframe sandbox ")


def test_tools_programs_and_sources(two: Two, kernel: Kernel) -> None:
    kernel.run(TOOLS)
    two.google.set_script(
        [
            Answer(items=["Let me look. ", Call("lookup", {"city": "Oslo"})]),
            Answer(items=["Then ", Call("lookup", {"city": 7})]),
            Answer(text="Clear.", thoughts=["Hm, ", "hm."]),
        ]
    )
    done = kernel.run("%%gemini --tools lookup --max-hops 3 --thinking low\nWeather?")
    assert done.status == "ok", done.error
    called = [text for text in done.texts() if text.startswith("lookup(")]
    assert len(called) == 2 and 'lookup(city="Oslo") → {"city": "Oslo"' in called[0]
    assert "2 calls in 2 rounds" in done.texts()[-1]
    assert kernel.value("[use.call.name for use in _.tool_calls]") == ["lookup"] * 2
    assert not any("<b>" in page for page in done.texts("text/html"))
    two.google.set_script(
        Answer(
            items=["So: ", Program("print(1)"), Printed("1\n"), "done"],
            grounding={
                "webSearchQueries": ["tides"],
                "groundingChunks": [
                    {"web": {"uri": "https://example.org/a", "title": "<i>Tides</i>"}},
                    {"web": {"uri": "javascript:alert(1)", "title": "x"}},
                ],
            },
        )
    )
    done = kernel.run("%%gemini --code-execution --search\nWork it out")
    assert done.status == "ok", done.error
    assert any(text.startswith("[the program's output]") for text in done.texts())
    (sources,) = [page for page in done.texts("text/html") if "Sources:" in page]
    assert sources.count("<a ") == 1 and "&lt;i&gt;Tides" in sources


def test_a_comparison_is_the_value_of_its_line(two: Two, kernel: Kernel) -> None:
    pytest.importorskip("pandas")
    for server, word in ((two.google, "red"), (two.proxy, "blue")):
        server.set_script(Answer(text=word))
    models = f"{TALKS},proxy:gemini-2.5-flash"
    done = kernel.run(f"%gemini --compare {models} hi")
    assert done.status == "ok", done.error
    columns, table = done.outputs
    assert "red" in columns["data"]["text/html"] and "blue" in columns["data"]["text/html"]
    assert table["kind"] == "execute_result" and "dataframe" in table["data"]["text/html"]
    done = kernel.run(f"x = %gemini --compare {models} hi")
    assert len(done.outputs) == 1 and kernel.value("list(x.text)") == ["red", "blue"]
    two.google.set_script(Answer(items=["red", Picture(CAT)]))
    done = kernel.run(
        f"%%gemini --compare {DRAWS},proxy:gemini-2.5-flash\nA cat {{{{ x.text[0] }}}}"
    )
    assert 'src="data:image/png;base64,' in done.outputs[0]["data"]["text/html"]


#: Every option, as a cell has it, and what of the request says so (None: nothing does).
OPTIONS_OF_CELLS = {
    "model": ("-m google:gemini-3.8-flash", None),
    "route": ("-r google", None),
    "no-fallback": ("--no-fallback", None),
    "compare": (f"--compare {TALKS},proxy:gemini-2.5-flash", None),
    "force": ("--force", None),
    "fresh": ("--fresh", None),
    "cached": ("--cached", None),
    "timeout": ("--timeout 9", None),
    "image": ("-i cat.png", "inlineData"),
    "file": ("-f notes.md", "# Tides"),
    "max-pixels": ("-i cat.png --max-pixels 64", "inlineData"),
    "system": ("-s 'be brief'", "be brief"),
    "chat": ("--chat talk", None),
    "raw": ("--raw {{ nothing }}", "{{ nothing }}"),
    "temperature": ("-t 0.25", '"temperature": 0.25'),
    "top-p": ("--top-p 0.5", '"topP": 0.5'),
    "top-k": ("--top-k 5", '"topK": 5'),
    "max-output-tokens": ("--max-output-tokens 77", '"maxOutputTokens": 77'),
    "stop": ("--stop END --stop FIN", '"stopSequences": ["END", "FIN"]'),
    "seed": ("--seed 4", '"seed": 4'),
    "presence-penalty": ("--presence-penalty 1", '"presencePenalty": 1'),
    "frequency-penalty": ("--frequency-penalty -1", '"frequencyPenalty": -1'),
    "thinking": ("--thinking 128", "128"),
    "safety": ("--safety none", "BLOCK_NONE"),
    "media-resolution": ("--media-resolution low", "MEDIA_RESOLUTION_LOW"),
    "modalities": (f"-m {DRAWS} --modalities text,image", "IMAGE"),
    "size": (f"-m {DRAWS} --size 2K", "2K"),
    "aspect": (f"-m {DRAWS} --aspect 16:9", "16:9"),
    "quality": (f"-m {PROXY_DRAWS} --quality high", '"quality": "high"'),
    "count": (f"-m {PROXY_DRAWS} -n 2", '"n": 2'),
    "voice": (f"-m {SPEAKS} --voice Kore", "Kore"),
    "tools": ("--tools lookup", "The weather."),
    "max-hops": ("--tools lookup --max-hops 2", "The weather."),
    "tool-timeout": ("--tools lookup --tool-timeout 2", "The weather."),
    "search": ("--search", "googleSearch"),
    "url-context": ("--url-context", "urlContext"),
    "code-execution": ("--code-execution", "codeExecution"),
    "schema": ("--schema dict", "responseJsonSchema"),
    "repair": ("--schema dict --repair", "responseJsonSchema"),
    "out": ("-o got", None),
    "def": ("--def made", None),
    "as": ("--as text", None),
    "save": (f"-m {DRAWS} --save kept", None),
    "quiet": ("-q", None),
    "allow-remote-images": ("--allow-remote-images", None),
    "dry-run": ("--dry-run", None),
    "help": ("--help", None),
}  # fmt: skip


def test_every_option_of_the_table_works_in_a_cell(two: Two, kernel: Kernel) -> None:
    assert list(OPTIONS_OF_CELLS) == [option.name for option in OPTIONS]
    pytest.importorskip("pandas")
    Path("cat.png").write_bytes(CAT)
    Path("notes.md").write_text("# Tides")
    kernel.run(TOOLS)
    two.google.set_script(Answer(text="{}"))
    two.proxy.set_script(
        lambda body: Answer(pictures=[Picture(CAT)]) if "prompt" in body else Answer(text="{}")
    )
    for name, (words, wanted) in OPTIONS_OF_CELLS.items():
        server = two.proxy if PROXY_DRAWS in words else two.google
        before = len(server.requests)
        done = kernel.run(f"%%gemini {words} hello {name}")
        assert done.status == "ok", (name, done.error)
        silent = name in ("dry-run", "help", "def")
        assert (len(server.requests) == before) == silent, name
        if wanted is not None:
            assert wanted in json.dumps(server.requests[-1].json), (name, server.requests[-1].json)
        assert bool(done.outputs) == (name != "quiet"), name


# --- hostile answers -----------------------------------------------------------------------------


def test_pictures_that_are_none_are_told_and_not_decoded(two: Two, kernel: Kernel) -> None:
    for data in (b"no picture " * 9, bomb(), CAT[:200], b"\x89PNG\r\n\x1a\n", b"<svg onload=x>"):
        two.google.set_script(Answer(items=["See: ", Picture(data), "."]))
        done = kernel.run(f"%%gemini -m {DRAWS}\nA cat")
        assert done.status == "ok", done.error
        assert "image/png" not in [kind for one in done.outputs for kind in one["data"]]
        assert kernel.value("(_.media[0].size, _.images)") == (len(data), ())


def test_an_address_of_a_picture_is_not_fetched_here(two: Two, kernel: Kernel) -> None:
    address = f"{two.google.url}/private.png"
    two.proxy.set_script(Answer(items=[{"url": address}]))
    before = len(two.google.requests)
    done = kernel.run(f"%%gemini -m {PROXY_DRAWS}\nA cat")
    assert len(two.google.requests) == before
    assert done.status == "error" or "image/png" not in [k for o in done.outputs for k in o["data"]]
    assert len(done.traceback) <= 2


# --- interrupts ----------------------------------------------------------------------------------


def _asked(server: Any, count: int, pause: float = 0.4) -> Callable[[], bool]:
    """The moment at which so many requests have come, and something of their answers."""
    return lambda: len(server.generate_calls) >= count and not time.sleep(pause)


@pytest.mark.alone
@pytest.mark.parametrize("name", ["slow", "slow_async"])
def test_an_interrupt_in_a_tool(two: Two, kernel: Kernel, name: str) -> None:
    kernel.run(TOOLS)
    two.google.set_script(Answer(text="warm"))
    kernel.run("%%gemini\nwarm up")
    two.google.set_script(Answer(items=["Let me see. ", Call(name, {"n": 1})]))
    done, seconds = kernel.interrupt_when(
        f"%%gemini --tools {name} -o got\ngo", _asked(two.google, 2)
    )
    _assert_stopped(done, seconds)
    assert done.texts()[:2] == ["Let me see. ", f"{name}(n=1) · stopped"]
    assert kernel.value("(_ is got, _.finish_reason, _.text)") == (
        True,
        "CANCELLED",
        "Let me see. ",
    )
    assert two.counted() == [2]
    _assert_goes_on(two, kernel)


@pytest.mark.alone
def test_an_interrupt_between_pictures(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(text="warm"))
    kernel.run("%%gemini\nwarm up")
    answer = Answer(items=["Here: ", Picture(CAT), "and", Picture(CAT)])
    two.google.set_script(Fault("stall", after=3, answer=answer))
    done, seconds = kernel.interrupt_when(f"%%gemini -m {DRAWS}\ngo", _asked(two.google, 2))
    _assert_stopped(done, seconds)
    assert [next(iter(one["data"])) for one in done.outputs[:3]] == [
        "text/markdown", "image/png", "text/markdown",
    ]  # fmt: skip
    assert done.texts()[2].endswith("(interrupted)*")
    assert kernel.value("(_.finish_reason, len(_.images))") == ("CANCELLED", 1)
    assert len(list(Path("gemini_outputs").iterdir())) == 1
    _assert_goes_on(two, kernel)


@pytest.mark.alone
def test_an_interrupt_of_an_upload(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(text="warm"))
    kernel.run("%%gemini\nwarm up")
    two.google.hang_uploads = True
    film = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0" * 30_000_000
    Path("film.mp4").write_bytes(film)
    done, seconds = kernel.interrupt_when(
        "%%gemini --file film.mp4\nwhat is it?",
        lambda: any(one.op == "upload" for one in two.google.requests) and not time.sleep(0.8),
    )
    _assert_stopped(done, seconds)
    texts = [m["content"]["data"]["text/plain"] for _, m in done.messages if "data" in m["content"]]
    assert any(text.startswith("uploading film.mp4: ") for text in texts), texts
    assert len(two.google.generate_calls) == 1 and two.counted() == [1]
    two.google.hang_uploads = False
    done = kernel.run("%%gemini --file film.mp4\nwhat is it?")
    assert done.status == "ok" and len(two.google.files) == 1, done.error
    _assert_goes_on(two, kernel)


@pytest.mark.alone
def test_an_interrupt_of_a_wait_for_quota(two: Two, kernel: Kernel) -> None:
    two.configure('[limits.mine."gemini-2.5-flash"]\nrpm = 1')
    two.google.set_script(Answer(text="warm"))
    kernel.run("%%gemini\nwarm up")
    began = time.monotonic()
    done, seconds = kernel.interrupt_when("%%gemini\nwait", lambda: time.monotonic() - began > 1.5)
    _assert_stopped(done, seconds)
    assert len(two.google.generate_calls) == 1 and two.counted() == [1]
    two.configure()
    _assert_goes_on(two, kernel)


@pytest.mark.alone
def test_an_interrupt_while_a_file_is_fetched(two: Two, kernel: Kernel) -> None:
    kernel.run("%%gemini --dry-run\nwarm up")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the request, never answers
        silent.settimeout(20)
        came: list[socket.socket] = []

        def asked() -> bool:
            came.append(silent.accept()[0])
            return not time.sleep(0.3)

        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.png"
        done, seconds = kernel.interrupt_when(f"%%gemini --file {address}\nwhat", asked)
        for one in came:
            one.close()
    assert done.status == "error" and seconds < 0.3, (done, seconds)
    assert done.ename == "Interrupted" and len(done.traceback) <= 2, done.error
    assert two.google.requests == []
    _assert_goes_on(two, kernel)


def _assert_stopped(done: Executed, seconds: float) -> None:
    assert (done.status, done.ename) == ("error", "Interrupted"), done.error
    assert seconds < 0.3, seconds
    assert len(done.traceback) <= 2


def _assert_goes_on(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(text="fine"))
    done = kernel.run("%%gemini\nnext")
    assert done.status == "ok" and done.texts()[0] == "fine", done.error


def test_what_is_last_and_where_its_files_are(two: Two, kernel: Kernel) -> None:
    two.google.set_script(Answer(items=["Here: ", Picture(CAT)]))
    done = kernel.run(f"%%gemini -m {DRAWS} --chat art\nA cat")
    (saved,) = Path("gemini_outputs").glob("*.png")
    assert done.status == "ok", done.error
    for again in ("_", "%gemini last"):
        text = kernel.run(again).text
        assert (
            f"saved as gemini_outputs/{saved.name}" in text and "saved in gemini_outputs/" in text
        )
    shown = kernel.run("%gemini chat show art").outputs[0]["data"]
    assert "<img " in shown["text/html"] and "<picture 64x48>" in shown["text/plain"]
    saved.unlink()
    assert "saved" not in kernel.run("%gemini last").text
    two.google.set_script(Answer(text="from plain Python"))
    kernel.run("import gemini_magic as gm; asked = gm.ask('x')")
    assert "from plain Python" in kernel.run("%gemini last").text
    two.google.set_script(Answer(text="from a function"))
    kernel.run("%%gemini --def about\nAbout {{ thing }}")
    kernel.run("got = about('x')")
    assert "from a function" in kernel.run("%gemini last").text
    two.google.set_script(Answer(text="from a comparison"))
    kernel.run("%%gemini --compare google:gemini-2.5-flash,google:gemini-2.5-pro --quiet\nx")
    assert "from a comparison" in kernel.run("%gemini last").text
