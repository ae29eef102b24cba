"""What a part is: a piece of the platform that the lab can be started with or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import pki
from lab.build import Component
from lab.deploy import Cluster, Manifest, rolled_out
from lab.images import Recipe


FIRST = {"Namespace", "CustomResourceDefinition"}
Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Context:
    """What a part works with.

    `refs` are the image references by name, `documents` the part's own rendered manifests; both are empty in
    `before`, which runs before the nodes start.
    """

    binaries: Path
    state: Path
    cluster: Cluster
    authority: pki.Pair
    refs: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[Manifest, ...] = ()
    say: Callable[[str], None] = lambda _: None

    @property
    def escrow(self) -> Path:
        """Return the folder of the escrow kit: what a restore may use besides object storage and Git."""
        folder = self.state / "escrow"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


def _nothing(_context: Context) -> None:
    return None


def _no_secrets(_context: Context) -> list[Manifest]:
    return []


def _no_tables(_context: Context) -> Tables:
    return {}


def apply_all(context: Context) -> None:
    """Apply the part's documents and wait until its Deployments are rolled out."""
    rest = [d for d in context.documents if d["kind"] not in FIRST]
    context.cluster.apply(rest)
    for document in rest:
        if document["kind"] == "Deployment":
            rolled_out(context.cluster, document["metadata"]["namespace"], document["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Part:
    """One part: what it is built from, what it deploys, what the profile says about it.

    Attributes:
        name: as in `lab up --without NAME`.
        needs: other parts that must be present, and start earlier.
        expected: seconds that `deploy` takes.
        packages: Debian package -> a file that proves it is installed.
        components: Go modules below `lab/components`.
        images: image name -> recipe.
        names: image name -> its name in the manifests.
        folders: kustomize folders below `gitops/`.
        programs: names of its programs beside the nodes, as passed to `lab.process`.
        controls: ids that cannot be judged without the part.
        before: runs before the nodes start.
        secrets: the Secrets that reach the cluster through SOPS.
        deploy: runs once admission works and the Secrets of all parts exist.
        profile: sections of the stack profile; paths of secrets, never values.
    """

    name: str
    needs: tuple[str, ...] = ()
    expected: float = 30
    packages: Mapping[str, str] = field(default_factory=dict)
    components: tuple[Component, ...] = ()
    images: Mapping[str, Recipe] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    before: Callable[[Context], None] = _nothing
    secrets: Callable[[Context], list[Manifest]] = _no_secrets
    deploy: Callable[[Context], None] = apply_all
    profile: Callable[[Context], Tables] = _no_tables
