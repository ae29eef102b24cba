"""Builds of the lab's components: Go modules pinned by go.sum, cached by a digest of all their inputs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.layout import CACHE, KUBERNETES, PROJECT


COMPONENTS = PROJECT / "lab" / "components"
BINARIES = CACHE / "bin"
COREDNS = "github.com/coredns/coredns@v1.14.2"
ESO = "github.com/external-secrets/external-secrets@v0.20.4"
ESO_SUM = "h1:HhNAjWfFEshhItphr28SGsHzf2bUP7uDAOVLg76uNAg="
COPIES = ("coredns", "upstream")
K8S_FLAGS = " ".join(
    f"-X {package}.{field}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for field, value in (
        ("gitVersion", KUBERNETES),
        ("gitMajor", "1"),
        ("gitMinor", "36"),
        ("gitTreeState", "clean"),
        ("buildDate", "2026-01-01T00:00:00Z"),
    )
)


@dataclass(frozen=True, slots=True)
class Component:
    """One module: folder, binaries and their packages, linker flags, seconds of a cold build, build tags."""

    folder: str
    packages: dict[str, str]
    flags: str = ""
    seconds: int = 60
    tags: str = ""


def _named(prefix: str, *names: str) -> dict[str, str]:
    return {n: f"{prefix}/{n}" for n in names}


KUBERNETES_NAMES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
ETCD = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
    "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
}
TALOS = {
    "machined": "github.com/siderolabs/talos/internal/app/machined",
    "talosctl": "github.com/siderolabs/talos/cmd/talosctl",
}
SOPS = {
    "sops": "github.com/getsops/sops/v3/cmd/sops",
    "age": "filippo.io/age/cmd/age",
    "age-keygen": "filippo.io/age/cmd/age-keygen",
}
ALL: tuple[Component, ...] = (
    Component("runcwrap", {"runcwrap": "."}, seconds=3),
    Component("labnode", {"labnode": "."}, seconds=3),
    Component("pause", {"pause": "."}, seconds=3),
    Component("public-api", {"public-api": "."}, seconds=10),
    Component("kubernetes", _named("k8s.io/kubernetes/cmd", *KUBERNETES_NAMES), K8S_FLAGS, 320),
    Component("machined", TALOS, seconds=230),
    Component("etcd", ETCD, seconds=20),
    Component(
        "containerd",
        _named("github.com/containerd/containerd/v2/cmd", "containerd", "containerd-shim-runc-v2"),
        seconds=50,
    ),
    Component("registry", _named("github.com/distribution/distribution/v3/cmd", "registry"), seconds=90),
    Component("coredns", {"coredns": "github.com/coredns/coredns"}, seconds=60),
    Component("cosign", _named("github.com/sigstore/cosign/v3/cmd", "cosign"), seconds=165),
    Component(
        "policy-controller",
        {"policy-webhook": "github.com/sigstore/policy-controller/cmd/webhook"},
        seconds=120,
    ),
    Component("gitleaks", {"gitleaks": "github.com/zricethezav/gitleaks/v8"}, seconds=15),
    Component("caddy", {"caddy": "github.com/caddyserver/caddy/v2/cmd/caddy"}, seconds=80),
    Component("sops", SOPS, seconds=180),
)


def digest(component: Component) -> str:
    """Return the SHA-256 over the module's own files, the Go version, the packages and the flags."""
    folder = COMPONENTS / component.folder
    decided = f"{sorted(component.packages.items())}{component.flags}{component.tags}"
    total = hashlib.sha256(f"{_go('version')}{decided}".encode())
    for path in sorted(
        p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0] not in COPIES
    ):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def missing(more: Iterable[Component] = ()) -> list[Component]:
    """Return the components, and `more` of parts, whose binaries are not in the cache, in build order."""
    return [c for c in (*ALL, *more) if not _built(c)]


def _built(component: Component) -> bool:
    mark = BINARIES / f".{component.folder}.json"
    if not mark.exists() or not all((BINARIES / name).exists() for name in component.packages):
        return False
    return bool(json.loads(mark.read_text())["digest"] == digest(component))


def build(component: Component, tell: Callable[[str], None]) -> None:
    """Build the binaries of one component into the cache.

    Raises:
        RuntimeError: the Go toolchain failed; the message has its last lines.
    """
    BINARIES.mkdir(parents=True, exist_ok=True)
    folder = COMPONENTS / component.folder
    if component.folder == "machined":
        _patched_coredns(folder)
    if component.folder == "external-secrets":
        _patched_operator(folder)
    for name, package in component.packages.items():
        tell(f"{component.folder}: {name}")
        target = BINARIES / f".{name}.new"
        _go(
            "build",
            "-trimpath",
            f"-tags={component.tags}",
            "-ldflags",
            f"-s -w {component.flags}",
            "-o",
            str(target),
            package,
            cwd=folder,
        )
        target.rename(BINARIES / name)
    (BINARIES / f".{component.folder}.json").write_text(json.dumps({"digest": digest(component)}))


def talos_source() -> Path:
    """Return the folder of Talos' source in the module cache, where its configuration files come from."""
    listed = _go("list", "-m", "-f", "{{.Dir}}", "github.com/siderolabs/talos", cwd=COMPONENTS / "machined")
    return Path(listed.strip())


def _patched_coredns(folder: Path) -> None:
    """Copy upstream CoreDNS from the module cache and add what Talos' unavailable fork adds."""
    found = json.loads(_go("mod", "download", "-json", COREDNS, cwd=COMPONENTS / "coredns"))
    _copied(Path(found["Dir"]), folder / "coredns", folder / "coredns-compat")


def _patched_operator(folder: Path) -> None:
    """Copy upstream External Secrets and reduce its two lists of linked providers to Vault.

    Raises:
        RuntimeError: the module does not have the known checksum.
    """
    found = json.loads(_go("mod", "download", "-json", ESO, cwd=CACHE))
    if found["Sum"] != ESO_SUM:
        raise RuntimeError(f"{ESO}: its checksum is {found['Sum']}, not {ESO_SUM}")
    _copied(Path(found["Dir"]), folder / "upstream", folder / "upstream-compat")


def _copied(source: Path, copy: Path, ours: Path) -> None:
    """Make `copy` of `source` and put the files of `ours` over it."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    copy.chmod(0o755)
    shutil.copytree(ours, copy, dirs_exist_ok=True)


def _go(*words: str, cwd: Path | None = None) -> str:
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    done = subprocess.run(["go", *words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"go {words[0]}: {done.stderr.strip()[-800:]}")
    return done.stdout


def prune() -> int:
    """Delete the lab's cached binaries and images and return the bytes freed.

    For Go's own caches: `go clean -cache -modcache`.
    """
    freed = sum(p.stat().st_size for p in CACHE.rglob("*") if p.is_file()) if CACHE.exists() else 0
    shutil.rmtree(CACHE, ignore_errors=True)
    return freed
