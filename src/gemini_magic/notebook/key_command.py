"""``%gemini key``: stores a key that is typed without an echo."""

from __future__ import annotations

from getpass import getpass

from gemini_magic import keys
from gemini_magic.config import Config
from gemini_magic.errors import UsageError


def ask(config: Config, name: str) -> None:
    """Ask for a backend's key and keep it: in the OS keyring, else (after consent) in a file.

    Raises ``UsageError`` where nobody can be asked (nbconvert, papermill).
    """
    service = config.backend(name)
    if not service.key_env and not service.key_required:
        raise UsageError(f"{name} needs no key.")
    variable = service.key_env[0] if service.key_env else "its variable"
    try:
        typed = getpass(f"Key for {name} (it is not shown): ")
        where = keys.store(name, typed, consent=_consent)
    except (EOFError, NotImplementedError, RuntimeError):
        raise UsageError(
            "there is nobody here to type a key.", f"Set the environment variable {variable}."
        ) from None
    print(f"stored in {where}.")
    used = keys.find(service, env_file=config.env_file)
    if used is not None and used.where != where:
        place = " in the environment" if used.where in service.key_env else ""
        print(f"{used.where}{place} wins over it.")


def _consent(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
