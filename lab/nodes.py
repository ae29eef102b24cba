"""Start, kill and inspect Talos nodes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab import network, process, rootfs
from lab.layout import GROUPS, HOST, STATE, Node
from lab.machineconfig import CONFIG


ROOTFS = STATE / "rootfs"
# CPU shares as in cgroup v1. A starved control plane loses its leases, all that depends on it restarts, and
# nine nodes on two cores do not recover from that by themselves.
CONTROL_SHARES, SHARES = "8192", "1024"


def start(node: Node, binaries: Path, image: Path = ROOTFS) -> None:
    """Start the node from `image` on its volumes, created if missing, inside its network namespace.

    A running node is not started again.
    """
    node.folder.mkdir(parents=True, exist_ok=True)
    network.pod_network(node)
    launcher = [
        str(binaries / "labnode"),
        "-name",
        node.name,
        "-rootfs",
        str(image),
        "-data",
        str(node.folder),
        "-config",
        str(CONFIG / "nodes" / f"{node.name}.yaml"),
        "-nameserver",
        HOST,
        "-cgroup",
        f"{GROUPS}{node.name}",
        "-shares",
        CONTROL_SHARES if node.control else SHARES,
    ]
    process.start(f"node-{node.name}", ["nsenter", f"--net=/run/netns/{node.netns}", *launcher])


def kill(node: Node) -> None:
    """Kill the node as a power cut would: SIGKILL to its first process ends its whole pid namespace."""
    process.stop(f"node-{node.name}")
    for group in groups(node):
        process.kill_all(process.members(group))


def reimage(node: Node, binaries: Path) -> None:
    """Restart the node from an image that nobody rolled out: one release behind, with a foreign extension.

    `kill` and `start` return it to the image of the other nodes.
    """
    kill(node)
    start(node, binaries, rootfs.reimaged(ROOTFS, ROOTFS.with_name("rootfs-other"), "v1.12.0", "openssh"))


def wipe(node: Node) -> None:
    """Delete the node's volumes."""
    shutil.rmtree(node.folder, ignore_errors=True)


def lose_disk(node: Node) -> None:
    """Kill the node and move its volumes aside.

    This is what Talos' `reset` does to a machine and what its container mode refuses. The next start begins
    with empty volumes; the old ones wait for `restore_disk` or `forget_disk`, also those of an earlier loss.
    """
    kill(node)
    if _lost(node).exists():
        wipe(node)
    elif node.folder.exists():
        node.folder.rename(_lost(node))


def restore_disk(node: Node, binaries: Path) -> None:
    """Start the node on the volumes that `lose_disk` moved aside, if any, else as it is."""
    if _lost(node).exists():
        kill(node)
        wipe(node)
        _lost(node).rename(node.folder)
    start(node, binaries)


def forget_disk(node: Node) -> None:
    """Delete the volumes that `lose_disk` moved aside."""
    shutil.rmtree(_lost(node), ignore_errors=True)


def _lost(node: Node) -> Path:
    return node.folder.with_name(f"{node.name}.lost")


def groups(node: Node) -> list[Path]:
    """Return the node's cgroups, one in each hierarchy that has one."""
    return [p for p in Path("/sys/fs/cgroup").glob(f"*/{GROUPS}{node.name}") if p.is_dir()]


@dataclass(frozen=True, slots=True)
class State:
    """A node as seen from the host: running or not, processes, resident bytes, lines of its mount table."""

    node: Node
    running: bool
    processes: int
    resident: int
    mounts: int


def state(node: Node) -> State:
    """Return the state of the node as seen from the host."""
    running = process.process(f"node-{node.name}") is not None
    group = Path("/sys/fs/cgroup/pids") / f"{GROUPS}{node.name}"
    pids = process.members(group) if group.exists() else []
    resident = sum(_resident(pid) for pid in pids)
    init = node.folder / "init.pid"
    table = Path(f"/proc/{init.read_text().strip()}/mountinfo") if running and init.exists() else None
    mounts = len(table.read_text().splitlines()) if table and table.exists() else 0
    return State(node, running, len(pids), resident, mounts)


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
