"""What users write: the raw SDKs' code, and our cells."""

from __future__ import annotations

from pathlib import Path

from benchmarks.servers import Wire

MODEL = "gemini-2.5-flash"
KINDS = ("google", "openai")
SDKS = {"google": "google-genai", "openai": "openai"}

_GOOGLE = """
from google import genai
client = genai.Client(api_key={key!r}, http_options={{"base_url": {url!r}}})
def texts(prompt):
    for chunk in client.models.generate_content_stream(model={model!r}, contents=prompt):
        yield chunk.text or ""
"""
_OPENAI = """
import openai
client = openai.OpenAI(api_key={key!r}, base_url={url!r})
def texts(prompt):
    messages = [{{"role": "user", "content": prompt}}]
    for chunk in client.chat.completions.create(model={model!r}, messages=messages, stream=True):
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""
"""
_DISPLAY = "from IPython.display import Markdown, display\n"


def sdk(wire: Wire) -> str:
    """Import, client, and ``texts(prompt)``, the streaming call."""
    source = {"google": _GOOGLE, "openai": _OPENAI}[wire.kind]
    return source.format(key=wire.key, url=wire.url, model=MODEL) + _DISPLAY


def collected(prompt: str) -> str:
    """The cheapest cell that streams: it shows nothing."""
    return f"answer = ''.join(texts({prompt!r}))"


def shown(prompt: str) -> str:
    """The cheapest cell that streams and shows the whole answer at its end."""
    return f"display(Markdown(''.join(texts({prompt!r}))))"


def naive(prompt: str) -> str:
    """What most people write: one display, drawn anew with every token."""
    return (
        "text, output = '', display(Markdown(''), display_id=True)\n"
        f"for piece in texts({prompt!r}):\n"
        "    text += piece\n"
        "    output.update(Markdown(text))\n"
    )


LOAD = "%load_ext gemini_magic"


def ours(prompt: str) -> str:
    return f"%%gemini --fresh\n{prompt}"


def configure(home: Path, wire: Wire) -> dict[str, str]:
    """Make a server the one backend of a home that answers; the variables to go with it."""
    file = home / "config" / "gemini_magic.toml"
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    file.write_text(
        f"""
[settings]
model = "bench:{MODEL}"
[backends.bench]
kind = "{wire.kind}"
base_url = "{wire.url}"
key_env = "BENCH_KEY"
tier = "tier3"
""",
        "utf-8",
    )
    file.chmod(0o600)
    return {"BENCH_KEY": wire.key}
