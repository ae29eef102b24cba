"""Credentials of an administrator that documents, scripts or pipelines leave on some machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from assay.errors import ProbeError
from assay.formats.yaml_text import documents, text_of
from assay.model import Offender
from assay.probes.runbook.cobra import Call
from assay.probes.runbook.reader import Command, Runbook


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
    """A file of a pipeline or a script, by its path in the repository."""

    path: str
    text: str


def scripts(root: Path, names: Iterable[str], globs: Sequence[str]) -> list[Script]:
    """Return the files among `names` that one of `globs` picks.

    Raises:
        ProbeError: one cannot be read.
    """
    chosen = [one for one in names if any(PurePosixPath(one).match(glob) for glob in globs)]
    return [Script(one, text_of(root / one, one)) for one in chosen if (root / one).is_file()]


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
    """Return the lines of scripts and pipelines that keep an administrator's credential.

    Raises:
        ProbeError: a pipeline is no YAML.
    """
    return [one for script in found for one in _of_script(script)]


def _of_script(script: Script) -> Iterator[Offender]:
    for number, line in enumerate(script.text.splitlines(), 1):
        if any(CREDENTIAL.search(found.group()) for found in HOME.finditer(line)):
            yield Offender(f"File {script.path}:{number}", "a credential in a person's home folder")
    if script.path.endswith((".yml", ".yaml")):
        try:
            leaves = [leaf for one in documents(script.text, script.path) for leaf in one.leaves]
        except ProbeError as why:
            raise ProbeError(why.message, "write the pipeline as YAML") from why
        steps = [leaf.path[:-1] for leaf in leaves if leaf.path[-1:] == ("uses",) and KEEPS.search(leaf.text)]
        for leaf in leaves:
            kept = any(str(part) in KEPT for part in leaf.path)
            if CREDENTIAL.search(leaf.text) and (kept or any(leaf.path[: len(s)] == s for s in steps)):
                yield Offender(f"File {script.path}:{leaf.line}", "a credential in a cache or an artifact")
