"""The commands of %gemini in a real kernel, against servers on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels import Kernel
from tests.wire import Answer, Fault, payloads

pytestmark = pytest.mark.kernel

KEY = "k" * 24


@pytest.fixture
def two(google_server, openai_server, configure, monkeypatch):  # type: ignore[no-untyped-def]
    """A Google backend and a proxy, and a route over both."""
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("GEMINI_MAGIC_MAX_WAIT", "1")
    monkeypatch.setenv("GEMINI_MAGIC_RETRIES", "0")
    google, proxy = google_server(key=KEY), openai_server(key=KEY)
    configure(
        f"""
        [backends.mine]
        kind = "google"
        base_url = "{google.url}"
        key_env = "TEST_KEY"
        [backends.proxy]
        kind = "openai"
        base_url = "{proxy.url}"
        key_env = "TEST_KEY"
        models = {{ "gemini-3.8-flash" = "gemini-2.5-flash" }}
        model = "gemini-2.5-flash"
        [routes.both]
        targets = ["mine", {{ backend = "proxy", when = ["rpd", "unreachable"] }}]
        """
    )
    return google, proxy


def test_models_lists_what_the_services_list(two, kernel: Kernel) -> None:
    text = kernel.run("%gemini models mine").text
    assert "gemini-2.5-flash" in text and "1,048,576" in text
    assert "proxy" not in text
    two[0].set_script(payloads.KEY_INVALID, op="models")
    text = kernel.run("%gemini models flash").text
    assert "could not be asked" in text and "gemini-3.8-flash" in text and "gpt" not in text
    assert not two[0].generate_calls and not two[1].generate_calls


def test_backends_says_what_is_there(two, kernel: Kernel, monkeypatch) -> None:
    two[1].set_script(payloads.KEY_INVALID, op="models")
    done = kernel.run("%gemini backends")
    (table,) = done.texts("text/html")
    assert "TEST_KEY" in done.text and KEY not in str(done.messages)
    rows = {row.split()[0]: row for row in done.texts()[0].splitlines()[2:]}
    assert "yes" in rows["mine"] and "no: " in rows["proxy"] and "missing" in rows["studio"]
    assert "user file" in rows["mine"] and "built in" in rows["local"]
    assert "no: " in rows["local"] and "not on this machine" in rows["local"]
    assert "<script" not in table


def test_use_changes_the_sessions_default(two, kernel: Kernel) -> None:
    assert "From now on, cells ask proxy:gemini-2.5-flash" in kernel.run("%gemini use proxy").text
    assert "· proxy ·" in kernel.run("%%gemini\nhello").text
    assert "mine:gemini-2.5-flash" in kernel.run("%gemini use mine:gemini-2.5-flash").text
    assert "· mine ·" in kernel.run("%%gemini\nhello").text
    done = kernel.run("%gemini use prxy")
    assert done.ename == "UsageError" and "proxy" in done.error
    assert "· mine ·" in kernel.run("%%gemini\nhello").text
    assert kernel.run("%gemini use the force").ename == "UsageError"


def test_a_route_carries_on_and_says_so(two, kernel: Kernel) -> None:
    google, proxy = two
    google.set_script([payloads.FREE_RPD, payloads.FREE_RPM, Fault("refuse")])
    cell = "%%gemini --route both -m gemini-3.8-flash --fresh\nhello"
    done = kernel.run(cell)
    assert done.status == "ok", done.error
    assert "· proxy ·" in done.text and "was asked because of this: " in done.text
    assert proxy.generate_calls[0].json["model"] == "gemini-2.5-flash"
    assert "· proxy ·" in kernel.run(cell).text  # the day is known to be used up: nobody asks
    assert len(google.generate_calls) == 1
    assert kernel.run(cell.replace("--route", "--no-fallback --route")).ename == "QuotaExceeded"
    cell = cell.replace("gemini-3.8-flash", "gemini-2.5-flash-lite")
    assert kernel.run(cell).ename == "QuotaExceeded"  # rpm: the route waits for rpd only
    assert len(google.generate_calls) == 2 and len(proxy.generate_calls) == 2


def test_doctor_finds_what_is_wrong_and_sends_only_when_told(two, kernel: Kernel) -> None:
    google, proxy = two
    proxy.set_script(Answer(text="ready"))
    text = kernel.run("%gemini doctor proxy --send").text
    assert "✗" not in text and "it answered 'ready'" in text
    assert len(proxy.generate_calls) == 1
    google.set_script(payloads.KEY_INVALID, op="models")
    text = kernel.run("%gemini doctor").text
    assert "✗ mine does not accept the key" in text
    assert "✗ no key (looked for GOOGLE_API_KEY or GEMINI_API_KEY)" in text
    assert "run: %gemini key studio" in text
    assert "→ run: %gemini local install" in text and "lists 0 models" not in text
    assert len(google.generate_calls) == 0 and len(proxy.generate_calls) == 1
    assert kernel.run("%gemini doctor nowhere").ename == "ConfigError"


def test_trust_accepts_a_project_file_until_it_changes(two, kernel: Kernel) -> None:
    assert kernel.run("%gemini trust").ename == "UsageError"
    project = Path("gemini_magic.toml")
    project.write_text(f'[backends.extra]\nkind = "openai"\nbase_url = "{two[1].url}"\n', "utf-8")
    assert kernel.run("%%gemini -m extra:x --dry-run\nhello").ename == "UsageError"
    assert "backends.extra" in kernel.run("%gemini trust").text
    assert "would ask  x on extra" in kernel.run("%%gemini -m extra:x --dry-run\nhello").text
    project.write_text(project.read_text("utf-8") + "# changed\n", "utf-8")
    assert kernel.run("%%gemini -m extra:x --dry-run\nhello").ename == "UsageError"


def test_a_broken_configuration_is_two_lines_and_mended_without_a_restart(
    two, kernel: Kernel, home: Path
) -> None:
    file = home / "config" / "gemini_magic.toml"
    good = file.read_text("utf-8")
    for bad in ("[settings\n", '[settings]\nmodle = "x"\n', "[backends.x]\nkind = 'gogle'\n"):
        file.write_text(bad, "utf-8")
        done = kernel.run("%%gemini -m mine\nhello")
        assert done.ename == "ConfigError" and len(done.traceback) <= 2, done.traceback
        assert "gemini_magic.toml" in done.error
    file.write_text(good, "utf-8")
    assert kernel.run("%%gemini -m mine:gemini-2.5-flash\nhello").status == "ok"


def test_last_and_version_and_local(two, kernel: Kernel) -> None:
    assert kernel.run("%gemini last").ename == "UsageError"
    two[0].set_script(Answer(text="*hi*"))
    kernel.run("%%gemini -m mine:gemini-2.5-flash\nhello")
    assert kernel.run("%gemini last").texts("text/markdown") == ["*hi*"]
    assert "gemini-magic 0.1.0" in kernel.run("%gemini version").text
    assert "%gemini local install" in kernel.run("%gemini local").text
    assert kernel.run("%%gemini -m local\nhello").ename == "MissingWeights"
    assert kernel.run("%gemini local frobnicate").ename == "UsageError"


def test_a_route_that_was_chosen_later_wins_over_a_model_that_was_not(
    two, kernel: Kernel, home: Path
) -> None:
    file = home / "config" / "gemini_magic.toml"
    file.write_text('[settings]\nmodel = "gemini-3.8-flash"\n' + file.read_text("utf-8"), "utf-8")
    assert "on studio" in kernel.run("%%gemini --dry-run\nx").text
    assert "qwen2.5-coder-0.5b on local" in kernel.run("%%gemini --route local --dry-run\nx").text
    assert "gemini-2.5-flash on proxy" in kernel.run("%%gemini --route proxy --dry-run\nx").text
    kernel.run("%gemini use local")
    assert "qwen2.5-coder-0.5b on local" in kernel.run("%%gemini --dry-run\nx").text
    assert (
        "gemini-3.8-flash on studio" in kernel.run("%%gemini -m gemini-3.8-flash --dry-run\nx").text
    )
    kernel.run("%gemini use default")
    assert "gemini-3.8-flash on studio" in kernel.run("%%gemini --dry-run\nx").text


def test_an_ignored_project_file_is_told_even_where_the_cell_fails(two, kernel: Kernel) -> None:
    Path("gemini_magic.toml").write_text(
        f'[backends.extra]\nkind = "openai"\nbase_url = "{two[1].url}"\n', "utf-8"
    )
    done = kernel.run("%%gemini -m extra:x --quiet\nhello")
    assert done.ename == "UsageError" and "%gemini trust" in done.text
    assert "%gemini trust" not in kernel.run("%%gemini -m extra:x\nhello").text  # once


def test_a_prompt_about_a_model_is_one_when_a_model_is_named(two, kernel: Kernel) -> None:
    assert kernel.run("%%gemini\ngemini-2.5-flash").ename == "UsageError"
    assert kernel.run("%%gemini -m mine:gemini-2.5-flash\ngemini-2.5-pro").status == "ok"
