"""``jupyter gemini local``: the embedded model's weights and process."""

from __future__ import annotations

import argparse
from typing import Any

from gemini_magic.notebook import local_command


def add_to(commands: Any) -> None:
    text = "the model on this machine: what is installed, install it, stop it"
    command = commands.add_parser("local", help=text, description=text)
    command.set_defaults(do=lambda _: local_command.status(None))
    actions = command.add_subparsers(title="actions", metavar="ACTION")
    install = actions.add_parser("install", help="fetch the weights of a model")
    install.add_argument("model", nargs="?", help="its name in the catalogue")
    install.set_defaults(do=_install)
    stop = actions.add_parser("stop", help="end the model's process")
    stop.set_defaults(do=lambda _: local_command.stop())


def _install(arguments: argparse.Namespace) -> None:
    local_command.install(None, arguments.model)
