"""Where files come from: package indexes and the model hub, as the user's own tools are set.

Read are the environment and the configuration files of pip and uv (the user's, the environment's
and the machine's; a project's own are left out: a folder that was only opened must not choose whom
we ask). Without any setting it is PyPI.
"""

from __future__ import annotations

import configparser
import http.client
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from gemini_magic.backends.download import (
    Unfetched,
    authorization_for,
    fetch,
    open_url,
    public,
    told,
    without_user,
)

PYPI = "https://pypi.org/simple"
_PAGE_LIMIT = 1 << 24


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file as a package index lists it; ``sha256`` is empty where the index does not say."""

    name: str
    url: str
    sha256: str


# --- what an index has --------------------------------------------------------------------------


def listed(index: str, package: str) -> list[IndexFile]:
    """The files of ``package`` on the index at ``index``; raises Unfetched.

    Source: PEP 691 (JSON), PEP 503 (HTML; some indexes serve nothing else).
    """
    page = f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', package).lower()}/"
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.2, */*;q=0.1"
    try:
        with open_url(
            page, {"Accept": accept, "User-Agent": "gemini-magic"}, authorization_for(index)
        ) as answer:
            content = answer.read(_PAGE_LIMIT)
            kind = answer.headers.get_content_type()
            base = answer.url
        if kind.endswith("json"):
            return [
                IndexFile(f["filename"], urljoin(base, f["url"]), f["hashes"].get("sha256", ""))
                for f in json.loads(content)["files"]
            ]
    except (OSError, http.client.HTTPException) as problem:
        raise Unfetched(told(page, problem)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unfetched(f"{urlsplit(public(page)).netloc}: not a package index") from None
    links = _Links()
    links.feed(content.decode("utf-8", "replace"))
    return [_linked(urljoin(base, href)) for href in links.found]


def _linked(url: str) -> IndexFile:
    parts = urlsplit(url)
    kind, _, digest = parts.fragment.partition("=")
    name = unquote(parts.path.rpartition("/")[2])
    return IndexFile(name, url, digest if kind == "sha256" else "")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (href := dict(attrs).get("href")):
            self.found.append(href)


def authorization_of(index: str, url: str) -> str:
    """What of the index's credentials a file's address gets: nothing on another host."""
    if authorization := authorization_for(url):
        return authorization
    same = urlsplit(without_user(index))[:2] == urlsplit(without_user(url))[:2]
    return authorization_for(index) if same else ""


def fetch_wheel(
    package: str,
    version: str,
    target: Path,
    *,
    sha256: str,
    limit: int,
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> None:
    """Fetch one pure wheel into ``target`` from the first index that gives it; see ``fetch``."""
    name = f"{re.sub(r'[-_.]+', '_', package).lower()}-{version}-py3-none-any.whl"
    problems = []
    for index in indexes():
        try:
            files = [f for f in listed(index, package) if f.name == name]
            if not files:
                raise Unfetched(f"{urlsplit(public(index)).netloc} has no {name}")
            if files[0].sha256 not in ("", sha256):
                raise Unfetched(f"{urlsplit(public(index)).netloc}: {name} has another SHA-256")
            fetch(
                files[0].url, target, sha256=sha256, limit=limit, progress=progress,
                cancelled=cancelled, authorization=authorization_of(index, files[0].url),
            )  # fmt: skip
        except Unfetched as problem:
            problems.append(str(problem))
        else:
            return
    raise Unfetched("; ".join(problems) or "no index is configured")


# --- which indexes ------------------------------------------------------------------------------


def indexes() -> list[str]:
    """The simple indexes to ask, first choice first; each may carry user and password.

    Source: pip's "Configuration" page (PIP_CONFIG_FILE, order of the files), uv's "Package
    indexes" and "Environment variables" pages.
    """
    settings = [*_environment(), *_pip_files(), *_uv_files()]
    main = next((url for kind, url in settings if kind == "main"), PYPI)
    found = [main, *(url for kind, url in settings if kind == "extra")]
    return [url for url in dict.fromkeys(found) if urlsplit(url).scheme in ("http", "https")]


def ca_bundles() -> list[Path]:
    """The extra certificate files that pip's and requests' settings name."""
    names = [os.environ.get(name, "") for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE")]
    for settings in _pip_settings():
        names.append(settings.get("cert", ""))
    return [Path(name) for name in dict.fromkeys(names) if name and Path(name).exists()]


def _environment() -> Iterator[tuple[str, str]]:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := os.environ.get(name, "").strip():
            yield "main", _unnamed(url)
    for name in ("PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
        for url in os.environ.get(name, "").split():
            yield "extra", _unnamed(url)


def _unnamed(url: str) -> str:
    """uv writes an index as ``name=address`` where it has a name."""
    return re.sub(r"^[\w.-]+=(?=https?:)", "", url)


def _pip_files() -> Iterator[tuple[str, str]]:
    for settings in _pip_settings():
        if url := settings.get("index-url", "").strip():
            yield "main", url
        for url in settings.get("extra-index-url", "").split():
            yield "extra", url


def _pip_settings() -> Iterator[dict[str, str]]:
    """pip's configuration files, the strongest first."""
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    own = os.environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return
    files = [Path(own)] if own else []
    files.append(Path(sys.prefix) / name)
    files += [folder / "pip" / name for folder in _user_folders()]
    files.append(Path.home() / ("pip" if os.name == "nt" else ".pip") / name)
    files += [folder / "pip" / name for folder in _machine_folders()]
    files.append(Path("/etc") / name)
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("download", "install", "global"):
            if parser.has_section(section):
                yield {key.replace("_", "-"): value for key, value in parser.items(section)}


def _uv_files() -> Iterator[tuple[str, str]]:
    own = os.environ.get("UV_CONFIG_FILE", "")
    folders = [*_user_folders(), *_machine_folders()]
    for file in [Path(own)] if own else [folder / "uv" / "uv.toml" for folder in folders]:
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for table in (settings, settings.get("pip", {})):
            if isinstance(table, dict):
                yield from _uv_table(table)


def _uv_table(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(url := table.get("index-url"), str):
        yield "main", url
    for one in table.get("index") or ():
        if isinstance(one, dict) and isinstance(url := one.get("url"), str):
            yield "main" if one.get("default") else "extra", url
    for url in table.get("extra-index-url") or ():
        if isinstance(url, str):
            yield "extra", url


def _user_folders() -> list[Path]:
    if os.name == "nt":
        return [Path(os.environ.get("APPDATA") or Path.home() / "AppData/Roaming")]
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    if sys.platform == "darwin":
        return [Path.home() / "Library/Application Support", own]
    return [own]


def _machine_folders() -> list[Path]:
    if os.name == "nt":
        return [Path(os.environ.get("PROGRAMDATA") or "C:/ProgramData")]
    if sys.platform == "darwin":
        return [Path("/Library/Application Support"), Path("/etc")]
    return [Path("/etc"), Path("/etc/xdg")]


def model_hub() -> tuple[str, str]:
    """The model hub's address, and the user's token where that is a mirror of their own.

    The files that we want are public; a stale token would only be refused. Raises Unfetched where
    the user has switched the hub off. Source: huggingface_hub, "Environment variables".
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise Unfetched("switched off by HF_HUB_OFFLINE")
    own = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    return own or "https://huggingface.co", os.environ.get("HF_TOKEN", "") if own else ""
