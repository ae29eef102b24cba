"""The read-only root file system of a Talos node, assembled from the lab's builds and Debian's packages."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import yaml

from lab import ldd


FOLDERS = [
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/etc",
    "usr/local/share",
    "usr/share/zoneinfo/Etc",
    "usr/libexec/kubernetes",
    "usr/lib/firmware",
    "usr/lib/modules",
    "usr/local/lib/kubelet/credentialproviders",
    "usr/lib/systemd/network",
    "usr/lib/udev/rules.d",
    "boot/EFI",
    "dev",
    "proc",
    "sys",
    "run",
    "tmp",
    "var",
    "mnt",
    "system",
    "opt/cni/bin",
    "opt/containerd/bin",
    "opt/containerd/lib",
    ".extra",
    "root",
    "etc/iscsi",
    "etc/nvme",
    "etc/cri/conf.d/hosts",
    "etc/kubernetes/manifests",
    "etc/cni/net.d",
    "etc/ssl/certs",
    "etc/selinux/targeted/contexts/files",
    "etc/containerd",
    "etc/lvm",
]
EMPTY = [
    "extensions.yaml",
    "resolv.conf",
    "hosts",
    "hostname",
    "machine-id",
    "cri/conf.d/cri.toml",
    "cri/conf.d/01-registries.part",
    "cri/conf.d/20-customization.part",
    "cri/conf.d/base-spec.json",
    "selinux/targeted/contexts/files/file_contexts",
    "iscsi/initiatorname.iscsi",
    "nvme/hostid",
    "nvme/hostnqn",
]
LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "usr/sbin": "bin",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/pki": "/etc/ssl",
    "etc/ssl/certs/ca-certificates": "ca-certificates.crt",
}
UPSTREAM = {
    "zoneinfo/Etc/UTC": "usr/share/zoneinfo/Etc/UTC",
    "nfsmount.conf": "etc/nfsmount.conf",
    "containerd.toml": "etc/containerd/config.toml",
    "cri-containerd.toml": "etc/cri/containerd.toml",
    "cri-plugin.part": "etc/cri/conf.d/00-base.part",
    "lvm.conf": "etc/lvm/lvm.conf",
}
PLUGINS = ("bridge", "firewall", "host-local", "loopback", "portmap")
IPTABLES = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)


def assemble(root: Path, binaries: Path, talos_source: Path, version: str) -> None:
    """Rebuild `root`: the lab's programs, Debian's runc, nft and CNI plugins, Talos' configuration files."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link, target in LINKS.items():
        (root / link).symlink_to(target)
    _programs(root, binaries)
    for source, target in UPSTREAM.items():
        shutil.copyfile(talos_source / "hack" / source, root / target)
    for name in EMPTY:
        (root / "etc" / name).touch()
    shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    (root / "etc/os-release").write_text(_release(version))
    (root / "usr/etc/in-container").write_text("true\n")
    (root / "tmp").chmod(0o1777)


def reimaged(root: Path, made: Path, version: str, extension: str) -> Path:
    """Return `made`, a copy of the image at `root` with another version and one system extension.

    The programs are hard links to those of `root`.
    """
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(root, made, symlinks=True, copy_function=os.link)
    layer = {
        "image": f"{extension}.sqsh",
        "metadata": {"name": extension, "version": "1", "author": "nobody", "description": "planted"},
    }
    for name, text in {
        "os-release": _release(version),
        "extensions.yaml": yaml.safe_dump({"layers": [layer]}),
    }.items():
        (made / "etc" / name).unlink()
        (made / "etc" / name).write_text(text)
    return made


def _release(version: str) -> str:
    return f'NAME="Talos"\nID=talos\nVERSION_ID={version}\nPRETTY_NAME="Talos ({version})"\n'


def _programs(root: Path, binaries: Path) -> None:
    bin_ = root / "usr/bin"
    shutil.copy2(binaries / "machined", bin_ / "init")
    for name in ("poweroff", "shutdown", "dashboard"):
        (bin_ / name).hardlink_to(bin_ / "init")
    for name in ("containerd", "containerd-shim-runc-v2"):
        shutil.copy2(binaries / name, bin_ / name)
    shutil.copy2(binaries / "runcwrap", bin_ / "runc")
    debian = {
        Path("/usr/sbin/runc"): bin_ / "runc.real",
        Path("/usr/sbin/nft"): bin_ / "nft",
        Path("/usr/sbin/xtables-nft-multi"): bin_ / "xtables-nft-multi",
    }
    debian |= {Path("/usr/lib/cni") / p: root / "opt/cni/bin" / p for p in PLUGINS}
    libraries: set[Path] = set()
    for source, target in debian.items():
        shutil.copy2(source.resolve(), target)
        libraries |= set(ldd.needed(source))
    for name in IPTABLES:
        (bin_ / name).symlink_to("xtables-nft-multi")
    for library in libraries:
        target = root / re.sub(r"^/(usr/)?", "usr/", str(library))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, target)
    extensions = Path("/usr/lib/x86_64-linux-gnu/xtables")
    shutil.copytree(extensions, root / "usr/lib/x86_64-linux-gnu/xtables", dirs_exist_ok=True)
