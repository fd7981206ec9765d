"""``--git``: a bundle's files as a commit on a branch, shown first, and never forced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gemini_magic.convert import git
from gemini_magic.convert.git import Commit, GitProblem, Repository
from gemini_magic.errors import UsageError

if TYPE_CHECKING:
    from gemini_magic.convert.command import Face

BRANCH = "gemini-export"


def put(
    files: Mapping[str, bytes], where: str, branch: str, message: str, *, yes: bool, face: Face
) -> None:
    """Commit the files to a branch of a folder's repository, or of a remote's.

    Other files of the branch stay; a new branch holds nothing else. The diff is shown before, and
    without ``yes`` nobody but a user who is asked lets it go on. Raises ``GeminiMagicError``.
    """
    terminal = face.ask is not None
    if git.is_remote(where):
        with git.scratch(terminal=terminal) as repository:
            _push(repository, files, where, branch, message, yes, face)
    else:
        _commit(_opened(Path(where), terminal), files, where, branch, message, yes, face)


def _opened(folder: Path, terminal: bool) -> Repository:
    repository = Repository(folder, terminal=terminal)
    status, _, said = repository.run("rev-parse", "--git-dir")
    if status and "dubious" in said:
        raise git.problem_of("rev-parse", said)
    if status:
        raise UsageError(
            f"{folder} is no git repository; nothing was written.", f"git init {folder}"
        )
    return repository


def _commit(
    repository: Repository, files: Mapping[str, bytes], where: str, branch: str, message: str,
    yes: bool, face: Face,
) -> None:  # fmt: skip
    repository.check_branch(branch)
    repository.check_identity()
    if place := repository.checked_out(branch):
        raise UsageError(
            f"the branch {branch} is checked out in {place}; nothing was written.",
            "Name another one: --branch NAME",
        )
    parent = repository.head_of(branch)
    if not _is_wanted(repository.prepare(files, parent), where, branch, yes, face):
        return
    made = repository.commit(files, parent, message)
    try:
        repository.move(branch, made, parent)
    except GitProblem as problem:
        raise _moved(branch, problem) from None
    face.say(f"committed {made[:12]} to {branch} in {where}")


def _push(
    repository: Repository, files: Mapping[str, bytes], where: str, branch: str, message: str,
    yes: bool, face: Face,
) -> None:  # fmt: skip
    repository.check_branch(branch)
    repository.check_identity()
    listed = repository.out("ls-remote", "--", where, f"refs/heads/{branch}")
    parent = None
    for line in listed.splitlines():
        commit, _, name = line.partition("\t")
        if name == f"refs/heads/{branch}":
            parent = commit
    if parent is not None:
        repository.out(
            "fetch", "--quiet", "--no-tags", "--depth=1", "--no-write-fetch-head", "--", where,
            f"+refs/heads/{branch}:refs/heads/{branch}",
        )  # fmt: skip
        parent = repository.head_of(branch)
    if not _is_wanted(repository.prepare(files, parent), where, branch, yes, face):
        return
    made = repository.commit(files, parent, message)
    status, out, said = repository.run(
        "push", "--porcelain", "--no-verify", "--no-force", "--no-signed", "--", where,
        f"{made}:refs/heads/{branch}",
    )  # fmt: skip
    if status:
        problem = git.problem_of("push", f"{said}\n{_refused(out)}")
        if any(
            word in f"{out}{said}" for word in ("non-fast-forward", "fetch first", "stale info")
        ):
            raise _moved(branch, problem)
        raise problem
    face.say(f"pushed {made[:12]} to {branch} of {where}")


def _refused(out: str) -> str:
    """The lines of ``git push --porcelain`` that say why; they begin with an exclamation mark."""
    return "\n".join(line.replace("\t", " ") for line in out.splitlines() if line.startswith("!"))


def _moved(branch: str, problem: GitProblem) -> GitProblem:
    return GitProblem(
        f"the branch {branch} has moved on meanwhile; nothing was forced. {problem.what}",
        "Run it again, to see the new diff.",
    )


def _is_wanted(commit: Commit, where: str, branch: str, yes: bool, face: Face) -> bool:
    """Show the diff and ask. Raises ``UsageError`` where the answer is no, or nobody answers."""
    if commit.is_empty:
        face.say(f"{branch} of {where} holds all of that already.")
        return False
    head = "a new branch" if commit.parent is None else f"on top of {commit.parent[:12]}"
    face.say(f"{branch} of {where} ({head}) would get:")
    face.print("".join(char if char.isprintable() or char in "\n\t" else "?"
                       for char in commit.diff))  # fmt: skip
    if yes or (face.ask is not None and face.ask(f"Commit this to {branch}?")):
        return True
    raise UsageError("nothing was committed.", "To go on without a question, add --yes.")
