"""Where things are and what the lab's platform looks like: names, addresses, folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


PROJECT = Path(__file__).resolve().parent.parent
# A second lab may stand beside the first: ASSAY_LAB_INSTANCE=x gives it its own names, addresses and state.
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
SUBNET = f"{NET}.0/24"
API = f"https://{HOST}:6443"
REGISTRY = f"{HOST}:5000"
WEB_PORT = 5001
OIDC_PORT = 8444
ISSUER = f"https://{HOST}:{OIDC_PORT}"
API_HOST = "api.platform.example"
GATEWAY_PORT = 30443

TALOS = "v1.13.5"
KUBERNETES = "v1.36.3"


@dataclass(frozen=True, slots=True)
class Node:
    """One Talos node: its name, its address on the lab's bridge.

    Its pool (`control` for control planes) and its zone.
    """

    name: str
    address: str
    pool: str
    zone: str

    @property
    def control(self) -> bool:
        """Return whether the node is a control plane."""
        return self.pool == "control"

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


def _pool(pool: str, short: str, count: int, first: int) -> list[Node]:
    return [
        Node(f"{short}-{i + 1}", f"{NET}.{first + i}", pool, f"fsn1-{'abc'[i % 3]}") for i in range(count)
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
        KeyError: there is none of that name.
    """
    return {n.name: n for n in NODES}[name]


def controls() -> list[Node]:
    """Return the control planes."""
    return [n for n in NODES if n.control]


def workers() -> list[Node]:
    """Return the workers."""
    return [n for n in NODES if not n.control]
