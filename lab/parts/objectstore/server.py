"""Object storage beside the nodes: Ceph's S3 gateway on one monitor and one storage daemon, with cephx.

It stands in for the provider's object storage: outside the cluster, over TLS, with object lock. The packages'
systemd units are not used; every program runs in the foreground under `lab.process`.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lab import pki, process
from lab.layout import HOST, name_of


PORT = 7480
ENDPOINT = f"https://{HOST}:{PORT}"
DISK = 4 << 30
MONITOR, STORAGE, GATEWAY = "objectstore-mon", "objectstore-osd", "objectstore-rgw"
PROGRAMS = (MONITOR, STORAGE, GATEWAY)
CONFIG = """[global]
fsid = {fsid}
mon host = [v2:{host}:3300]
public addr = {host}
cluster addr = {host}
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/admin.keyring
run dir = {folder}/run
admin socket = {folder}/run/$name.$pid.asok
crash dir = {folder}/crash
log file =
log to stderr = true
err to stderr = true
debug none = 0/0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon]
mon data = {folder}/mon
mon allow pool size one = true
mon max pg per osd = 500
mon cluster log to file = false
mon data avail warn = 2
mon data avail crit = 1
[osd]
osd data = {folder}/osd
keyring = {folder}/osd.keyring
osd objectstore = bluestore
bluestore block create = true
bluestore block size = {disk}
bluestore cache autotune = false
bluestore cache size = 67108864
osd op num shards = 2
osd op num threads per shard = 1
[client.rgw]
keyring = {folder}/rgw.keyring
rgw frontends = beast ssl_endpoint={host}:{port} {tls}
rgw thread pool size = 32
debug rgw = 1/1
rgw enable usage log = false
rgw enable gc threads = true
rgw lc debug interval = -1
"""
CAPS = {
    "mon.": ("mon.keyring", ("mon", "allow *")),
    "client.admin": ("admin.keyring", ("mon", "allow *", "osd", "allow *", "mgr", "allow *")),
    "osd.0": ("osd.keyring", ("mon", "allow profile osd", "osd", "allow *")),
    "client.rgw": ("rgw.keyring", ("mon", "allow rw", "osd", "allow rwx")),
}


class NotReadyError(RuntimeError):
    """A program of the object storage does not answer."""


@dataclass(frozen=True, slots=True)
class Store:
    """The object storage of one lab, kept below `folder`."""

    folder: Path

    @property
    def keys(self) -> Path:
        """Return the folder of the key files, one JSON file per S3 user."""
        return self.folder / "keys"

    def start(self, authority: pki.Pair) -> None:
        """Start every program that is not running, set the store up if it is new, return once S3 answers.

        Raises:
            RuntimeError: a program does not start; the message has the end of its log.
        """
        if not (self.folder / "osd" / "ready").exists():
            self._prepare(authority)
        process.start(MONITOR, ["/usr/bin/ceph-mon", "-i", "a", "-f", *self._config()])
        self._await(MONITOR, self._fill)
        process.start(STORAGE, ["/usr/bin/ceph-osd", "-i", "0", "-f", *self._config()])
        process.start(GATEWAY, ["/usr/bin/radosgw", "-n", "client.rgw", "-f", *self._config()])
        self._await(GATEWAY, self._gateway)

    def user(self, name: str, buckets: int = -1) -> dict[str, str]:
        """Return the key of an S3 user, created if missing, and keep it in `keys/<name>.json`.

        Args:
            name: of the user.
            buckets: how many buckets the user may create; -1: none.

        Raises:
            RuntimeError: radosgw-admin failed.
        """
        path = self.keys / f"{name}.json"
        if not path.exists():
            words = ["user", "create", f"--uid={name}", f"--display-name={name}", f"--max-buckets={buckets}"]
            made = json.loads(self._run(["radosgw-admin", "-n", "client.rgw", *self._config(), *words]))
            key = made["keys"][0]
            pair = {"access_key": key["access_key"], "secret_key": key["secret_key"]}
            self.keys.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(json.dumps(pair))
        read: dict[str, str] = json.loads(path.read_text())
        return read

    def _config(self) -> list[str]:
        return ["-c", str(self.folder / "ceph.conf")]

    def _prepare(self, authority: pki.Pair) -> None:
        for name in ("run", "crash", "mon", "osd"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        fsid = str(uuid.uuid4())
        tls = f"ssl_certificate={self.folder}/tls.crt ssl_private_key={self.folder}/tls.key"
        text = CONFIG.format(fsid=fsid, host=HOST, port=PORT, folder=self.folder, disk=DISK, tls=tls)
        (self.folder / "ceph.conf").write_text(text)
        pki.issue(authority, "object storage", sans=(HOST, name_of("Host", "s3.platform.example"))).write(
            self.folder / "tls.crt", self.folder / "tls.key"
        )
        (self.folder / "ca.crt").write_bytes(authority.cert)
        (self.folder / "fsid").write_text(fsid)
        self._keyrings()
        monmap = str(self.folder / "monmap")
        self._run(["monmaptool", "--create", "--clobber", "--fsid", fsid,
                   "--addv", "a", f"[v2:{HOST}:3300]", monmap])  # fmt: skip
        everyone = str(self.folder / "everyone.keyring")
        self._run(["ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", everyone,
                   *self._config()])  # fmt: skip
        Path(everyone).unlink()

    def _keyrings(self) -> None:
        everyone = self.folder / "everyone.keyring"
        for name, (file, caps) in CAPS.items():
            path = self.folder / file
            words = [word for pair in zip(caps[::2], caps[1::2], strict=True) for word in ("--cap", *pair)]
            self._run(["ceph-authtool", "-C", str(path), "--gen-key", "-n", name, *words])
            path.chmod(0o600)
            with everyone.open("a") as out:
                out.write(path.read_text() + "\n")
        everyone.chmod(0o600)

    def _fill(self) -> None:
        """Register the storage daemon and create its file, once; also proves that the monitor answers."""
        known = json.loads(
            self._run(["ceph", *self._config(), "--connect-timeout", "3", "osd", "ls", "-f", "json"])
        )
        if not known:
            self._run(["ceph", *self._config(), "osd", "new", (self.folder / "fsid").read_text()])
        ready = self.folder / "osd" / "ready"
        if not ready.exists():
            self._run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", (self.folder / "fsid").read_text(),
                       *self._config()])  # fmt: skip

    def _gateway(self) -> None:
        try:
            answer = requests.get(ENDPOINT, verify=str(self.folder / "ca.crt"), timeout=3)
        except requests.RequestException as problem:
            raise NotReadyError(str(problem)) from problem
        if "ListAllMyBuckets" not in answer.text:
            raise NotReadyError(f"the gateway answers {answer.status_code}")

    def _await(self, program: str, ready: Callable[[], None]) -> None:
        """Return once `ready` returns without NotReadyError."""
        patient = Retrying(
            retry=retry_if_exception_type(NotReadyError), stop=stop_after_delay(60), wait=wait_fixed(0.1)
        )
        try:
            patient(ready)
        except RetryError as late:
            log = (process.LOGS / f"{program}.log").read_text(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"{program} does not start: {' | '.join(log)}") from late

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise NotReadyError(f"{words[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout
