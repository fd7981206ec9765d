"""Finds out what works: which backends are there, have a key, answer, and know their model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeVar

from gemini_magic import catalog
from gemini_magic.backends.base import Backend, ModelInfo
from gemini_magic.config import Backend as Service
from gemini_magic.engine.engine import Engine
from gemini_magic.engine.targets import choose
from gemini_magic.errors import GeminiMagicError, MissingExtra, did_you_mean, sentence
from gemini_magic.types import Message, Part, Request, Settings

#: Seconds that a service may take to list its models.
TIMEOUT = 6.0

T = TypeVar("T")

_PACKAGES = {
    "google": ("google.genai", "google-genai", ""),
    "openai": ("openai", "openai", ""),
    "local": ("xllamacpp", "xllamacpp", "local"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A backend as it is now. ``reachable`` is None where it was not tried (no key)."""

    service: Service
    key_from: str
    reachable: bool | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of the doctor: ``next_step`` is set where it failed."""

    good: bool
    what: str
    next_step: str = ""


def survey(engine: Engine, names: Sequence[str]) -> list[Found]:
    """How these backends are, all asked at once (models.list; no request of a quota)."""
    return _at_once(lambda name: _found(engine, name), names)


def _at_once(work: Callable[[str], T], names: Sequence[str]) -> list[T]:
    """Do ``work`` for all names at the same time; an interrupt does not wait for its end."""
    pool = ThreadPoolExecutor(max_workers=max(1, len(names)))
    try:
        futures = [pool.submit(work, name) for name in names]
        while wait(futures, timeout=0.1).not_done:
            pass  # short waits, so that an interrupt gets through on every platform
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _found(engine: Engine, name: str) -> Found:
    service = engine.connections.config.backend(name)
    try:
        key = engine.connections.find_key(service)
        where = key.where if key else ""
        if key is None and service.key_required:
            return Found(service, "", None, "no key")
        if service.kind == "local":
            _check_local(engine, name)
        else:
            list_models(engine, name)
    except GeminiMagicError as error:
        return Found(service, "", False, error.what)
    return Found(service, where, True)


def list_models(engine: Engine, name: str) -> Sequence[ModelInfo]:
    """The models that a backend lists; its error where it lists none."""

    async def ask(backend: Backend) -> Sequence[ModelInfo]:
        return await backend.models()

    return engine.call(name, ask, TIMEOUT)


def list_all_models(
    engine: Engine, names: Sequence[str]
) -> list[Sequence[ModelInfo] | GeminiMagicError]:
    """What each of these backends lists, or its error; all asked at once."""

    def listed(name: str) -> Sequence[ModelInfo] | GeminiMagicError:
        try:
            return list_models(engine, name)
        except GeminiMagicError as error:
            return error

    return _at_once(listed, names)


def _check_local(engine: Engine, name: str) -> None:
    """Raise unless the local model could run here now; starts nothing."""
    from gemini_magic.backends.local import LocalBackend

    async def ask(backend: Backend) -> None:
        assert isinstance(backend, LocalBackend)
        backend.check()

    engine.call(name, ask, TIMEOUT)


def examine(engine: Engine, name: str, *, send: bool) -> Iterator[Finding]:
    """Everything that a request to this backend needs, one finding after the other.

    Stops at the first that makes the rest pointless. ``send`` asks it one tiny question (which
    its quota counts).
    """
    service = engine.connections.config.backend(name)
    module, package, extra = _PACKAGES[service.kind]
    if not _is_installed(module):
        missing = MissingExtra(package, extra) if extra else None
        step = missing.next_step if missing else f"run: pip install {package}"
        yield Finding(False, f"package {package} is not installed", step)
        return
    yield Finding(True, f"package {package}")
    try:
        key = engine.connections.find_key(service)
    except GeminiMagicError as error:
        yield Finding(False, error.what, error.next_step)
        return
    if key is not None:
        yield Finding(True, f"key from {key.where}")
    elif service.key_required:
        names = " or ".join(service.key_env)
        yield Finding(False, f"no key (looked for {names})", f"run: %gemini key {name}")
        return
    try:
        yield from _examine_models(engine, service)
    except GeminiMagicError as error:
        yield Finding(False, error.what, error.next_step)
        return
    if send:
        yield _send(engine, name)


def _examine_models(engine: Engine, service: Service) -> Iterator[Finding]:
    """Whether the backend answers and has its default model; raises where it does not answer."""
    name = service.name
    if service.kind == "local":
        _check_local(engine, name)
        yield Finding(
            True, f"the weights of {service.model} are here, and this processor runs them"
        )
        return
    models = [model.name for model in list_models(engine, name)]
    yield Finding(True, f"{service.base_url} answers and lists {_count(models)}")
    target = choose(engine.connections.config, engine.connections.find_key, model=name)[0]
    if target.model in models or not models:
        yield Finding(True, f"default model {target.model}")
    else:
        hint = did_you_mean(target.model, models) or f"see: %gemini models {name}"
        yield Finding(False, f"it does not list its default model {target.model}", sentence(hint))


def _send(engine: Engine, name: str) -> Finding:
    target = choose(engine.connections.config, engine.connections.find_key, model=name)[0]
    question = Message("user", (Part(text="Reply with the one word: ready"),))
    request = Request((question,), settings=Settings(max_output_tokens=256))
    run = engine.stream(request, [target], timeout=60)
    try:
        for _ in run:
            pass
    except GeminiMagicError as error:
        return Finding(False, error.what, error.next_step)
    reply = run.reply
    return Finding(
        True, f"it answered {' '.join(reply.text.split())[:40]!r} in {reply.seconds:.1f} s"
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _count(models: Sequence[str]) -> str:
    return "1 model" if len(models) == 1 else f"{len(models)} models"


def known_models() -> list[ModelInfo]:
    """Google's models as the catalogue knows them, for when nobody can be asked."""
    return [ModelInfo(m.name, m.notes, m.input_limit) for m in catalog.google_models()]
