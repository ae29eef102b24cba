"""What a test may look at: one read-only, lazily made probe per system. No method here changes anything."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from assay.asked import asks
from assay.backups.ciphertext import Keys
from assay.backups.points import Points
from assay.config.platform import Platform
from assay.config.profile import Paths, Profile, Samples
from assay.drills.registry import Drills
from assay.errors import ProbeError
from assay.formats.hcl import Hcl
from assay.load.generator import Load
from assay.origins.leaks import SecretScan
from assay.origins.tracer import Origins
from assay.probes.etcd import Etcd
from assay.probes.gitops.git import GitTree
from assay.probes.gitops.manifests import Manifests
from assay.probes.kube.client import Kube
from assay.probes.net.http import Http
from assay.probes.net.oidc import TokenIssuer
from assay.probes.postgres import Postgres
from assay.probes.runbook.reader import Runbook
from assay.probes.s3.client import S3
from assay.probes.sops.client import Sops
from assay.probes.talos.read import Talos
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.vault.client import Vault
from assay.probes.vault.policy import VaultFiles
from assay.writers.kube_decoy import Decoy, decoy_namespace


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


class Stack:
    """The platform under judgement.

    Making one opens no connection; a probe is made when it is first asked for.
    """

    def __init__(self, profile: Profile, paths: Paths | None = None, requested_drill: str = "") -> None:
        """Look at the stack of `profile`.

        Args:
            profile: the stack.
            paths: replaces its trees, as a planted copy does.
            requested_drill: the one drill to run, by its name; empty: all that are due.
        """
        self.profile, self._requested_drill = profile, requested_drill
        self.paths = Trees(paths or profile.paths)
        self.asked: set[str] = set()
        self.made: dict[str, object] = {}

    def at(self, paths: Paths) -> Stack:
        """Return the same stack with fresh probes and other trees."""
        other = Stack(replace(self.profile, paths=paths))
        other.asked = self.asked
        return other

    def view(self) -> Self:
        """Return the same stack with the same probes, for one judgement: `asked` is its own, and empty."""
        other = copy.copy(self)
        other.asked = set()
        return other

    @property
    def platform(self) -> Platform:
        """Return what the platform calls its own things."""
        return self.profile.platform

    @asks("registry")
    def samples(self) -> Samples:
        """Return the image references made for trying admission."""
        return self.profile.samples

    @asks("kube")
    def kube(self) -> Kube:
        """Return the Kubernetes API, read."""
        return Kube.from_profile(self.profile)

    def decoy(self, labels: Mapping[str, str]) -> AbstractContextManager[Decoy]:
        """Open a namespace of the suite's own, made for one judgement and deleted after it.

        The one thing a test may ever make. Nothing in it can run: its pods ask for a node that is not there.
        Decoys that a killed run left are deleted first.
        """
        return decoy_namespace(self.kube.wire, labels)

    @asks("talos")
    def talos(self) -> Talos:
        """Return the Talos API and talosctl itself, read."""
        return Talos.from_profile(self.profile)

    @asks("etcd")
    def etcd(self) -> Etcd:
        """Return the etcd members, each asked by its own address."""
        return Etcd.from_profile(self.profile)

    @asks("vault")
    def vault(self) -> Vault:
        """Return Vault, each member by its own address, with a token that reads."""
        return Vault.from_profile(self.profile)

    @asks()
    def vault_files(self) -> VaultFiles:
        """Return the policies and roles that Git declares for Vault."""
        return VaultFiles(self._vault_config())

    def _vault_config(self) -> Path:
        """Return the folder of Vault's configuration, of the planted manifests where there are some."""
        config, gitops = self.platform.vault.config, self.profile.paths.gitops
        if config is None:
            raise ProbeError(
                "the profile does not say where Vault's configuration is", "set config in [platform.vault]"
            )
        inside = gitops is not None and config.is_relative_to(gitops)
        return self.paths.gitops / config.relative_to(gitops) if inside and gitops is not None else config

    @asks("api")
    def http(self) -> Http:
        """Return the public API, as its users reach it."""
        return Http.from_profile(self.profile)

    @asks("api")
    def load(self) -> Load:
        """Return the load generator, a process of its own, and its results."""
        return Load.from_profile(self.profile)

    @property
    def drills(self) -> Drills:
        """Return the drills: faults whose rollback is on disk first, and the records of restores."""
        return Drills(self.profile, lambda: self.paths.runbook, self._requested_drill, self.asked.update)

    @asks("s3")
    def s3(self) -> S3:
        """Return the object storage, read."""
        return S3.from_profile(self.profile)

    @asks("s3")
    def points(self) -> Points:
        """Return the etcd snapshots in the object storage, and what opens them."""
        return Points.from_profile(self.profile)

    @asks("s3")
    def restore_keys(self) -> Keys:
        """Return the keys that open what the object storage holds."""
        return Keys.from_profile(self.profile)

    @asks("oidc")
    def token_issuer(self) -> TokenIssuer:
        """Return the issuer of human identities."""
        return TokenIssuer.from_profile(self.profile)

    @asks()
    def hcl(self) -> Hcl:
        """Return the Terraform sources."""
        return Hcl(self.paths.infra)

    @asks()
    def plan(self) -> tuple[TerraformPlan, ...]:
        """Return the Terraform plans, one per plan file; at least one."""
        return tuple(TerraformPlan(path) for path in self.paths.plan)

    @asks()
    def runbook(self) -> Runbook:
        """Return the runbook, with the binaries that its commands are tried against."""
        known = self.profile.tools
        return Runbook(
            self.paths.runbook,
            talosctl=known.talosctl,
            kubectl=known.kubectl,
            etcdutl=known.etcdutl,
            age=known.age,
            rclone=known.rclone,
            openssl=known.openssl,
            vault=known.vault,
        )

    @asks()
    def manifests(self) -> Manifests:
        """Return the manifests of the GitOps folder."""
        return Manifests(self.paths.gitops)

    @asks()
    def git(self) -> GitTree:
        """Return the Git repository: its files and its history."""
        return GitTree(self.paths.repository)

    @asks()
    def secrets(self) -> SecretScan:
        """Return the search for secrets in clear in the repository and its whole history."""
        return SecretScan(self.paths.repository, self.profile.need_path("tools.gitleaks"))

    @asks("sops")
    def sops(self) -> Sops:
        """Return the files that SOPS encrypts, and their rules."""
        return Sops(self.profile.sops, self.paths.declared.gitops)

    @asks("kube", "vault", "sops")
    def origins(self) -> Origins:
        """Return where every value of the cluster comes from: one look at it, at Vault and at SOPS' files."""
        return Origins(self.kube, self.vault, self.sops)

    @asks("sql")
    def sql(self) -> Postgres:
        """Return the database, read past the product's own path."""
        return Postgres.from_profile(self.profile)
