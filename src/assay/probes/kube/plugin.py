"""Exec plugins of a kubeconfig (client.authentication.k8s.io), each run within a time limit.

Nobody sits before a nightly run, so a plugin that opens a browser or asks on a terminal is an ERROR.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.formats.tools import run_tool


PLUGIN_TIMEOUT_S = 30.0
EXTENSION = "client.authentication.k8s.io/exec"
# Ways to a browser or a desktop: without them most plugins give up at once.
DESKTOP = frozenset({"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "DBUS_SESSION_BUS_ADDRESS"})
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExecCredential:
    """What a client shows to an API server.

    Attributes:
        token: a bearer token.
        basic: user and password as basic authentication sends them.
        certificate: a client certificate, PEM.
        key: its key, PEM.
        expires: when it runs out (UTC), None where nobody says.
    """

    token: str = field(default="", repr=False)
    basic: str = field(default="", repr=False)
    certificate: str = ""
    key: str = field(default="", repr=False)
    expires: datetime.datetime | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the header by which a request carries it; none for a certificate."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": f"Basic {self.basic}"} if self.basic else {}


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A program that prints an ExecCredential.

    Attributes:
        file: the kubeconfig that names it.
        words: the program and its arguments.
        environment: what the kubeconfig adds to its environment.
        version: API version of the ExecCredential that it must print.
        cluster: what it is told of the cluster, where the kubeconfig wants that.
    """

    file: Path
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    version: str
    cluster: Table | None = None

    @classmethod
    def of(cls, file: Path, entry: Table, cluster: Table) -> Self:
        """Return the plugin that the user's `exec` entry describes.

        Raises:
            ProbeError: it needs a terminal.
        """
        command = str(entry["command"])
        if entry.get("interactiveMode") == "Always":
            message = f"{file.name}: exec plugin {Path(command).name} asks on a terminal (interactiveMode)"
            raise ProbeError(message, "give [kube] kubeconfig a login that needs nobody")
        place = str(file.parent / command) if os.sep in command else command
        words = (place, *map(str, entry.get("args") or ()))
        given = {str(one["name"]): str(one["value"]) for one in entry.get("env") or ()}
        shown = _shown(file.parent, cluster) if entry.get("provideClusterInfo") else None
        return cls(file, words, given, str(entry["apiVersion"]), shown)

    def run(self, timeout_s: float = PLUGIN_TIMEOUT_S) -> ExecCredential:
        """Return what one run of the plugin gives.

        Raises:
            ProbeError: it does not run, fails, does not end in time, or prints no usable credential. What it
            printed is not repeated: it may hold a secret.
        """
        what = f"{self.file.name}: exec plugin {Path(self.words[0]).name}"
        by_hand = f"log in by hand, then try: kubectl --kubeconfig {self.file} get --raw /version"
        wait = f"does it wait for a browser or for a password? {by_hand}"
        done = run_tool(
            self.words, timeout_s, what, remedy=wait, env=self._environment(), cwd=self.file.parent
        )
        if done.code:
            raise ProbeError(f"{what}: failed with exit code {done.code}", by_hand)
        try:
            found = self._parsed(json.loads(done.out))
        except WRONG:
            raise ProbeError(f"{what}: printed no credential of {self.version}", by_hand) from None
        if found.expires and found.expires <= datetime.datetime.now(datetime.UTC):
            raise ProbeError(f"{what}: gave a credential that expired already", by_hand)
        return found

    def _environment(self) -> dict[str, str]:
        spec = {"interactive": False, **({"cluster": self.cluster} if self.cluster else {})}
        info = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        own = {name: value for name, value in os.environ.items() if name not in DESKTOP}
        return {**own, **self.environment, "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _parsed(self, answer: Table) -> ExecCredential:
        status = answer["status"]
        if answer["apiVersion"] != self.version or answer["kind"] != "ExecCredential":
            raise ValueError
        ends = status.get("expirationTimestamp")
        found = ExecCredential(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or ""),
            key=str(status.get("clientKeyData") or ""),
            expires=_moment(ends) if ends else None,
        )
        if not found.token and not (found.certificate and found.key):
            raise ValueError
        return found


def _moment(text: str) -> datetime.datetime:
    """Return an RFC 3339 time; one without an offset is taken as UTC."""
    read = datetime.datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)


def _shown(folder: Path, cluster: Table) -> dict[str, Any]:
    """Return what a plugin is told of the cluster: the CA as data, and the configuration for plugins."""
    shown = {
        key: cluster[key]
        for key in ("server", "tls-server-name", "proxy-url", "certificate-authority-data")
        if key in cluster
    }
    if cluster.get("certificate-authority"):
        text = (folder / cluster["certificate-authority"]).read_bytes()
        shown["certificate-authority-data"] = base64.b64encode(text).decode()
    config = [one["extension"] for one in cluster.get("extensions") or () if one["name"] == EXTENSION]
    return {**shown, **({"config": config[0]} if config else {})}
