"""What a Talos node has by itself: services, writable mounts, harmless extensions.

Facts of the product, version 1.13.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from assay.formats.parsing import parsing
from assay.model import Offender
from assay.probes.talos.facts import Document, Machine, Mount


# The control plane's parts are static pods and none of these; only the kubelet and extensions restart.
TALOS_SERVICES = frozenset(
    {
        "apid",
        "auditd",
        "containerd",
        "cri",
        "dashboard",
        "etcd",
        "kubelet",
        "machined",
        "registryd",
        "sandboxd",
        "syslogd",
        "trustd",
        "udevd",
    }
)
SERVICES = TALOS_SERVICES | {"ext-iscsid"}
EXTENSIONS = frozenset(
    {
        "iscsi-tools",
        "util-linux-tools",
        "schematic",
        "amd-ucode",
        "intel-ucode",
        "qemu-guest-agent",
        "modules.dep",
    }
)
KERNEL = frozenset(
    {
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devtmpfs",
        "devpts",
        "mqueue",
        "securityfs",
        "bpf",
        "debugfs",
        "tracefs",
        "configfs",
        "pstore",
        "hugetlbfs",
        "efivarfs",
        "selinuxfs",
        "binfmt_misc",
        "fusectl",
        "autofs",
        "nsfs",
    }
)
WRITABLE = (
    "/var",
    "/run",
    "/system",
    "/tmp",
    "/dev",
    "/proc",
    "/sys",
    "/etc/cni",
    "/etc/kubernetes",
    "/usr/libexec/kubernetes",
    "/opt",
)
NODE_FILES = frozenset({"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
KUBELET_WRITABLE = ("/var/lib/longhorn",)
RUNTIME_PART = "/etc/cri/conf.d/20-customization.part"


def effective(mounts: Iterable[Mount]) -> dict[str, Mount]:
    """Return the mount that counts at each point: the last one made there."""
    return {mount.point: mount for mount in mounts}


def unexpected_mounts(node: Machine, mounts: Iterable[Mount]) -> Iterator[Offender]:
    """Yield each mount that is writable where Talos has none, and a root that is writable or not there."""
    table = effective(mounts)
    root = table.get("/")
    if root is None or root.writable:
        yield Offender(
            node.ref,
            "the root file system is writable" if root else "no root file system in the mount table",
        )
    for mount in table.values():
        odd = mount.writable and mount.filesystem not in KERNEL and mount.point not in NODE_FILES
        if odd and mount.point != "/" and not below(mount.point, WRITABLE):
            yield Offender(node.ref, f"{mount.point} is writable ({mount.filesystem})")


def unexpected_kubelet_mounts(node: Machine, spec: Mapping[str, Any]) -> Iterator[Offender]:
    """Yield each writable extra mount of the kubelet (KubeletSpec) outside the allow list."""
    with parsing(f"{node.ref}: the kubelet's extra mounts"):
        for mount in spec.get("extraMounts") or []:
            target, options = str(mount.get("destination", "")), mount.get("options") or []
            if "ro" not in options and not below(target, KUBELET_WRITABLE):
                yield Offender(node.ref, f"kubelet extra mount {target} is writable")


def unexpected_files(node: Machine, documents: Iterable[Document]) -> Iterator[Offender]:
    """Yield each `machine.files` entry but new files below /var and the runtime's customization part."""
    with parsing(f"{node.ref}: machine.files"):
        for document in documents:
            for file in (document.get("machine") or {}).get("files") or []:
                path, operation = str(file.get("path", "")), file.get("op", "")
                if operation != "create" or not (below(path, ("/var",)) or path == RUNTIME_PART):
                    yield Offender(node.ref, f"machine.files: {operation or 'no op'} {path}")


def below(point: str, tops: Iterable[str]) -> bool:
    """Return True if a path is one of `tops` or lies under one, dots resolved as text."""
    if ".." in PurePosixPath(point).parts:
        return False
    return any(point == top or point.startswith(f"{top}/") for top in tops)
