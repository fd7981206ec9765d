"""Prompts of every kind reach the wire byte for byte, through a real kernel and a real SDK."""

from __future__ import annotations

import json

import pytest

from gemini_magic.template import placeholders
from tests.corpus import ALL
from tests.kernels import Kernel

pytestmark = pytest.mark.kernel


def sent(call) -> str:  # type: ignore[no-untyped-def]
    content = call.json["messages"][-1]["content"]
    assert isinstance(content, str)
    return content


def test_the_corpus_arrives_byte_for_byte(openai_server, configure) -> None:
    server = openai_server(key="")
    configure(
        f'[settings]\nmodel = "test:gemini-2.5-flash"\n'
        f'[backends.test]\nkind = "openai"\nbase_url = "{server.url}"\n'
    )
    asked: list[tuple[str, str]] = []
    with Kernel() as kernel:
        for prompt in ALL.values():
            if not prompt.strip():
                continue
            raw = f"%%gemini --raw --quiet\n{prompt}\n"
            cells = [(raw, prompt)]
            if not placeholders(prompt) and "\\{{" not in prompt:
                cells.append((f"%%gemini --quiet\n{prompt}\n", prompt))
            for cell, expected in cells:
                done = kernel.run(cell)
                assert done.status == "ok", (prompt[:80], done.error)
                asked.append((cell, expected))
        wanted = [prompt for _, prompt in asked]
        assert [sent(call) for call in server.generate_calls] == wanted

        before = len(server.generate_calls)
        kernel.run("x = 'the {{ secret }} and {more}'; secret = 'hunter2'")
        assert kernel.run("%%gemini --quiet\n<{{ x }}>{{x!r:>40}}").status == "ok"
        call = server.generate_calls[before]
        assert (
            sent(call) == "<the {{ secret }} and {more}>" + f"{'the {{ secret }} and {more}'!r:>40}"
        )
        assert "hunter2" not in json.dumps(call.json)
        done = kernel.run("%%gemini --quiet\n{{ x }} and {{ nothing_here }}")
        assert done.ename == "PlaceholderError" and len(server.generate_calls) == before + 1
