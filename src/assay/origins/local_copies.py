"""Credentials of an administrator that documents, scripts or pipelines leave on some machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from assay.formats.yaml_text import YamlScalar, documents, text_of
from assay.model import Offender
from assay.probes.gitops.git import GitTree
from assay.probes.runbook.cobra import Call
from assay.probes.runbook.reader import Runbook
from assay.probes.runbook.shell import Command


HOME = re.compile(r"(?:^|[=:\s\"'])(?:~|\$HOME|\$\{HOME\}|/root|/home/[\w.-]+)(?=/)[\w./~${}-]*")
CREDENTIAL = re.compile(r"(talosconfig|kubeconfig|\.kube/|\.talos/|admin\.conf)", re.IGNORECASE)
KEPT = ("cache", "artifacts")
KEEPS = re.compile(r"/(?:upload-artifact|cache)(?:/save)?@")
ISSUERS = ("talosctl", "kubectl")
OUTPUTS = ("-o", "--output", "-out")
COPIES = frozenset({"cp", "mv", "install", "scp", "copy", "copyto", "move", "moveto"})
NO = ("false", "f", "0")


@dataclass(frozen=True, slots=True)
class Script:
    """A file of a pipeline or a script, by its path in the repository; the values of one that is YAML."""

    path: str
    text: str
    leaves: tuple[YamlScalar, ...] = ()


def scripts(repository: GitTree, globs: Sequence[str]) -> list[Script]:
    """Return the files of a repository that one of `globs` picks; one that cannot be read is noted in its gaps.

    Raises:
        ProbeError: it is not a repository.
    """
    found = []
    for path in repository.worktree():
        name, file = repository.name(path), repository.path / path
        if file.is_file() and any(PurePosixPath(path).match(glob) for glob in globs):
            with repository.gaps.part(f"File {name}"):
                text = text_of(file, name)
                pipeline = documents(text, name) if file.suffix in (".yml", ".yaml") else []
                found.append(Script(name, text, tuple(leaf for one in pipeline for leaf in one.leaves)))
    return found


def in_documents(runbook: Runbook) -> list[Offender]:
    """Return the commands of the runbook that leave an administrator's credential behind.

    It is made in the working folder, never merged into a person's own, and destroyed in the same section.

    Raises:
        ProbeError: the runbook cannot be read, or a tool does not say how it takes a command.
    """
    return [one for _, section in runbook.sections() for one in _of_section(section, runbook)]


def _of_section(section: Sequence[Command], runbook: Runbook) -> Iterator[Offender]:
    for number, command in enumerate(section):
        gone = {_plain(word) for later in section[number + 1 :] for word in _ended(later)}
        line = " ".join((*command.words, command.stdin, command.stdout))
        if any(CREDENTIAL.search(found.group()) for found in HOME.finditer(line)):
            yield Offender(command.ref, "a credential in a person's home folder")
        made = _made(command, runbook)
        if "" in made:
            yield Offender(command.ref, "merged into a person's own kubeconfig")
        for left in sorted({_plain(one) for one in made if one} - gone):
            yield Offender(command.ref, f"{left} is left behind: shred it at the end of the section")


def _ended(command: Command) -> Sequence[str]:
    """Return the files that are no more after a command; what is moved is made anew under another name."""
    if command.tool == "shred":
        return command.words[1:]
    return command.words[1:-1] if command.tool == "mv" else ()


def _made(command: Command, runbook: Runbook) -> set[str]:
    """Return the credential files that a command writes, with "" among them where it merges one."""
    found = {path for path in _written(command) if CREDENTIAL.search(path)} | _copied(command)
    if command.tool in ISSUERS and {"kubeconfig", "config"} & set(command.words):
        found |= _issued(runbook.call(command), command.stdout)
    return found


def _written(command: Command) -> Iterator[str]:
    """Yield the files that a command writes, as its words say; to kubectl an output is a format, no file."""
    yield command.stdout
    if command.tool == "tee":
        yield from command.words[1:]
    for word, following in pairwise((*command.words, "")):
        name, equals, value = word.partition("=")
        if name in OUTPUTS and command.tool != "kubectl":
            yield value if equals else following


def _copied(command: Command) -> set[str]:
    """Return where a command copies to, if a word of it names a credential."""
    words = command.words
    if not COPIES & {command.tool, *words[1:-2]} or not CREDENTIAL.search(" ".join(words[1:])):
        return set()
    return {_inside(words[-1], PurePosixPath(one).name) for one in words[1:-1] if not one.startswith("-")}


def _issued(call: Call, stdout: str) -> set[str]:
    """Return the file that talosctl or kubectl writes a credential to, as it reads its words: "" merges."""
    flags, path = call.flags, next(iter(call.arguments), "")
    match call.path:
        case ("config", "merge"):
            return {""}
        case ("kubeconfig",):
            if flags.get("--merge", flags.get("-m", "")).lower() not in NO:
                return {""}
            path = _inside(path or ".", "kubeconfig")
        case ("config", "new"):
            path = path or "talosconfig"
        case ("gen", "config"):
            path = flags.get("--output") or flags.get("-o") or ""
            types = flags.get("--output-types") or flags.get("-t") or ","
            path = f"{path or '.'}/talosconfig" if "," in types or not path else path
        case ("config", "view") if "--raw" in flags:
            path = "-"
        case _:
            return set()
    return ({stdout} if stdout else set()) if path == "-" else {path}


def _inside(path: str, name: str) -> str:
    return f"{path}/{name}" if path in (".", "..") or path.endswith("/") else path


def _plain(path: str) -> str:
    return str(PurePosixPath(path))


def in_scripts(found: Iterable[Script]) -> list[Offender]:
    """Return the lines of scripts and pipelines that keep an administrator's credential."""
    return [one for script in found for one in _of_script(script)]


def _of_script(script: Script) -> Iterator[Offender]:
    for number, line in enumerate(script.text.splitlines(), 1):
        if any(CREDENTIAL.search(found.group()) for found in HOME.finditer(line)):
            yield Offender(f"File {script.path}:{number}", "a credential in a person's home folder")
    steps = [one.path[:-1] for one in script.leaves if one.path[-1:] == ("uses",) and KEEPS.search(one.text)]
    for leaf in script.leaves:
        kept = any(str(part) in KEPT for part in leaf.path)
        if CREDENTIAL.search(leaf.text) and (kept or any(leaf.path[: len(s)] == s for s in steps)):
            yield Offender(f"File {script.path}:{leaf.line}", "a credential in a cache or an artifact")
