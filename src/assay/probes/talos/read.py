"""The Talos machine API, read through talosctl: one node at a time, each at its own address."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml

from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.model import Attempt, Effect
from assay.probes.etcd import EtcdMember
from assay.probes.guard import Guard
from assay.probes.net import tls
from assay.probes.talos import facts
from assay.probes.talos.cert import Credential, credential
from assay.probes.talos.ctl import Talosctl
from assay.probes.talos.facts import (
    Document,
    Extension,
    Listener,
    Machine,
    Mount,
    Service,
    Status,
    TalosVersion,
)


API_PORT = 50000
ACTIVE, PERSISTENT = "v1alpha1", "persistent"


@dataclass(frozen=True, slots=True)
class RolePair:
    """One call of the Talos API by name: the reader's attempt and the same call by the admin, its twin."""

    reader: Attempt
    admin: Attempt


class Talos:
    """Every declared node's own account of itself.

    `admin` and `reader` are the two credentials of the profile.
    """

    EFFECT: ClassVar[Effect] = Effect.READS

    def __init__(
        self, admin: Talosctl, reader: Talosctl | None, machines: tuple[Machine, ...], pinned: str
    ) -> None:
        """Ask `machines` with `admin`, and with `reader` where a small role is enough.

        `pinned` is the declared version.
        """
        self.admin = admin
        self._reader = reader
        self.machines = machines
        self.pinned = pinned

    @classmethod
    def from_profile(cls, profile: Profile, effect: Effect | None = None) -> Self:
        """Return the probe for the profile's nodes; `effect` is the biggest allowed, None: that of the class.

        Raises:
            ProbeError: the profile lacks talosctl, the admin credential or the nodes.
        """
        binary = profile.need_path("tools.talosctl")
        profile.need_text("talos.controlplanes")
        reader = profile.need_path("talos.reader_config") if profile.talos.reader_config else None
        guard = Guard(effect or cls.EFFECT)
        return cls(
            Talosctl(binary, profile.need_path("talos.config"), guard=guard),
            Talosctl(binary, reader, guard=guard) if reader else None,
            _machines(profile), profile.need_text("talos.version"),
        )  # fmt: skip

    @property
    def reader(self) -> Talosctl:
        """Return the client with the reader credential.

        Raises:
            ProbeError: the profile names none.
        """
        if self._reader is None:
            raise ProbeError("the profile names no reader credential", "set reader_config under [talos]")
        return self._reader

    @property
    def controlplanes(self) -> tuple[Machine, ...]:
        """Return the declared control planes."""
        return tuple(m for m in self.machines if m.role == "controlplane")

    def version(self, node: Machine) -> TalosVersion:
        """Return the node's own version answer.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.version(self.admin.ask(node, "version", "--json"), f"{node.ref}: version")

    def resources(self, node: Machine, kind: str, *words: str) -> list[Document]:
        """Return the Talos resources of one kind on the node, with `metadata` and `spec`.

        Raises:
            ProbeError: no answer, unknown kind, or another shape.
        """
        return facts.talos_documents(
            self.admin.ask(node, "get", kind, *words, "-o", "json"), f"{node.ref}: {kind}"
        )

    def services(self, node: Machine) -> list[Service]:
        """Return the Talos services of the node; never none.

        Raises:
            ProbeError: no answer, none at all, or another shape.
        """
        what = f"{node.ref}: services"
        found = []
        for one in self.resources(node, "services"):
            spec = facts.spec(one, what)
            found.append(
                Service(facts.talos_identity(one, what), bool(spec.get("running")), bool(spec.get("healthy")))
            )
        if not found:
            raise ProbeError(f"{what}: none at all", "a Talos node always runs some: look at the credential")
        return found

    def extensions(self, node: Machine) -> list[Extension]:
        """Return the system extensions of the node's image; often none.

        Raises:
            ProbeError: no answer, or another shape.
        """
        what = f"{node.ref}: extensions"
        found = []
        for one in self.resources(node, "extensions"):
            about = facts.spec(one, what).get("metadata")
            if not isinstance(about, dict) or not about.get("name"):
                raise ProbeError(f"{what}: an extension without a name", facts.UPDATE)
            found.append(Extension(str(about["name"]), str(about.get("version", ""))))
        return found

    def nodename(self, node: Machine) -> str:
        """Return the name under which the node registers in Kubernetes, by its own account.

        Raises:
            ProbeError: no answer, or not exactly one name.
        """
        what = f"{node.ref}: nodename"
        found = [str(facts.spec(one, what).get("nodename", "")) for one in self.resources(node, "nodename")]
        if len(found) != 1 or not found[0]:
            raise ProbeError(f"{what}: {len(found)} names, expected one", "has the node joined Kubernetes?")
        return found[0]

    def addresses(self, node: Machine) -> list[str]:
        """Return every routable address of the node, by its own account, without prefix lengths.

        Loopback left out.

        Raises:
            ProbeError: no answer, or none at all.
        """
        what = f"{node.ref}: addresses"
        found = [
            str(facts.spec(one, what).get("address", "")).split("/")[0]
            for one in self.resources(node, "addresses")
        ]
        routable = [a for a in found if a and not a.startswith(("127.", "169.254.", "::1", "fe80:"))]
        if node.address not in routable:
            raise ProbeError(
                f"{what}: {node.address} is not among them",
                "is the address in the profile that of this node?",
            )
        return sorted(set(routable))

    def mounts(self, node: Machine) -> list[Mount]:
        """Return the mount table of the node's first process, in mount order.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.mounts(self.admin.ask(node, "read", "/proc/1/mountinfo"), f"{node.ref}: mounts")

    def machineconfig(self, node: Machine) -> list[Document]:
        """Return the documents of the configuration the node runs.

        Raises:
            ProbeError: no answer, or another shape.
        """
        what = f"{node.ref}: active machine configuration"
        return facts.machineconfig(self._machineconfigs(node)[ACTIVE], what)

    def stored_machineconfig(self, node: Machine) -> list[Document]:
        """Return the documents of the configuration the node will boot with.

        Differs while a change is staged or tried.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.machineconfig(self.stored(node), f"{node.ref}: stored machine configuration")

    def stored(self, node: Machine) -> Document:
        """Return the resource of the configuration the node will boot with.

        After a boot Talos has none of its own for it until the next change: what runs was read from the disk.

        Raises:
            ProbeError: no answer, or another shape.
        """
        known = self._machineconfigs(node)
        return known.get(PERSISTENT, known[ACTIVE])

    def _machineconfigs(self, node: Machine) -> dict[str, Document]:
        """Return the node's machine configurations by id, the active one surely."""
        what = f"{node.ref}: machine configuration"
        known = {facts.talos_identity(one, what): one for one in self.resources(node, "machineconfig")}
        if ACTIVE not in known:
            raise ProbeError(f"{node.ref}: no active machine configuration", facts.UPDATE)
        return known

    def etcd_members(self, node: Machine) -> list[EtcdMember]:
        """Return the member list as this node's etcd sees it: it lists dead members too.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.members(self.admin.ask(node, "etcd", "members"), f"{node.ref}: etcd members")

    def etcd_status(self, node: Machine) -> Status:
        """Return what the node's own etcd member says of itself.

        Raises:
            ProbeError: no row: talosctl leaves a dead member out and still exits 0.
        """
        what = f"{node.ref}: etcd status"
        rows = facts.statuses(self.admin.ask(node, "etcd", "status"), what)
        if len(rows) != 1:
            raise ProbeError(f"{what}: {len(rows)} rows, expected its own", "is its etcd running?")
        return rows[0]

    def etcd_alarms(self, node: Machine) -> list[str]:
        """Return the raised etcd alarms, as this node sees them.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.alarms(self.admin.ask(node, "etcd", "alarm", "list"), f"{node.ref}: etcd alarms")

    @contextmanager
    def snapshot(self, node: Machine) -> Iterator[Path]:
        """Yield a raw snapshot of the node's etcd in a private folder, deleted on exit.

        Raises:
            ProbeError: it could not be taken.
        """
        with tempfile.TemporaryDirectory(prefix="assay-snapshot-") as folder:
            path = Path(folder) / "etcd.db"
            self.admin.ask(node, "etcd", "snapshot", str(path))
            if not path.is_file() or path.stat().st_size == 0:
                raise ProbeError(f"{node.ref}: talosctl wrote no snapshot", "look at the node's etcd")
            path.chmod(0o600)
            yield path

    def credentials(self) -> list[Credential]:
        """Return the client certificates of the profile's talosconfig files: roles and dates, never a key.

        Raises:
            ProbeError: one cannot be read.
        """
        return [credential("admin", self.admin.config), credential("reader", self.reader.config)]

    def kubelet(self, node: Machine) -> Mapping[str, Any]:
        """Return the specification the node's kubelet runs with (KubeletSpec).

        Args, config, extraMounts, image.

        Raises:
            ProbeError: no answer, or not exactly one.
        """
        what = f"{node.ref}: kubelet"
        found = self.resources(node, "kubeletspec")
        if len(found) != 1:
            raise ProbeError(f"{what}: {len(found)} specifications, expected one", facts.UPDATE)
        return facts.spec(found[0], what)

    def pod_roles(self, node: Machine) -> frozenset[str]:
        """Return the Talos roles that pods may ask for by the node's configuration, switched on or not.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.pod_roles(self.machineconfig(node))

    def listeners(self, node: Machine) -> list[Listener]:
        """Return every listening TCP socket of the node's host network.

        Never none, as the Talos API itself listens.

        Raises:
            ProbeError: no answer, none, or another shape.
        """
        what = f"{node.ref}: sockets"
        found = facts.listeners(
            self.admin.ask(node, "netstat", "--listening", "--tcp", "--ipv4", "--ipv6"), what
        )
        if API_PORT not in {one.port for one in found}:
            raise ProbeError(f"{what}: the Talos API is not among them", "the list is not whole")
        return found

    def knock(self, address: str, port: int) -> tls.PortState:
        """Return the state of a port of a node, as seen from here.

        Raises:
            ProbeError: there is no way to the node.
        """
        return tls.probe_port(address, port)

    def without_certificate(self, address: str) -> tls.ClientAuth:
        """Return what the Talos API at `address` says to a client without a certificate.

        Raises:
            ProbeError: no Talos API of this cluster answers there.
        """
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as ca:
            ca.write(_authority(self.admin.config))
            ca.flush()
            return tls.ask_without_certificate(address, API_PORT, Path(ca.name))


class DryRunTalos(Talos):
    """The same, with calls that change nothing even where they are let through."""

    EFFECT: ClassVar[Effect] = Effect.DRY_RUN

    def try_roles(self, node: Machine, *words: str) -> RolePair:
        """Return the same harmless call tried by the reader and by the admin.

        Raises:
            ProbeError: one of them got no answer of the machine API at all.
        """
        return RolePair(self.reader.attempt(node, *words), self.admin.attempt(node, *words))


def _machines(profile: Profile) -> tuple[Machine, ...]:
    controls = [
        Machine(name, address, "controlplane")
        for name, address in sorted(profile.talos.controlplanes.items())
    ]
    workers = [Machine(name, address, "worker") for name, address in sorted(profile.talos.workers.items())]
    return (*controls, *workers)


def _authority(config: Path) -> bytes:
    try:
        parsed = yaml.safe_load(config.read_text())
        return base64.b64decode(parsed["contexts"][parsed["context"]]["ca"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as why:
        raise ProbeError(
            f"{config.name}: no CA of its current context", "check that it is a talosconfig"
        ) from why
