"""What the lab needs from its host, checked before anything is built.

Missing Debian packages are installed; everything else is reported with its remedy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.layout import CACHE, STATE


PACKAGES = {
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "busybox-static": "/bin/busybox",
    "nftables": "/usr/sbin/nft",
    "iptables": "/usr/sbin/xtables-nft-multi",
    "conntrack": "/usr/sbin/conntrack",
    "netbase": "/etc/protocols",
    "haproxy": "/usr/sbin/haproxy",
    "skopeo": "/usr/bin/skopeo",
    "iproute2": "/usr/sbin/ip",
    "util-linux": "/usr/bin/nsenter",
    "curl": "/usr/bin/curl",
    "rclone": "/usr/bin/rclone",
    "chromium": "/usr/bin/chromium",
    "chromium-driver": "/usr/bin/chromedriver",
}
GO = (1, 26, 3)
DISK_GIB = 25
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


def problems() -> list[str]:
    """Return what is missing, one line each with its remedy; empty if the lab can be built."""
    if os.geteuid() != 0:
        return ["not root: run as root, the lab makes network namespaces and mounts"]
    return [p for p in (_go(), _disk(), _cgroups(), _kernel()) if p]


def _go() -> str:
    if shutil.which("go") is None:
        return "no Go toolchain: install Go 1.26.3 or newer and put it on PATH"
    text = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    version = tuple(int(part or 0) for part in found.groups()) if found else (0,)
    return "" if version >= GO else f"Go is too old ({text.strip()}): install 1.26.3 or newer"


def _disk() -> str:
    for folder in (STATE, CACHE):
        folder.mkdir(parents=True, exist_ok=True)
    free = min(shutil.disk_usage(folder).free for folder in (STATE, CACHE)) / 2**30
    return (
        "" if free >= DISK_GIB else f"{free:.0f} GiB free of {DISK_GIB}: free some, or run `make lab-prune`"
    )


def _cgroups() -> str:
    absent = [c for c in CONTROLLERS if not Path("/sys/fs/cgroup", c, "tasks").exists()]
    if absent:
        return f"no cgroup v1 controllers {', '.join(absent)}: boot with systemd.unified_cgroup_hierarchy=0"
    return ""


def _kernel() -> str:
    filesystems = Path("/proc/filesystems").read_text().split()
    return "" if "overlay" in filesystems else "the kernel has no overlayfs: load the module overlay"


def absent_packages(more: Mapping[str, str]) -> list[str]:
    """Return the Debian packages to install; `more` are those that parts need."""
    return [package for package, proof in {**PACKAGES, **more}.items() if not Path(proof).exists()]


def install(packages: list[str]) -> None:
    """Install Debian packages.

    Raises:
        RuntimeError: apt failed.
    """
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *words], env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"apt-get {words[0]}: {done.stderr.strip()[-400:]}")
