"""A Git repository.

What it tracks now and what any commit of it ever held. Driven through the git command.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.formats.yaml_text import documents
from assay.gaps import Gaps
from assay.secretscan.suspect import repeated


GIT_TIMEOUT_S = 120.0
MAX_TEXT_BYTES = 1024 * 1024
SECRET_FILES = re.compile(
    r"(.*\.tfstate(\.\d+)?(\.backup)?|.*\.tfplan|(.*[-_.])?talosconfig(\.ya?ml)?|(.*[-_.])?kubeconfig(\.ya?ml)?"
    r"|(talos-)?secrets[-_]bundle\.ya?ml|id_(rsa|ed25519|ecdsa)|.*\.(pfx|p12))",
    re.IGNORECASE,
)
# What `talosctl gen config` and `gen secrets` write; a patch may bear the same name, so its lines decide.
RENDERED_FILES = re.compile(r"(.*[-_.])?(controlplane|worker|init|secrets)\.ya?ml", re.IGNORECASE)
FILLED_IN = re.compile(
    r"^[ \t-]*(token|crt|key|secret|bootstraptoken|secretboxencryptionsecret)[ \t]*:[ \t]*"
    r"(?![\"']?(\$|\{\{|<|ENC\[))[\"']?[A-Za-z0-9+/=.]{16,}",
    re.MULTILINE | re.IGNORECASE,
)
# What makes a YAML file one of them: a configuration of machines, or a bundle of their secrets.
CONFIGURES = re.compile(r"^(machine|cluster|certs|trustdinfo|secrets):", re.MULTILINE)
# How encrypted files begin: git-crypt, age, Ansible's vault.
ENCRYPTED = (b"\0GITCRYPT\0", b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED", b"$ANSIBLE_VAULT")
SOURCE = frozenset({".py", ".go", ".js", ".ts", ".rs", ".lark"})
# An encoded "-----BEGIN ": what Talos and kubeconfig files hold certificates and keys as.
ENCODED_PEM = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,}={0,2}")
CLEAR_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20,}")
TALOS_SECRETS = re.compile(
    r"^[ \t-]*(?P<key>token|secretboxEncryptionSecret|aescbcEncryptionSecret|secret|key)[ \t]*:[ \t]*[\"']?"
    r"(?P<value>[a-z0-9]{6}\.[a-z0-9]{16}|[A-Za-z0-9+/]{43}=)[\"']?[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
AGE_KEY = re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]{58}")


@dataclass(frozen=True, slots=True)
class Blob:
    """One version of one file: path, object id, and whether the current tree still has it under this path."""

    path: str
    oid: str
    current: bool

    @property
    def ref(self) -> str:
        """Return `File path`."""
        return f"File {self.path}"


@dataclass(frozen=True, slots=True)
class ExposedFile:
    """A machine secret in Git: `File path` or `File path:line`, and why. The secret itself is never kept."""

    ref: str
    why: str


class GitTree:
    """A work tree and its whole history, all branches and tags.

    A submodule's files are in another repository: each is noted in `gaps`.

    Raises:
        ProbeError: no repository, a shallow or partial clone (history that is not there cannot be judged),
        or git failed.
    """

    def __init__(self, tree: SourceTree) -> None:
        """Read nothing yet; `tree` is the work tree, and how its files are called."""
        self.path, self.gaps, self._tree = tree.path, Gaps(), tree

    @cached_property
    def blobs(self) -> tuple[Blob, ...]:
        """Return every version of every file: what the index holds, then what only the history holds."""
        self._refuse_half_a_history()
        current = self._index()
        known = {(blob.path, blob.oid) for blob in current}
        past = [Blob(self.name(path), oid, current=False) for path, oid in sorted(self._history())]
        every = (*current, *(blob for blob in past if (blob.path, blob.oid) not in known))
        return tuple(blob for blob in every if not self._left_out(blob.path))

    def name(self, path: str) -> str:
        """Return what a file is called by its path in the repository; the repository's label comes first."""
        return f"{self._tree.label}/{path}" if self._tree.label else path

    def _left_out(self, name: str) -> bool:
        """Return whether the profile excludes a file, and note it."""
        one = self._tree.exclusion(name)
        if one is not None:
            self.gaps.excluded[name] = one.reason
        return one is not None

    def exposures(self) -> list[ExposedFile]:
        """Return the machine secrets among `blobs`.

        Files that should never be in Git by name, unless they hold something else, and secrets by shape.
        """
        found: dict[tuple[str, str], ExposedFile] = {}
        for blob, content in zip(self.blobs, self.contents(self.blobs), strict=True):
            where = "tracked" if blob.current else f"in the history, object {blob.oid[:12]}"
            for ref, why in _exposed(blob, content):
                found.setdefault((ref, why), ExposedFile(ref, f"{why}; {where}"))
        return list(found.values())

    def _refuse_half_a_history(self) -> None:
        if not self.path.is_dir() or self._git("rev-parse", "--is-inside-work-tree").strip() != "true":
            raise ProbeError(f"{self.path.name}: is not a Git work tree", "set repositories under [paths]")
        if self._git("rev-parse", "--is-shallow-repository").strip() == "true":
            raise ProbeError(
                f"{self.path.name}: is a shallow clone", "fetch the whole history: git fetch --unshallow"
            )
        if "promisor" in self._git("config", "--list", "--name-only"):
            raise ProbeError(f"{self.path.name}: is a partial clone", "clone without --filter")

    def _index(self) -> list[Blob]:
        rows = [row.split("\t", 1) for row in self._git("ls-files", "--stage", "-z").split("\0") if row]
        return [
            Blob(self.name(path), head.split()[1], current=True)
            for head, path in rows
            if not head.startswith("160000")
        ]

    def _history(self) -> set[tuple[str, str]]:
        """Return (path, object id) of every file version that a commit on any ref added or changed."""
        log = self._git(
            "log", "--all", "--raw", "-z", "-m", "--root", "--no-abbrev", "--no-renames", "--format="
        ).split("\0")
        found = set()
        for head, path in itertools.pairwise(log):
            parts = head.strip().split()
            if (
                head.strip().startswith(":")
                and len(parts) == 5
                and set(parts[3]) != {"0"}
                and parts[1] != "160000"
            ):
                found.add((path, parts[3]))
        return found

    def contents(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Return each blob's bytes, in order.

        Raises:
            ProbeError: an object is missing.
        """
        if not blobs:
            return
        raw = self._run("cat-file", "--batch", stdin="".join(f"{blob.oid}\n" for blob in blobs).encode())
        start = 0
        for blob in blobs:
            end = raw.index(b"\n", start)
            header = raw[start:end].split()
            if len(header) != 3:
                raise ProbeError(f"{blob.path}: its object is missing", "run git fsck; clone again")
            size = int(header[2])
            yield raw[end + 1 : end + 1 + size]
            start = end + size + 2

    def worktree(self) -> list[str]:
        """Return the paths of the files that are tracked, or that a commit of everything would add.

        Those that the profile excludes are left out.
        """
        listed = self._git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
        return sorted({path for path in listed if path and not self._left_out(self.name(path))})

    def note_submodules(self) -> None:
        """Note every submodule: its files are not here."""
        rows = [row.split("\t", 1) for row in self._git("ls-files", "--stage", "-z").split("\0") if row]
        for path in (self.name(path) for head, path in rows if head.startswith("160000")):
            if not self._left_out(path):
                with self.gaps.part(f"File {path}"):
                    raise ProbeError(
                        f"{path}: a submodule, its files are not here", "add its repository to repositories"
                    )

    def messages(self) -> list[tuple[str, str]]:
        """Return (`Commit <id>` or `Tag <name>`, text) of every commit and annotated tag on any ref."""
        commits = self._git("log", "--all", "--format=%H%x00%B%x1e").split("\x1e")
        tags = self._git("for-each-ref", "--format=%(refname:short)%00%(contents)%1e", "refs/tags").split(
            "\x1e"
        )
        found = [("Commit", row) for row in commits] + [("Tag", row) for row in tags]
        pairs = [(kind, *row.strip("\n").partition("\0")[::2]) for kind, row in found if row.strip()]
        return [(f"{kind} {name[:12] if kind == 'Commit' else name}", text) for kind, name, text in pairs]

    def _git(self, *arguments: str) -> str:
        return self._run(*arguments).decode("utf-8", "surrogateescape")

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", "-C", str(self.path), "-c", "core.quotePath=false", *arguments]
        what = f"git {arguments[0]} in {self.path.name}"
        done = run_tool(command, GIT_TIMEOUT_S, what, remedy="install git; check the disk", stdin=stdin)
        if done.code:
            said = repeated(done.last_line) or f"exit {done.code}"
            raise ProbeError(f"{what}: {said}", "check repositories under [paths]")
        return done.out


def _exposed(blob: Blob, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield (`File path` or `File path:line`, why) of what one version of a file gives away."""
    name = PurePosixPath(blob.path).name
    binary = len(content) > MAX_TEXT_BYTES or b"\0" in content[:8000]
    text = "" if binary else content.decode("utf-8", "replace")
    found = secrets_in_file(text) if PurePosixPath(blob.path).suffix not in SOURCE else []
    if SECRET_FILES.fullmatch(name) and not _holds_something_else(content, text, bool(found)):
        yield blob.ref, "a file of this name holds secrets"
    if RENDERED_FILES.fullmatch(name) and CONFIGURES.search(text) and FILLED_IN.search(text):
        yield blob.ref, "a rendered configuration with its secrets"
    for line, what in found:
        yield f"{blob.ref}:{line}", what


def _holds_something_else(content: bytes, text: str, secret: bool) -> bool:
    """Return whether a file whose name stands for secrets is shown to hold none.

    It is empty or encrypted, a template without a secret, a list of tasks, an object of another kind.
    """
    if secret:
        return False
    if not content.strip() or content.startswith(ENCRYPTED) or "{{" in text:
        return True
    try:
        found = documents(text, "text") if text else []
    except ProbeError:
        return False
    encrypted = any(one.under("sops") for one in found)
    other = all(one.get("kind") not in ("", "Config") and one.get("apiVersion") for one in found)
    tasks = all(one.leaves and all(leaf.path and isinstance(leaf.path[0], int) for leaf in one.leaves)
                for one in found)  # fmt: skip
    return bool(found) and (encrypted or other or tasks)


def remotes(folder: Path) -> frozenset[str]:
    """Return the repositories that a work tree is a clone of, by `repository_name`; none without Git."""
    try:
        words = ["git", "-C", folder, "config", "--get-regexp", r"^remote\..*\.url$"]
        done = run_tool(words, GIT_TIMEOUT_S, "git config")
    except ProbeError:
        return frozenset()
    return frozenset(repository_name(line.partition(" ")[2]) for line in done.text.splitlines())


def repository_name(address: str) -> str:
    """Return `owner/name` of a repository's address, however it is written."""
    parts = re.split(r"[/:]+", address.strip().removesuffix("/").removesuffix(".git"))
    return "/".join(parts[-2:]).lower()


def secrets_in_file(content: str) -> list[tuple[int, str]]:
    """Return (line, what it is) of every machine secret in a text; never the secret."""
    found = [(match.start(), "a private key in clear") for match in CLEAR_KEY.finditer(content)]
    found += [
        (match.start(), "a private key, encoded")
        for match in ENCODED_PEM.finditer(content)
        if _is_key(match.group())
    ]
    found += [
        (match.start("key"), f"a Talos {match.group('key')}") for match in TALOS_SECRETS.finditer(content)
    ]
    found += [(match.start(), "an age secret key") for match in AGE_KEY.finditer(content)]
    return [(content.count("\n", 0, at) + 1, what) for at, what in sorted(found)]


def _is_key(encoded: str) -> bool:
    try:
        clear = base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except binascii.Error:
        return True
    return b"PRIVATE KEY" in clear[:60]
