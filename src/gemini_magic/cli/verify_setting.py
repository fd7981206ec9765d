"""A home of its own for what is verified: all backends at the recorder, no key, no ledger.

What is configured stays: which backend and model is asked, the route, the generation settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gemini_magic.cli.verify_server import Recorder
from gemini_magic.config import Backend, Config
from gemini_magic.config_backends import GOOGLE_KEYS

#: The variable that holds the recorder's key.
KEY = "RECORDER_API_KEY"
_HOME = "GEMINI_MAGIC_HOME"
#: Variables with which the official SDKs would ask, or log in, elsewhere.
_FOREIGN = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE", "OPENAI_ADMIN_KEY")


def environment(config: Config, recorder: Recorder, home: Path) -> dict[str, str]:
    """The variables of the notebook's kernel and of the script; the home is made.

    The keys of all services that are configured or known are the recorder's, and the official
    SDKs lead there, too, where code uses them without an address.
    """
    folder = home / "config"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "gemini_magic.toml").write_text(configuration(config, recorder), "utf-8")
    services = (*config.backends.values(), *config.presets.values())
    keys = {
        KEY,
        "OPENAI_API_KEY",
        *GOOGLE_KEYS,
        *(name for one in services for name in one.key_env),
    }
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1")))
    return {
        **kept,
        **dict.fromkeys(keys, recorder.key),
        **{
            name: recorder.address(name)
            for name in ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL")
        },
        "OPENAI_BASE_URL": f"{recorder.address('OPENAI_BASE_URL')}/v1",
        _HOME: str(home),
        "GEMINI_MAGIC_WARM_UP": "0",
        "IPYTHONDIR": str(home / "ipython"),
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


@contextmanager
def at(home: Path) -> Iterator[None]:
    """This process, too, reads the configuration, and the log of runs, of that home."""
    before = os.environ.get(_HOME)
    os.environ[_HOME] = str(home)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_HOME]
        else:
            os.environ[_HOME] = before


def configuration(config: Config, recorder: Recorder) -> str:
    """The user's configuration, with every backend at the recorder, as TOML."""
    settings = {
        "route": config.route,
        "model": config.model,
        "magic_name": config.magic_name,
        "timeout": config.timeout,
        "retries": 0,
        "cache": {"days": 0},
    }
    tables: dict[str, Any] = {
        "settings": {name: value for name, value in settings.items() if value is not None},
        "generation": dict(config.generation),
        "backends": {
            one.name: _row(one, recorder.address(one.name))
            for one in (*config.backends.values(), *config.presets.values())
        },
        "routes": {
            name: {
                "targets": [
                    {"backend": step.backend, **({"when": step.when} if step.when else {})}
                    for step in steps
                ]
            }
            for name, steps in config.routes.items()
        },
    }
    return "".join(f"{_key(name)} = {_toml(rows)}\n" for name, rows in tables.items() if rows)


def _row(backend: Backend, address: str) -> dict[str, Any]:
    """A backend at another address. The embedded model is one of OpenAI's wire there."""
    google = backend.kind == "google"
    said = {
        "preset": backend.preset,
        "kind": "google" if google else "openai",
        "base_url": address if google else f"{address}/v1",
        "key_env": KEY,
        "models": dict(backend.models),
        "model": backend.model,
        "api_version": backend.api_version if google else None,
        "tier": "tier3" if google else None,  # nobody is to wait for the limits of a free tier
    }
    return {name: value for name, value in said.items() if value}


def _toml(value: Any) -> str:
    """A value as TOML, tables in line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(name)} = {_toml(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return _key(value)
    return json.dumps(value)


def _key(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
