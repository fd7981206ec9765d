"""``%gemini code``: a prompt of this session as a program of its own, in several languages."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.notebook.export_command import Words
from gemini_magic.notebook.export_context import context_of
from gemini_magic.notebook.prompts import running
from gemini_magic.notebook.this_notebook import notebook_path
from gemini_magic.widgets.markup import readable

if TYPE_CHECKING:
    from gemini_magic.cell import GeminiCell
    from gemini_magic.convert.context import Context
    from gemini_magic.convert.notebook_file import Cell
    from gemini_magic.notebook.session import Session
    from gemini_magic.widgets.programs import Program

_TITLES = {
    "python-genai": "Python (genai)",
    "python-openai": "Python (openai)",
    "node-genai": "Node (genai)",
    "node-openai": "Node (openai)",
    "curl": "curl",
}


def parser(magic_name: str) -> Words:
    from gemini_magic.convert.targets import TARGETS

    words = Words(
        prog=f"%{magic_name} code", add_help=False,
        description="the last prompt that was sent, as a program of its own",
    )  # fmt: skip
    words.add_argument("-h", "--help", action="store_true", help="this help")
    words.add_argument("-i", "--cell", metavar="CELL",
                       help="another prompt: N of its In [N], the cell's id, or -2 for the last "
                       "but one")  # fmt: skip
    words.add_argument("--to", choices=TARGETS, help="this target alone")
    words.add_argument("--live", action="store_true",
                       help="placeholders as code, not what they were")  # fmt: skip
    words.add_argument("--retry", action="store_true",
                       help="try again after 429 and 503, where that can help")  # fmt: skip
    return words


def options(magic_name: str) -> list[str]:
    """All long options, for completion."""
    return ["--help", "--cell", "--to", "--live", "--retry"]


def run(session: Session, words: list[str]) -> None:
    """Do what ``%gemini code words`` says. Raises ``GeminiMagicError``."""
    known = parser(session.magic.name)
    arguments = known.parse_args(words)
    if arguments.help:
        print(known.format_help().rstrip())
        return
    programs = _programs(session, arguments)
    shell = session.shell
    if not hasattr(shell, "kernel"):
        print(_text(programs, session.magic.name))
        return
    from gemini_magic.widgets.programs import Programs, programs_html

    shown = {
        "text/html": programs_html(programs),
        "text/plain": _text(programs, session.magic.name),
    }
    if session.running_cell()[0]:  # a live front end shows the cell
        view = Programs(programs).widget.get_view_spec()
        shown["application/vnd.jupyter.widget-view+json"] = view
    shell.display_pub.publish(shown, {})


def programs_of(session: Session, asked: Sequence[GeminiCell]) -> list[Program]:
    """The last of these cells, which need not have run, as programs: with the cells before it of
    the same chat, and with what the session ran that they need."""
    from gemini_magic.convert.excerpt import excerpt, prompts_of
    from gemini_magic.convert.notebook_file import Cell
    from gemini_magic.convert.targets import TARGETS

    context = _context(session)
    chat = asked[-1].text("chat")
    ran = [
        cell
        for cell in _cells(session)
        if chat is None
        or all(one.cell.text("chat") != chat
               for one in prompts_of(cell, context.transform, context.magic))
    ]  # fmt: skip
    own = [
        Cell(f"turn-{number}", "code", replace(cell, magic=context.magic).to_source())
        for number, cell in enumerate(asked)
    ]
    notebook = excerpt([*ran, *own], context.transform, context.magic, "a panel", filled=False)
    return [_program(notebook, context, target, False, False) for target in TARGETS]


def _context(session: Session) -> Context:
    try:
        folder = notebook_path(session.shell.user_ns).absolute().parent
    except UsageError:
        folder = Path.cwd()
    return context_of(folder, session.overrides())


def _programs(session: Session, arguments: argparse.Namespace) -> list[Program]:
    from gemini_magic.convert.excerpt import excerpt
    from gemini_magic.convert.targets import TARGETS

    context = _context(session)
    logged = context.runs or (lambda _: None)
    context = context._replace(runs=lambda sent: session.prompts.run_of(sent) or logged(sent))
    cells = _chosen(_cells(session), arguments.cell, context, session.magic.name)
    frozen = not arguments.live and _is_known(cells[-1], context)
    notebook = excerpt(cells, context.transform, context.magic, "a notebook", filled=frozen)
    targets = [arguments.to] if arguments.to else TARGETS
    made = [_program(notebook, context, target, frozen, arguments.retry) for target in targets]
    if arguments.to and not made[0].text:
        raise UsageError(made[0].notes[0])
    return made


def _is_known(cell: Cell, context: Context) -> bool:
    """Whether the log of runs has all that the cell sent."""
    from gemini_magic.convert.frozen import frozen

    problems: list[str] = []
    return bool(frozen(cell, context.runs, problems.append)) and not problems


def _program(notebook: Any, context: Context, target: str, frozen: bool, retry: bool) -> Program:
    from gemini_magic.convert.options import Options
    from gemini_magic.convert.targets import export
    from gemini_magic.widgets.programs import Program

    title = _TITLES.get(target, target)
    try:
        made = export(notebook, context, target, Options(freeze=frozen, retry=retry))
    except GeminiMagicError as problem:
        return Program(title, "", (str(problem),))
    notes = [f"{note.kind}: {note.text}" for note in made.notes if note.kind != "order"]
    notes += [f"It reads {name}, which %{context.magic} export writes" for name, _ in made.files]
    return Program(title, made.text, tuple(dict.fromkeys(notes)))


def _cells(session: Session) -> list[Cell]:
    """What this session ran, in its order; cells that asked say what they sent."""
    from gemini_magic.convert.notebook_file import Asked, Cell

    asked = {one.execution: one for one in session.prompts}
    sources = session.shell.history_manager.input_hist_raw
    found: list[Cell] = []
    now = running(session.shell)
    for number, source in enumerate(sources):
        if number == 0 or number > now or (number == now and number not in asked):
            continue
        one = asked.get(number)
        sent = tuple(Asked(*row) for row in one.sent) if one else ()
        cell_id = (one.cell if one else "") or f"in-{number}"
        found.append(Cell(cell_id, "code", source, (), number, sent))
    return found


def _chosen(
    cells: Sequence[Cell], wanted: str | None, context: Context, magic_name: str
) -> Sequence[Cell]:
    """The cells up to the prompt that is meant."""
    from gemini_magic.convert.excerpt import prompts_of

    asking = (
        number
        for number in range(len(cells) - 1, -1, -1)
        if prompts_of(cells[number], context.transform, context.magic)
    )
    if wanted is None or (wanted[:1] == "-" and wanted[1:].isdecimal()):
        left = 1 if wanted is None else int(wanted[1:])
        for number in asking:
            left -= 1
            if left <= 0:
                return cells[: number + 1]
        raise UsageError(
            "there is no such prompt in this session." if wanted else "nothing was asked yet.",
            f"For example: %{magic_name} Hello!",
        )
    for number in asking:
        if wanted in (cells[number].id, str(cells[number].ran_as)):
            return cells[: number + 1]
    raise UsageError(
        f"this session ran no prompt in a cell {wanted[:80]!r}.",
        f"The last one: %{magic_name} code",
    )


def _text(programs: Sequence[Program], magic_name: str) -> str:
    """The first program, and how to see the others."""
    first = programs[0]
    lines = [readable(first.text).rstrip("\n")] if first.text else []
    lines += [f"# {readable(note)}" for note in first.notes]
    if len(programs) > 1:
        lines.append(f"# Others: %{magic_name} code --to TARGET (Tab lists them)")
    return "\n".join(lines)
