"""What a Talos node has by itself: services, kernel file systems. And what it should not have.

Facts of the product, versions 1.13 and 1.14. What else may be there is the policy's and the profile's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from assay.config.platform import covered
from assay.formats.parsing import parsing
from assay.probes.talos.facts import Document, Machine, Mount


# The control plane's parts are static pods and none of these; only the kubelet and extensions restart.
TALOS_SERVICES = frozenset(
    {"apid", "auditd", "containerd", "cri", "dashboard", "etcd", "kubelet", "machined", "registryd",
     "sandboxd", "syslogd", "trustd", "udevd"}
)  # fmt: skip
KERNEL = frozenset(
    {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
     "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "securityfs", "selinuxfs",
     "sysfs", "tracefs"}
)  # fmt: skip
NODE_FILES = frozenset({"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
EPHEMERAL = "/var"
# Documents of 1.14 that write a file each -> where; `{}` is the document's name.
FILE_DOCUMENTS = {"EtcFileConfig": "/etc/{}", "CRICustomizationConfig": "/etc/cri/conf.d/{}.part"}


@dataclass(frozen=True, slots=True)
class UnexpectedPlace:
    """A place of a node that is writable, or written, where Talos has none: `Node name`, and what it is."""

    ref: str
    why: str


def unexpected_mounts(
    node: Machine, mounts: Iterable[Mount], writable: Sequence[str]
) -> Iterator[UnexpectedPlace]:
    """Yield each mount that is writable outside `writable`, and a root that is writable or not there.

    Args:
        node: whose mount table it is.
        mounts: the table; of several at one point the last one counts.
        writable: folders below which mounts may be writable.
    """
    table = {mount.point: mount for mount in mounts}
    root = table.get("/")
    if root is None or root.writable:
        yield UnexpectedPlace(
            node.ref,
            "the root file system is writable" if root else "no root file system in the mount table",
        )
    for mount in table.values():
        odd = mount.writable and mount.filesystem not in KERNEL and mount.point not in NODE_FILES
        if odd and mount.point != "/" and not below(mount.point, writable):
            yield UnexpectedPlace(node.ref, f"{mount.point} is writable ({mount.filesystem})")


def unexpected_kubelet_mounts(
    node: Machine, spec: Mapping[str, Any], allowed: Sequence[str]
) -> Iterator[UnexpectedPlace]:
    """Yield each writable extra mount of the kubelet that is off the list, or shows it something else.

    Args:
        node: whose kubelet it is.
        spec: its KubeletSpec.
        allowed: globs over places that the kubelet may write to; both ends of a mount must be on it.
    """
    with parsing(f"{node.ref}: the kubelet's extra mounts"):
        for mount in spec.get("extraMounts") or []:
            target, source = str(mount.get("destination", "")), str(mount.get("source", ""))
            if "ro" in (mount.get("options") or []):
                continue
            if not _allowed(target, allowed):
                yield UnexpectedPlace(node.ref, f"kubelet extra mount {target} is writable")
            elif source.startswith("/") and not _allowed(source, allowed):
                yield UnexpectedPlace(
                    node.ref, f"kubelet extra mount {target} is writable and leads to {source}"
                )


def unexpected_files(
    node: Machine, documents: Iterable[Document], allowed: Sequence[str]
) -> Iterator[UnexpectedPlace]:
    """Yield each file that the machine configuration writes, but new ones below /var and those of `allowed`.

    In the shape of 1.13, `machine.files`, and in the documents of 1.14.

    Args:
        node: whose configuration it is.
        documents: the configuration.
        allowed: globs over files.
    """
    with parsing(f"{node.ref}: the files of its configuration"):
        for document in documents:
            for file in (document.get("machine") or {}).get("files") or []:
                path, operation = str(file.get("path", "")), str(file.get("op") or "no op")
                new = operation == "create" and below(path, (EPHEMERAL,))
                if not new and not _allowed(path, allowed):
                    yield UnexpectedPlace(node.ref, f"machine.files: {operation} {path}")
            place = FILE_DOCUMENTS.get(str(document.get("kind")), "")
            written = place.format(document.get("name", ""))
            if place and not _allowed(written, allowed):
                yield UnexpectedPlace(node.ref, f"{document['kind']}: writes {written}")


def _allowed(place: str, globs: Sequence[str]) -> bool:
    return ".." not in PurePosixPath(place).parts and covered(place, tuple(globs))


def below(point: str, tops: Iterable[str]) -> bool:
    """Return True if a path is one of `tops` or lies under one, dots resolved as text."""
    if ".." in PurePosixPath(point).parts:
        return False
    return any(point == top or point.startswith(f"{top}/") for top in tops)
