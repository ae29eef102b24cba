"""Machine configurations: the platform's templates in `talos/` plus one lab patch, rendered by talosctl."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import yaml

from lab import pki
from lab.layout import (
    API,
    HOST,
    ISSUER,
    KUBERNETES,
    NODES,
    REGISTRY,
    STATE,
    SUBNET,
    WEB_PORT,
    Node,
    controls,
    name_of,
    source,
)


CONFIG = STATE / "cfg"
TEMPLATES = source("talos")
CLUSTER, OIDC_CLIENT = name_of("Cluster", "assay"), name_of("OidcClient", "assay")
RUNTIME_PATCH = '[plugins."io.containerd.cri.v1.runtime"]\n  restrict_oom_score_adj = true\n'


def _talosctl(binaries: Path, *words: str) -> str:
    done = subprocess.run([str(binaries / "talosctl"), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"talosctl {words[0]} {words[1]}: {done.stderr.strip()[-400:]}")
    return done.stdout


def lab_patch() -> dict[str, Any]:
    """Return the patch for every node: addresses, the registry mirror, settings for a small shared host."""
    mirror = {"endpoints": [f"http://{REGISTRY}"]}
    return {
        "machine": {
            "certSANs": [HOST, *(n.address for n in controls())],
            "kubelet": {
                "nodeIP": {"validSubnets": [SUBNET]},
                "extraConfig": {
                    "failCgroupV1": False,
                    "evictionHard": {
                        "memory.available": "50Mi",
                        "nodefs.available": "1%",
                        "imagefs.available": "1%",
                        "nodefs.inodesFree": "1%",
                    },
                    "imageGCHighThresholdPercent": 100,
                    "containerLogMaxSize": "50Mi",  # Vault's audit entries must outlast a run of the suite
                },
            },
            "registries": {"mirrors": dict.fromkeys(("registry.k8s.io", "ghcr.io", REGISTRY), mirror)},
            "network": {"nameservers": [HOST]},
            "time": {"disabled": True},
            "files": [
                {
                    "path": "/etc/cri/conf.d/20-customization.part",
                    "op": "create",
                    "permissions": 0o600,
                    "content": RUNTIME_PATCH,
                },
            ],
        },
        "cluster": {
            "network": {"cni": {"name": "custom", "urls": [f"http://{HOST}:{WEB_PORT}/pod-network.yaml"]}}
        },
    }


def lab_control_patch(lab_ca: bytes) -> dict[str, Any]:
    """Return the patch for control planes: kube-proxy instead of Cilium, the OIDC issuer, etcd's image."""
    issuer_ca = {
        "path": "/var/lib/platform-oidc/ca.crt",
        "op": "create",
        "permissions": 0o644,
        "content": lab_ca.decode(),
    }
    return {
        "machine": {"files": [issuer_ca]},
        "cluster": {
            "proxy": {
                "disabled": False,
                "mode": "nftables",
                "extraArgs": {
                    "conntrack-tcp-timeout-established": "0",
                    "conntrack-tcp-timeout-close-wait": "0",
                },
            },
            "etcd": {"image": "registry.k8s.io/etcd:v3.6.10", "advertisedSubnets": [SUBNET]},
            "coreDNS": {"image": "registry.k8s.io/coredns/coredns:v1.14.2"},
            "apiServer": {
                "certSANs": [HOST, *(n.address for n in controls())],
                "extraArgs": {
                    "oidc-issuer-url": ISSUER,
                    "oidc-client-id": OIDC_CLIENT,
                    "oidc-ca-file": "/etc/platform-oidc/ca.crt",
                },
                "extraVolumes": [
                    {
                        "hostPath": "/var/lib/platform-oidc",
                        "mountPath": "/etc/platform-oidc",
                        "readonly": True,
                    }
                ],
            },
        },
    }


def node_patch(node: Node) -> list[dict[str, Any]]:
    """Return the patch of a single node: its zone and its name."""
    zone = {"machine": {"nodeLabels": {"topology.kubernetes.io/zone": node.zone}}}
    return [zone, {"apiVersion": "v1alpha1", "kind": "HostnameConfig", "hostname": node.name, "auto": "off"}]


def render(binaries: Path, lab_ca: bytes) -> None:
    """Write into `cfg/` the secrets, a valid configuration for each node, and an admin credential."""
    CONFIG.mkdir(parents=True, exist_ok=True, mode=0o700)
    (CONFIG / "nodes").mkdir(exist_ok=True)
    _talosctl(binaries, "gen", "secrets", "--force", "-o", str(CONFIG / "secrets.yaml"))
    _write("lab.yaml", [lab_patch()])
    _write("lab-control.yaml", [lab_control_patch(lab_ca)])
    for node in NODES:
        _write(f"{node.name}.patch.yaml", node_patch(node))
        _render_node(binaries, node)
    _talosctl(binaries, *_generate("talosconfig"), "-o", str(CONFIG / "talosconfig"))
    endpoints(CONFIG / "talosconfig")


def _generate(kind: str) -> list[str]:
    return [
        "gen",
        "config",
        CLUSTER,
        API,
        "--with-secrets",
        str(CONFIG / "secrets.yaml"),
        "--with-docs=false",
        "--with-examples=false",
        "--kubernetes-version",
        KUBERNETES.removeprefix("v"),
        "--force",
        "-t",
        kind,
    ]


def _render_node(binaries: Path, node: Node) -> None:
    role = "controlplane" if node.control else "worker"
    own = (
        [TEMPLATES / "patches/controlplane.yaml", CONFIG / "lab-control.yaml"]
        if node.control
        else [TEMPLATES / f"pools/{node.pool}.yaml"]
    )
    patches = [TEMPLATES / "patches/all.yaml", CONFIG / "lab.yaml", *own, CONFIG / f"{node.name}.patch.yaml"]
    words = [w for p in patches for w in ("--config-patch", f"@{p}")]
    target = CONFIG / "nodes" / f"{node.name}.yaml"
    _talosctl(binaries, *_generate(role), *words, "-o", str(target))
    _talosctl(binaries, "validate", "--mode", "container", "--strict", "--config", str(target))


def _write(name: str, documents: list[dict[str, Any]]) -> None:
    (CONFIG / name).write_text(yaml.safe_dump_all(documents, sort_keys=False))


def endpoints(path: Path) -> None:
    """Point every context of a talosconfig at the control planes; readable by its owner only."""
    config = yaml.safe_load(path.read_text())
    for context in config["contexts"].values():
        context["endpoints"] = [n.address for n in controls()]
        context["nodes"] = [controls()[0].address]
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)


def ca(name: str) -> pki.Pair:
    """Return a CA of the secrets bundle: `k8s`, `etcd` or `os`."""
    found = yaml.safe_load((CONFIG / "secrets.yaml").read_text())["certs"][name]
    return pki.Pair(base64.b64decode(found["crt"]), base64.b64decode(found["key"]))
