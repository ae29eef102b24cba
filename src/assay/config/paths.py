"""Where the sources of the declared platform lie: the profile's `[paths]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.config.platform import Exemption


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the declared platform lies. None or nothing: the profile does not say.

    Attributes:
        infra: folders of Terraform, each the root of one module.
        talos: the folder of the machine configuration templates and patches.
        gitops: folders of manifests.
        runbook: a Markdown file.
        repositories: work trees of Git; the first holds what a restore needs.
        machineconfigs: the folder of rendered machine configurations.
        overlay: the kustomize folder that this stack deploys.
        backups_doc: a Markdown file; default: `backups-and-restore.md` beside the runbook.
        plan: files as `terraform show -json` writes them.
        state: files as Terraform pulls or shows them.
        rendered_manifests: folders of what charts and remote sources come to, by their name (SEC-01).
        excluded: files that are not judged, and why, by globs over their names in messages.
    """

    infra: tuple[Path, ...] = ()
    talos: Path | None = None
    gitops: tuple[Path, ...] = ()
    runbook: Path | None = None
    repositories: tuple[Path, ...] = ()
    machineconfigs: Path | None = None
    overlay: Path | None = None
    backups_doc: Path | None = None
    plan: tuple[Path, ...] = ()
    state: tuple[Path, ...] = ()
    rendered_manifests: tuple[Path, ...] = ()
    excluded: tuple[Exemption, ...] = ()
