"""Where a restore goes, read off the runbook's own commands: the scratch namespace, its pod, what it applies.

docs/restores.md says what such a section holds. Nothing is restored into a namespace that is not labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assay.drills.faults.scratch import LABEL, labelled
from assay.drills.restore.procedure import Procedure, StepError
from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.probes.runbook.shell import Command


CONTRACT = "docs/restores.md says what a section that restores holds"


@dataclass(frozen=True, slots=True)
class ScratchPlace:
    """Where a section of the runbook restores.

    Attributes:
        namespace: the scratch namespace.
        pod: the pod of the restored service.
        made: the command that makes the namespace from a manifest.
        applied: the command that applies the kustomization of the restored service.
    """

    namespace: str
    pod: str
    made: Command
    applied: Command

    @property
    def manifest(self) -> str:
        """Return the word that names the manifest of the namespace."""
        return word_after(self.made, "-f")

    @property
    def overlay(self) -> str:
        """Return the word that names the folder of the kustomization."""
        return word_after(self.applied, "-k")

    def check(self, procedure: Procedure) -> None:
        """Check that the namespace is one for restores, by its manifest in the sandbox.

        Raises:
            StepError: it is another one, or is not labelled.
        """
        document = _document(procedure.file(self.made, self.manifest), self.made)
        meta = document.get("metadata") or {}
        if meta.get("name") != self.namespace:
            raise StepError(self.made.ref, f"makes a namespace other than {self.namespace}")
        if not labelled(document):
            raise StepError(self.made.ref, f'Namespace {self.namespace} has no label {LABEL}: "true"')


def place_of(commands: Sequence[Command], title: str) -> ScratchPlace:
    """Return where the commands of a section restore.

    Raises:
        ProbeError: the section does not hold what one that restores must.
    """
    shown = _first(commands, title, "kubectl -n NAMESPACE get pod POD", "get", "pod")
    made = _first(commands, title, "kubectl create -f MANIFEST of the namespace", "create", "-f")
    applied = _first(commands, title, "kubectl apply -k FOLDER", "apply", "-k")
    return ScratchPlace(word_after(shown, "-n"), word_after(shown, "pod"), made, applied)


def word_after(command: Command, flag: str) -> str:
    """Return the word after `flag`, empty where there is none."""
    words = command.words
    return words[words.index(flag) + 1] if flag in words[:-1] else ""


def _first(commands: Sequence[Command], title: str, what: str, *wanted: str) -> Command:
    needed = "-n" if "-n NAMESPACE" in what else wanted[-1]
    for one in commands:
        if (
            one.words[:1] == ("kubectl",)
            and {*wanted, needed} <= set(one.words)
            and word_after(one, wanted[-1])
        ):
            return one
    raise ProbeError(f"the runbook's section {title!r} has no command {what}", CONTRACT)


def _document(path: Path, command: Command) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, *WRONG):
        found = None
    if not isinstance(found, dict) or found.get("kind") != "Namespace":
        raise StepError(command.ref, "does not make a namespace from a manifest of its own")
    return found
