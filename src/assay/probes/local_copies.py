"""Credentials of an administrator that documents, scripts or pipelines leave on some machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from assay.errors import ProbeError
from assay.model import Offender
from assay.probes.runbook import Command
from assay.probes.yaml_text import documents, text_of


HOME = re.compile(r"(?:^|[=:\s\"'])(?:~|\$HOME|\$\{HOME\}|/root|/home/[\w.-]+)(?=/)[\w./~${}-]*")
CREDENTIAL = re.compile(r"(talosconfig|kubeconfig|\.kube/|\.talos/|admin\.conf)", re.IGNORECASE)
KEPT = ("cache", "artifacts")
KEEPS = re.compile(r"/(?:upload-artifact|cache)(?:/save)?@")
MERGED = "--merge=false"


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


def in_documents(commands: Iterable[tuple[str, Sequence[Command]]]) -> list[Offender]:
    """Return the commands, given by section, that leave an administrator's credential behind.

    It is made in the working folder, never merged into a person's own, and destroyed in the same section.
    """
    return [one for _, section in commands for one in _of_section(section)]


def _of_section(section: Sequence[Command]) -> Iterator[Offender]:
    for number, command in enumerate(section):
        later = section[number + 1 :]
        gone = {_plain(word) for one in later if one.tool == "shred" for word in one.words[1:]}
        line = " ".join((*command.words, command.stdin, command.stdout))
        if any(CREDENTIAL.search(found.group()) for found in HOME.finditer(line)):
            yield Offender(command.named, "a credential in a person's home folder")
        made = _made(command)
        if made is not None and not made:
            yield Offender(command.named, "merged into a person's own kubeconfig")
        elif made and _plain(made) not in gone and not _below(made, gone):
            yield Offender(
                command.named, f"{_plain(made)} is left behind: shred it at the end of the section"
            )


def _made(command: Command) -> str | None:
    """Return the credential file that a command writes: empty where it merges one, None where none."""
    words = command.words
    if command.tool == "talosctl" and "kubeconfig" in words:
        paths = [word for word in words[words.index("kubeconfig") + 1 :] if not word.startswith("-")]
        return paths[0] if paths and MERGED in words else ""
    said = set(pairwise(words))
    if command.tool == "talosctl" and said & {("gen", "config"), ("config", "new")}:
        flags = dict(pairwise(words))
        return flags.get("--output") or flags.get("-o") or words[-1]
    if command.tool == "talosctl" and ("config", "merge") in said:
        return ""
    if command.tool == "kubectl" and ("config", "view") in said and "--raw" in words:
        return command.stdout or None
    return None


def _plain(path: str) -> str:
    return path.removeprefix("./").rstrip("/")


def _below(made: str, gone: Iterable[str]) -> bool:
    return any(_plain(made).startswith(f"{one}/") for one in gone)


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
