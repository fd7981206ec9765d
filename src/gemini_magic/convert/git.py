"""Runs the user's own git, so that nothing but what it was asked for happens.

Nothing is ever checked out: commits are made of blobs and trees, in a repository of our own or in
the user's, whose files and index are not touched. Hooks, filters, submodules and external diffs
have no part in that. Source: git's manual, git-commit-tree(1) and git(1), GIT_ALLOW_PROTOCOL.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gemini_magic.errors import GeminiMagicError, UsageError

#: Seconds that a remote may take to answer, or to take a push.
_PATIENCE = 600
_PROTOCOLS = "https:ssh"
_HTTPS = re.compile(r"https://(?P<user>[^/@]*@)?[A-Za-z0-9.\[\]:-]+/\S+\Z")
_SSH = re.compile(r"ssh://(?:[\w.-]+@)?[A-Za-z0-9\[][A-Za-z0-9.\[\]:-]*/\S+\Z")
_SCP = re.compile(r"(?:[\w.]+@)[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)(?!-)\S+\Z")
#: Settings of the repository that would run something, or ask elsewhere.
_QUIET = (
    f"core.hooksPath={os.devnull}", "core.fsmonitor=false", "submodule.recurse=false",
    "push.recurseSubmodules=no", "push.followTags=false", "fetch.recurseSubmodules=no",
    "gc.auto=0", "maintenance.auto=false", "user.useConfigOnly=true", "core.quotePath=true",
)  # fmt: skip
#: What a caller's environment must not decide: which repository is meant, and what is run.
_FOREIGN = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF",
    "GIT_PAGER", "GIT_EDITOR", "GIT_TEMPLATE_DIR", "GIT_TRACE",
)  # fmt: skip


class GitProblem(GeminiMagicError):
    """git could not do what it was asked for."""


class Commit(NamedTuple):
    """A commit that could be made: its tree, its parent's id (None: it has none), and the diff."""

    tree: str
    parent: str | None
    diff: str

    @property
    def is_empty(self) -> bool:
        return not self.diff.strip()


def is_remote(where: str) -> bool:
    """Whether it is an address, and not a folder. Raises ``UsageError`` for what is neither."""
    odd = any(ord(char) < 32 or ord(char) == 127 for char in where)
    if odd or not where or where.startswith("-"):
        raise UsageError(
            "that is no address of a repository; nothing was written.",
            "Name a folder, https://..., ssh://... or git@host:path",
        )
    if Path(where).is_dir():
        return False
    helper = re.match(r"[\w.+-]*::", where)  # a program of git's, or anything (ext::sh -c ...)
    if helper or ("://" in where and not where.startswith(("https://", "ssh://"))):
        raise UsageError(
            f"{where.split('/')[0][:40]} is no protocol that is used here; nothing was written.",
            "Name a folder, https://..., ssh://... or git@host:path",
        )
    if (match := _HTTPS.match(where)) is not None:
        if ":" in (match["user"] or ""):
            raise UsageError(
                "a password stands in the address; nothing was written.",
                "Leave it out: git's credential helper knows it (git help credentials).",
            )
        return True
    if _SSH.match(where) or _SCP.match(where):
        return True
    raise UsageError(
        f"{where[:200]} is neither a folder nor the address of a repository; nothing was written.",
        "Name a folder, https://..., ssh://... or git@host:path",
    )


class Repository:
    """A repository that commits are made in, and git's commands on it."""

    def __init__(self, folder: Path, *, terminal: bool) -> None:
        if (program := shutil.which("git")) is None:
            raise GitProblem("git is not installed.", "Install it: https://git-scm.com/downloads")
        self._git = program
        self._folder = folder
        self._terminal = terminal

    def run(
        self, *words: str, given: bytes = b"", env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """The exit status and what git says."""
        settings = [word for one in _QUIET for word in ("-c", one)]
        asks = self._terminal and words[0] in ("fetch", "push", "ls-remote")
        try:
            done = subprocess.run(
                [self._git, "--no-pager", *settings, *words],
                cwd=self._folder, env={**self._environment(), **(env or {})},
                input=None if asks else given, capture_output=True, timeout=_PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise GitProblem(f"git {words[0]} did not end in {_PATIENCE} seconds.") from None
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return done.returncode, out, err

    def out(self, *words: str, given: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """What git says. Raises ``GitProblem`` if it fails."""
        status, out, err = self.run(*words, given=given, env=env)
        if status:
            raise problem_of(words[0], err or out)
        return out.strip("\n")

    def _environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        env |= {"LC_ALL": "C", "GIT_ALLOW_PROTOCOL": _PROTOCOLS, "GIT_OPTIONAL_LOCKS": "0"}
        if not self._terminal:
            env |= {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}
            env.setdefault("GIT_ASKPASS", "")
            if "GIT_SSH" not in env and "GIT_SSH_COMMAND" not in env and not self._own_ssh():
                env["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
        return env

    def _own_ssh(self) -> bool:
        done = subprocess.run(
            [self._git, "config", "--get", "core.sshCommand"],
            cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode == 0

    # --- commits ---

    def head_of(self, branch: str) -> str | None:
        """The commit that a branch is at; None where there is no such branch."""
        status, out, _ = self.run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        return out.strip() if status == 0 else None

    def prepare(self, files: Mapping[str, bytes], parent: str | None) -> Commit:
        """What the commit of these files on top of ``parent`` would be; nothing stays written."""
        objects = self.out("rev-parse", "--git-path", "objects")
        with tempfile.TemporaryDirectory(prefix="gemini-magic-") as folder:
            env = {
                "GIT_OBJECT_DIRECTORY": folder,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((self._folder / objects).resolve()),
            }
            tree = self._tree(files, parent, env)
            before = f"{parent}^{{tree}}" if parent else self._tree({}, None, env)
            diff = self.out(
                "diff-tree", "-r", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames",
                "--stat=100", "--patch", before, tree, env=env,
            )  # fmt: skip
        return Commit(tree, parent, diff)

    def commit(self, files: Mapping[str, bytes], parent: str | None, message: str) -> str:
        """Make the commit; no branch is at it yet. Its id."""
        tree = self._tree(files, parent, {})
        parents = ("-p", parent) if parent else ()
        return self.out("commit-tree", *parents, "-F", "-", tree, given=message.encode("utf-8"))

    def move(self, branch: str, new: str, old: str | None) -> None:
        """Let a branch be at a commit, if it still is where it was."""
        self.out("update-ref", "-m", "gemini export", f"refs/heads/{branch}", new, old or "")

    def _tree(self, files: Mapping[str, bytes], parent: str | None, env: Mapping[str, str]) -> str:
        """The tree of ``parent`` with these files in it."""
        with tempfile.TemporaryDirectory(prefix="gemini-magic-") as folder:
            env = {**env, "GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.out("read-tree", parent or "--empty", env=env)
            rows = []
            for name, data in files.items():
                blob = self.out("hash-object", "-w", "--no-filters", "--stdin", given=data, env=env)
                mode = "100755" if name.endswith(".sh") else "100644"
                rows.append(f"{mode} {blob}\t{name}\0")
            given = "".join(rows).encode("utf-8")
            self.out("update-index", "-z", "--replace", "--add", "--index-info", given=given,
                     env=env)  # fmt: skip
            return self.out("write-tree", env=env)

    def check_branch(self, branch: str) -> None:
        """Raise ``UsageError`` unless it can be a branch's name."""
        status = 1
        if not branch.startswith("-") and "\0" not in branch:
            status, _, _ = self.run("check-ref-format", f"refs/heads/{branch}")
        if status or branch == "HEAD":
            raise UsageError(f"{branch[:80]!r} is no name of a branch; nothing was written.")

    def check_identity(self) -> None:
        """Raise ``GitProblem`` unless git knows who commits."""
        for kind in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            if self.run("var", kind)[0]:
                raise GitProblem(
                    "git does not know who you are; nothing was written.",
                    'git config --global user.name "Your Name"; '
                    "git config --global user.email you@example.com",
                )

    def checked_out(self, branch: str) -> str:
        """The folder in which a branch is checked out; empty where it is in none."""
        place = ""
        for line in self.out("worktree", "list", "--porcelain").splitlines():
            word, _, rest = line.partition(" ")
            if word == "worktree":
                place = rest
            elif word == "bare":
                place = ""
            elif word == "branch" and rest == f"refs/heads/{branch}" and place:
                return place
        return ""


@contextmanager
def scratch(*, terminal: bool) -> Iterator[Repository]:
    """A repository of our own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gemini-magic-") as folder:
        made = Repository(Path(folder), terminal=terminal)
        made.out("init", "--bare", "--quiet", "--template=", ".")
        yield made


def problem_of(word: str, said: str) -> GitProblem:
    """What git says as an error of ours."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "! ", "remote:"))]
    text = "; ".join(dict.fromkeys(told or lines[:3])) or "it says nothing"
    text = "".join(char if char.isprintable() else "?" for char in text)[:500]
    text = re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)
    if "dubious ownership" in said:
        hint = "The folder is another user's: git config --global --add safe.directory FOLDER"
    elif "terminal prompts disabled" in said or "could not read Username" in said:
        hint = "Log in first, so that git's credential helper knows you: git help credentials"
    elif "Permission denied" in said or "Authentication failed" in said:
        hint = "Check that you may push there with your own git."
    elif "not allowed" in said and "transport" in said:
        hint = "Only https and ssh are used; see your git's url.*.insteadOf settings."
    else:
        hint = ""
    return GitProblem(f"git {word} failed: {text}", hint)
