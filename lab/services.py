"""Programs that run beside the nodes, on the bridge's address: registry, DNS, web servers, load balancer."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from lab import http_servers, machineconfig, pki, process
from lab.layout import API_HOST, CACHE, HOST, OIDC_PORT, PROJECT, REGISTRY, STATE, controls, workers


HAPROXY = """global
  maxconn 2000
defaults
  mode tcp
  timeout connect 3s
  timeout client 1h
  timeout server 1h
frontend kubernetes-api
  bind {host}:6443
  default_backend control-planes
backend control-planes
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server check check-ssl verify required ca-file {folder}/ca.crt crt {folder}/client.pem
  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""
REGISTRY_CONFIG = """version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http: {{addr: "{address}"}}
"""
COREFILE = """. {{
    bind {host}
    hosts {{
        {address} {name}
        fallthrough
    }}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
    errors
}}
"""


def start_registry(binaries: Path) -> None:
    """Start the image registry; its blobs are in the cache."""
    config = STATE / "registry.yaml"
    config.write_text(REGISTRY_CONFIG.format(root=CACHE / "registry", address=REGISTRY))
    process.start(
        "registry", [str(binaries / "registry"), "serve", str(config)], {"OTEL_TRACES_EXPORTER": "none"}
    )


def start_dns(binaries: Path) -> None:
    """Start the lab's DNS, which knows the platform's public names and nothing else."""
    corefile = STATE / "Corefile"
    corefile.write_text(COREFILE.format(host=HOST, address=workers()[0].address, name=API_HOST))
    process.start("dns", [str(binaries / "coredns"), "-conf", str(corefile)])


def start_web(lab_ca: pki.Pair) -> None:
    """Start the web server for manifests and the OIDC issuer."""
    if process.process("web") is None:
        http_servers.write(pki.issue(lab_ca, "issuer", sans=(HOST,)), pki.rsa_key())
    process.start("web", [sys.executable, "-m", "lab.http_servers"], {"PYTHONPATH": str(PROJECT)})


def start_load_balancer() -> None:
    """Start HAProxy, the specification's API load balancer, with health checks of the three API servers."""
    folder = STATE / "haproxy"
    folder.mkdir(exist_ok=True, mode=0o700)
    authority = machineconfig.ca("k8s")
    client = pki.issue(authority, "load-balancer")
    (folder / "ca.crt").write_bytes(authority.cert)
    (folder / "client.pem").touch(mode=0o600)
    (folder / "client.pem").write_bytes(client.cert + client.key)
    servers = "\n".join(f"  server {n.name} {n.address}:6443" for n in controls())
    (folder / "haproxy.cfg").write_text(HAPROXY.format(host=HOST, folder=folder, servers=servers))
    process.start("haproxy", ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")])


PORTS = {"registry": 5000, "dns": 53, "web": OIDC_PORT, "haproxy": 6443}
NAMES = tuple(PORTS)


@retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(20), wait=wait_fixed(0.1), reraise=True)
def _dial(port: int) -> None:
    socket.create_connection((HOST, port), timeout=2).close()


def listening(*names: str) -> None:
    """Wait until each named program accepts connections.

    Raises:
        RuntimeError: one does not listen; the message has the end of its log.
    """
    for name in names:
        try:
            _dial(PORTS[name])
        except OSError as closed:
            log = (process.LOGS / f"{name}.log").read_text(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"{name} does not listen: {' | '.join(log)}") from closed
