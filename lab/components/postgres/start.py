"""Start Patroni on the declared configuration, with passwords read from the mounted Secret files.

Patroni takes passwords from its configuration file or from its environment. This writes the file into a volume of
memory that only this container sees, so no password is in the environment.
"""

import os
import socket
from pathlib import Path

import yaml


DECLARED = Path("/etc/patroni/patroni.yml")
CREDENTIALS = Path("/etc/platform/credentials")
WRITTEN = Path("/run/patroni/patroni.yml")


def password(role: str) -> str:
    """Return the password of `role` as the platform's secret store delivered it."""
    return (CREDENTIALS / role / "password").read_text().strip()


def configuration() -> dict:
    """Return Patroni's configuration for this pod."""
    declared = yaml.safe_load(DECLARED.read_text())
    pod, address = os.environ["POD_NAME"], os.environ["POD_IP"]
    # The kubelet writes <pod>.<service>.<namespace>.svc.cluster.local into a StatefulSet pod's /etc/hosts.
    host = socket.getfqdn(pod)
    if not host.startswith(f"{pod}."):
        raise SystemExit(f"{pod} has no full name in /etc/hosts: is it a pod of a StatefulSet with a service?")
    declared["name"] = pod
    declared["kubernetes"] = {**declared["kubernetes"], "pod_ip": address, "namespace": os.environ["POD_NAMESPACE"]}
    declared["restapi"]["connect_address"] = f"{host}:8008"
    declared["postgresql"]["connect_address"] = f"{host}:5432"
    for role, known in declared["postgresql"]["authentication"].items():
        known["password"] = password(role)
    return declared


def main() -> None:
    """Write the configuration and become Patroni."""
    os.environ.setdefault("HOME", "/run/patroni")
    WRITTEN.touch(mode=0o600)
    WRITTEN.write_text(yaml.safe_dump(configuration()))
    os.execv("/usr/bin/python3", ["python3", "/usr/bin/patroni", str(WRITTEN)])


if __name__ == "__main__":
    main()
