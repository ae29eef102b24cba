"""What a test may do with the platform: one stack for each effect that a policy can declare.

A test is handed the stack of the effect that its policy declares, so it has the verbs of that effect and no
more: `ReadStack` reads, `DryRunStack` asks besides what would be admitted, `DecoyStack` makes objects in a
place of the suite's own, `WriteStack` uses the platform as its users do, `LoadStack` reads and sends load,
`DrillStack` reads and drills. The probes' transports keep to it too: see assay.probes.guard.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Self, TypeVar

from assay.asked import asks
from assay.backups.ciphertext import Keys
from assay.backups.points import Points
from assay.backups.restorable import RestorablePoints
from assay.config.paths import Paths
from assay.config.platform import Platform
from assay.config.profile import Profile, Samples
from assay.config.trees import Trees
from assay.drills.registry import Drills
from assay.drills.restore.evidence import Restores
from assay.effect import Effect, RunLimits, not_allowed
from assay.errors import GuardError, ProbeError
from assay.load.generator import Load
from assay.model import Record
from assay.origins.leaks import SecretScan
from assay.origins.tracer import Origins
from assay.probes.etcd import Etcd
from assay.probes.gitops.git import GitTree
from assay.probes.gitops.manifests import Manifests
from assay.probes.gitops.vault import VaultInManifests
from assay.probes.kube.client import Kube
from assay.probes.kube.dry_run import DryRunKube, TokenKube
from assay.probes.net.http import Http, WritingHttp
from assay.probes.net.oidc import People
from assay.probes.net.transactions import MarkedTransaction
from assay.probes.postgres import Postgres
from assay.probes.runbook.reader import Runbook
from assay.probes.s3.client import S3
from assay.probes.sops.client import Sops
from assay.probes.talos.dry_run import DryRunTalos
from assay.probes.talos.read import Talos
from assay.probes.talos.rendered import Rendered, from_folder, from_terraform_files
from assay.probes.terraform.declared import Declared, of_nothing, of_plans, of_sources
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.sources import TerraformSources
from assay.probes.terraform.state import TerraformState
from assay.probes.terraform.vault import VaultInTerraform
from assay.probes.vault.client import Vault
from assay.probes.vault.declared import DeclaredVault, VaultSource
from assay.probes.vault.login import VaultLogins
from assay.probes.vault.policy import VaultFiles
from assay.writers.kube_decoy import Decoy, decoy_namespace
from assay.writers.lock_trial import LockTrial, lock_trials


S = TypeVar("S", bound="ReadStack")


class ReadStack:
    """The platform under judgement, read.

    Making one opens no connection; a probe is made when it is first asked for.
    """

    EFFECT: ClassVar[Effect] = Effect.READS

    def __init__(
        self,
        profile: Profile,
        paths: Paths | None = None,
        limits: RunLimits | None = None,
        further: Effect | None = None,
    ) -> None:
        """Look at the stack of `profile`.

        Args:
            profile: the stack.
            paths: replaces its trees, as a planted copy does.
            limits: what the run allows.
            further: the bigger effect that the policy declares for a part of the control.
        """
        self.profile, self._limits, self._further = profile, limits or RunLimits(), further
        self.paths = Trees(paths or profile.paths)
        self.asked: set[str] = set()
        self.made: dict[str, object] = {}
        self.used: dict[str, object] = {}

    def if_allowed(self, kind: type[S], control: Record, part: str) -> S | None:
        """Return the same stack with the verbs of a bigger effect, None where the run does not allow it.

        Then `part` of the control is noted as left out, and the control cannot come to PASS.

        Raises:
            GuardError: the policy does not declare that effect under `further`.
        """
        if self._further is not kind.EFFECT:
            raise GuardError(
                f"{control.control.id} declares no further effect {kind.EFFECT}", "declare it in the policy"
            )
        if kind.EFFECT not in self._limits.allowed:
            control.unchecked(part, *not_allowed(kind.EFFECT))
            return None
        other = kind(self.profile, self.paths.declared, self._limits)
        other.asked, other.used = self.asked, self.used
        return other

    def view(self) -> Self:
        """Return the same stack with the same probes, for one judgement: what it asks and uses is its own."""
        other = copy.copy(self)
        other.asked, other.used = set(), {}
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
    def vault_files(self) -> DeclaredVault:
        """Return the policies and roles that are declared for Vault.

        In files of Vault's own configuration, Terraform's plans or else states, objects of an operator.
        """
        layout, known = self.platform.vault, self.paths.declared
        sources: list[VaultSource] = []
        if layout.config is not None:
            sources.append(VaultFiles(self.planted(layout.config), layout.auth_mount))
        if known.plan or known.state:
            sources.append(VaultInTerraform(self.plan if known.plan else self.state, layout.auth_mount))
        if known.gitops:
            sources.append(VaultInManifests(self.manifests))
        return DeclaredVault(sources)

    def planted(self, path: Path) -> Path:
        """Return where a file of the profile is now: in the planted manifests, where there are some."""
        for number, folder in enumerate(self.profile.paths.gitops):
            if path.is_relative_to(folder):
                return self.paths.gitops[number].path / path.relative_to(folder)
        return path

    @asks("api")
    def http(self) -> Http:
        """Return the public API, as its users reach it."""
        return Http.from_profile(self.profile)

    @asks("s3")
    def s3(self) -> S3:
        """Return the object storage, read."""
        return S3.from_profile(self.profile)

    @asks("s3")
    def points(self) -> Points:
        """Return the etcd snapshots in the object storage, and what opens them."""
        return Points.from_profile(self.profile)

    @asks("s3")
    def restorable(self) -> RestorablePoints:
        """Return the newest points of the services that opened."""
        return RestorablePoints.from_profile(self.profile)

    @asks("s3")
    def restore_keys(self) -> Keys:
        """Return the keys that open what the object storage holds."""
        return Keys.from_profile(self.profile)

    @asks("oidc")
    def people(self) -> People:
        """Return tokens of people, good and bad, as far as the profile lets us have them."""
        return People(self.profile)

    @asks("s3")
    def restores(self) -> Restores:
        """Return the restores that are on record: the suite's own drills, and what others signed."""
        return Restores(self.profile, self._limits.drill)

    @asks()
    def hcl(self) -> TerraformSources:
        """Return the Terraform sources, all root modules as one."""
        return TerraformSources(self.paths.infra)

    @asks()
    def declared(self) -> Declared:
        """Return what Terraform declares: plans and what of the sources can be read, or the sources alone.

        Nothing where the profile names neither.
        """
        if not (self.paths.declared.plan or self.paths.declared.infra):
            return of_nothing()
        if not self.paths.declared.plan:
            return of_sources(self.hcl)
        return of_plans(self.plan, lambda: TerraformSources(self.paths.infra))

    @asks()
    def plan(self) -> tuple[TerraformPlan, ...]:
        """Return the Terraform plans, one per plan file; at least one."""
        return tuple(TerraformPlan(path) for path in self.paths.plan)

    @asks()
    def state(self) -> tuple[TerraformState, ...]:
        """Return the Terraform states, one per file; none where the profile names none."""
        return tuple(TerraformState(path) for path in self.paths.state)

    @asks()
    def rendered_if_any(self) -> tuple[Rendered, ...]:
        """Return the machine configurations as rendered: of their folder, else of a state, else of a plan."""
        known = self.paths.declared
        if known.machineconfigs:
            return from_folder(self.paths.machineconfigs)
        return from_terraform_files(self.state, self.plan if known.plan else ())

    @asks()
    def rendered(self) -> tuple[Rendered, ...]:
        """Return the same, at least one.

        Raises:
            ProbeError: there is none.
        """
        if not self.rendered_if_any:
            message = "neither a folder, nor a state, nor a plan knows a machine configuration"
            raise ProbeError(message, "set machineconfigs under [paths]")
        return self.rendered_if_any

    @asks()
    def runbook(self) -> Runbook:
        """Return the runbook, with the binaries that its commands are tried against."""
        known = self.profile.tools
        return Runbook(
            self.paths.runbook,
            more=known.more,
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
        """Return the manifests of the GitOps folders, the overlay, and what is rendered elsewhere."""
        declared = self.paths.declared
        return Manifests(self.paths.gitops, declared.overlay, declared.rendered_manifests)

    @asks()
    def repositories(self) -> tuple[GitTree, ...]:
        """Return the Git repositories: their files and their history."""
        return tuple(GitTree(tree) for tree in self.paths.repositories)

    @asks()
    def secret_scans(self) -> tuple[SecretScan, ...]:
        """Return the search for secrets in clear in each repository and its whole history."""
        gitleaks = self.profile.need_path("tools.gitleaks")
        return tuple(SecretScan(tree, gitleaks) for tree in self.paths.repositories)

    @asks("sops")
    def sops(self) -> Sops:
        """Return the files that SOPS encrypts, and their rules."""
        return Sops(self.profile.sops, self.paths.declared.gitops, self.paths.declared.excluded)

    @asks("kube", "vault", "sops")
    def origins(self) -> Origins:
        """Return where every value of the cluster comes from: one look at it, at Vault and at SOPS' files."""
        profile = self.profile
        return Origins(self.kube, lambda: self.vault, self.sops, profile.platform, profile.vault.mount)

    @asks("sql")
    def sql(self) -> Postgres:
        """Return the database, read past the product's own path."""
        return Postgres.from_profile(self.profile)


class DryRunStack(ReadStack):
    """The same, with questions what would be admitted: nothing is stored."""

    EFFECT: ClassVar[Effect] = Effect.DRY_RUN

    @asks("kube")
    def kube(self) -> DryRunKube:
        """Return the Kubernetes API, read, and asked by dry runs."""
        return DryRunKube.from_profile(self.profile)

    @asks("talos")
    def talos(self) -> DryRunTalos:
        """Return the Talos API, read, and asked for changes of what does not exist."""
        return DryRunTalos.from_profile(self.profile)


class DecoyStack(DryRunStack):
    """The same, with objects in a namespace of the suite's own."""

    EFFECT: ClassVar[Effect] = Effect.DECOY

    def decoy(self, labels: Mapping[str, str]) -> AbstractContextManager[Decoy]:
        """Open a namespace of the suite's own, made for one judgement and deleted after it.

        The one thing a test may ever make. Nothing in it can run: its pods ask for a node that is not there.
        Decoys that a killed run left are deleted first.
        """
        return decoy_namespace(self.kube.wire, labels)

    def lock_trials(self) -> list[LockTrial]:
        """Return what attempts to lose a locked backup are made with: each key on the canary bucket.

        In a lab that allows writes also each key on the buckets for backups; errors as for `lock_trials`.
        """
        on_backups = self.profile.is_lab and Effect.WRITES in self._limits.allowed
        return lock_trials(self.profile, self.s3, on_backups=on_backups)


class WriteStack(DecoyStack):
    """The same, with what a user or a workload of the platform does: requests to its API, logins."""

    EFFECT: ClassVar[Effect] = Effect.WRITES

    @asks("kube")
    def kube(self) -> TokenKube:
        """Return the Kubernetes API, read, asked by dry runs, and for tokens of service accounts."""
        return TokenKube.from_profile(self.profile)

    @asks("vault")
    def vault(self) -> VaultLogins:
        """Return Vault, read, and logged in to."""
        return VaultLogins.from_profile(self.profile)

    @asks("api")
    def http(self) -> WritingHttp:
        """Return the public API, as its users use it."""
        return WritingHttp.from_profile(self.profile)

    @asks("api", "sql")
    def transactions(self) -> tuple[MarkedTransaction, ...]:
        """Return one transaction per product path, each with a mark of its own; none is sent yet."""
        return tuple(MarkedTransaction(one, self.http, self.sql) for one in self.profile.transactions)


class LoadStack(ReadStack):
    """The platform, read, and under load."""

    EFFECT: ClassVar[Effect] = Effect.LOAD

    @asks("api")
    def load(self) -> Load:
        """Return the load generator, a process of its own, and its results."""
        return Load.from_profile(self.profile, self._limits.max_rps)


class DrillStack(ReadStack):
    """The platform, read, and drilled: parts of it are taken away and put back."""

    EFFECT: ClassVar[Effect] = Effect.DISRUPTS

    @property
    def drills(self) -> Drills:
        """Return the drills: faults whose rollback is on disk first, and the records of restores."""
        return Drills(self.profile, lambda: self.paths.runbook, self.asked.update)


STACKS: Mapping[Effect, type[ReadStack]] = {
    kind.EFFECT: kind for kind in (ReadStack, DryRunStack, DecoyStack, WriteStack, LoadStack, DrillStack)
}
