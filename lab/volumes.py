"""Folders behind the lab's PersistentVolumes, created on the node's own disk before anything claims them.

An annotation of the volume says who owns its folder: the kubelet does not change the owner of a host path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lab.deploy import Manifest
from lab.layout import Node, name_of, node


STORAGE_CLASS = name_of("StorageClass", "local-nvme")
ROOT = Path("/var/mnt") / STORAGE_CLASS
OWNER = name_of("Label", "platform.example/owner")
HOSTNAME = "kubernetes.io/hostname"


def make(documents: Iterable[Manifest]) -> list[Path]:
    """Create the folder of every PersistentVolume among `documents`; return the folders on this machine.

    An existing folder keeps its content; owner and mode are set again.

    Raises:
        ValueError: a volume lies outside the nodes' storage folder, or names no node or no owner.
    """
    wanted = [d for d in documents if d["kind"] == "PersistentVolume"]
    return [_made(d) for d in wanted if d["spec"].get("storageClassName") == STORAGE_CLASS]


def folder(of: Node, path: Path) -> Path:
    """Return the folder on this machine of `path`, which is below /var on the node.

    Raises:
        ValueError: the path is not below the nodes' storage folder.
    """
    if ".." in path.parts or not path.is_relative_to(ROOT) or path == ROOT:
        raise ValueError(f"{path}: volumes lie below {ROOT}")
    return of.folder / "vol" / "var" / path.relative_to("/var")


def _made(volume: Manifest) -> Path:
    name, spec = volume["metadata"]["name"], volume["spec"]
    owner = volume["metadata"].get("annotations", {}).get(OWNER, "")
    user, _, group = owner.partition(":")
    if not (user.isdecimal() and group.isdecimal()):
        raise ValueError(f"PersistentVolume {name}: annotation {OWNER} must be `user:group` in numbers")
    made = folder(_node(name, spec), Path(spec["hostPath"]["path"]))
    made.mkdir(parents=True, exist_ok=True)
    os.chown(made, int(user), int(group))
    made.chmod(0o700)
    return made


def _node(name: str, spec: Manifest) -> Node:
    terms = spec.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", [])
    rules = [r for term in terms for r in term.get("matchExpressions", []) if r["key"] == HOSTNAME]
    if len(rules) != 1 or rules[0]["operator"] != "In" or len(rules[0]["values"]) != 1:
        raise ValueError(f"PersistentVolume {name}: it must be bound to one node by {HOSTNAME}")
    return node(rules[0]["values"][0])
