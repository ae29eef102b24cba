"""The files of the declared platform, by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.config.profile import Paths
from assay.errors import ProbeError


@dataclass(frozen=True, slots=True)
class Trees:
    """The files of the declared platform.

    Asking for one that the profile does not give, or that is not there, is an ERROR.
    """

    declared: Paths

    @property
    def infra(self) -> Path:
        """Return the folder of the Terraform sources."""
        return self._there("infra", self.declared.infra)

    @property
    def talos(self) -> Path:
        """Return the folder of the machine configuration templates and patches."""
        return self._there("talos", self.declared.talos)

    @property
    def gitops(self) -> Path:
        """Return the folder of the manifests."""
        return self._there("gitops", self.declared.gitops)

    @property
    def overlay(self) -> Path:
        """Return the kustomize folder that this stack deploys."""
        return self._there("overlay", self.declared.overlay)

    @property
    def runbook(self) -> Path:
        """Return the runbook, a Markdown file."""
        return self._there("runbook", self.declared.runbook)

    @property
    def repository(self) -> Path:
        """Return the work tree of the Git repository that holds the platform."""
        return self._there("repository", self.declared.repository)

    @property
    def backups_doc(self) -> Path:
        """Return the document that says how backups are made and kept, a Markdown file."""
        return self._there("backups_doc", self.declared.backups_doc)

    @property
    def machineconfigs(self) -> Path:
        """Return the folder with one rendered `<node>.yaml` per node."""
        return self._there("machineconfigs", self.declared.machineconfigs)

    @property
    def plan(self) -> tuple[Path, ...]:
        """Return the plan files, as `terraform show -json` writes them; at least one."""
        if not self.declared.plan:
            raise ProbeError("the profile names no plan file", "set plan under [paths]")
        return tuple(self._there("plan", path) for path in self.declared.plan)

    @property
    def state(self) -> tuple[Path, ...]:
        """Return the state files, as Terraform pulls or shows them; none where the profile names none."""
        return tuple(self._there("state", path) for path in self.declared.state)

    def _there(self, key: str, path: Path | None) -> Path:
        if path is None:
            raise ProbeError(f"the profile does not say where {key} is", f"set {key} under [paths]")
        if not path.exists():
            raise ProbeError(f"{key}: {path.name} does not exist", f"check {key} under [paths]")
        return path
