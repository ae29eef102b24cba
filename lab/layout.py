"""Where things are and what the lab's platform looks like: nodes, addresses, folders, names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab import names
from lab.names import paths


PROJECT = Path(__file__).resolve().parent.parent
# ASSAY_LAB_INSTANCE=x runs a second lab beside the first, with its own network, addresses and state.
# The caches are shared.
INSTANCE = os.environ.get("ASSAY_LAB_INSTANCE", "")[:1]
NAME = f"assay{INSTANCE}"
STATE = Path(os.environ.get("ASSAY_LAB_STATE", f"/var/lib/{NAME}-lab"))
CACHE = Path(os.environ.get("ASSAY_LAB_CACHE", "/var/cache/assay-lab"))

BRIDGE = f"{NAME}0"
GROUPS = f"{NAME}-lab-"
LINKS = f"av{INSTANCE}-"
NET = "10.97.0" if INSTANCE else "10.98.0"
POD_NET = "10.243" if INSTANCE else "10.244"
HOST = f"{NET}.1"
DECLARED_NET = "10.98.0."  # in gitops/overlays/lab and stacks/lab.toml
SUBNET = f"{NET}.0/24"
API = f"https://{HOST}:6443"
REGISTRY = f"{HOST}:5000"
WEB_PORT = 5001
OIDC_PORT = 8444
ISSUER = f"https://{HOST}:{OIDC_PORT}"
GATEWAY_PORT = 30443

NAMES = names.current(STATE)
name_of = NAMES.of
# The root of the platform's own sources: with other names they are rendered into a repository of their own.
SOURCES = PROJECT if NAMES.title == names.DEFAULT else STATE / "platform"
# With other names workers answer on the Talos API to control planes only, as many firewalls have it.
BEHIND_CONTROL_PLANES = NAMES.title != names.DEFAULT
API_HOST = name_of("Host", "api.platform.example")

TALOS = "v1.13.5"
KUBERNETES = "v1.36.3"


@dataclass(frozen=True, slots=True)
class Node:
    """One Talos node: its name, its address on the lab's bridge, its pool and its zone."""

    name: str
    address: str
    pool: str
    zone: str

    @property
    def control(self) -> bool:
        """Return whether the node is a control plane."""
        return self.pool == CONTROL

    @property
    def netns(self) -> str:
        """Return the name of the node's network namespace."""
        return f"{NAME}-{self.name}"

    @property
    def link(self) -> str:
        """Return the name of the bridge side of the node's veth pair (at most 15 characters)."""
        return f"{LINKS}{self.name}"

    @property
    def pods(self) -> str:
        """Return the pod subnet of the node."""
        return f"{POD_NET}.{self.address.rsplit('.', 1)[1]}.0/24"

    @property
    def folder(self) -> Path:
        """Return the folder of the node's volumes and generated files."""
        return STATE / "nodes" / self.name


CONTROL = name_of("Pool", "control")


def _pool(pool: str, short: str, count: int, first: int) -> list[Node]:
    called, zones = name_of("Pool", pool), ("fsn1-a", "fsn1-b", "fsn1-c")
    return [
        Node(name_of("Node", f"{short}-{i + 1}"), f"{NET}.{first + i}", called, zones[i % 3])
        for i in range(count)
    ]


NODES: tuple[Node, ...] = tuple(
    _pool("control", "cp", 3, 11)
    + _pool("app", "app", 3, 21)
    + _pool("ai", "ai", 1, 31)
    + _pool("db", "db", 2, 41)
)


def node(name: str) -> Node:
    """Return the node called `name`.

    Raises:
        KeyError: no node has that name.
    """
    return {n.name: n for n in NODES}[name]


def source(path: str) -> Path:
    """Return where the file or folder lies that the reference platform has at `path`."""
    return SOURCES / paths.moved(path, NAMES)


def here(text: str) -> str:
    """Return text of the platform's sources with this lab's own addresses."""
    return text.replace(DECLARED_NET, f"{NET}.")


def image(repository: str) -> str:
    """Return what manifests call the image that is `repository` in the reference platform's registry."""
    return f"{name_of('Host', 'registry.platform.example')}/{name_of('Image', repository)}"


def controls() -> list[Node]:
    """Return the control planes."""
    return [n for n in NODES if n.control]


def workers() -> list[Node]:
    """Return the workers."""
    return [n for n in NODES if not n.control]
