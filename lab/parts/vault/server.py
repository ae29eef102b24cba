"""The lab's Vault from its first start to its last root token.

Initialise, unseal, set up from the files in gitops/, fill with values of its own, give the suite a token
that reads. May be repeated: a root token that a later run needs is made from the escrowed shares and revoked.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hvac
import requests
from hvac.exceptions import InvalidPath, InvalidRequest, VaultError

from lab.deploy import NotReadyError, waiting
from lab.layout import PROJECT


CONFIG = PROJECT / "gitops" / "platform" / "vault" / "config"
SHARES, THRESHOLD = 5, 3
MEMBERS = 3
MOUNT = "kv"
PLUGIN = "vault-plugin-auth-kubernetes"
HOST = "https://kubernetes.default.svc"
PERIOD = "24h"
AUDITOR = "auditor"
TIMEOUT_S = 20
NOT_YET = (requests.RequestException, VaultError)


@dataclass(frozen=True, slots=True)
class Escrow:
    """The unseal shares, in one file that only root reads."""

    file: Path

    def keep(self, shares: list[str]) -> None:
        """Write the shares down, durably, before anything else happens."""
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps({"threshold": THRESHOLD, "shares": shares}))

    def split(self) -> None:
        """Write each share into a file of its own, `vault-share-<n>`, as its keeper holds it."""
        kept = json.loads(self.file.read_text())
        for number, share in enumerate(kept["shares"], 1):
            file = self.file.with_name(f"vault-share-{number}")
            file.touch(mode=0o600)
            file.write_text(share)

    def shares(self) -> list[str]:
        """Return as many shares as it takes.

        Raises:
            RuntimeError: they are not there, and so this Vault stays sealed.
        """
        if not self.file.exists():
            raise RuntimeError(f"Vault is initialised, but {self.file} is not there: `lab down --wipe`")
        kept = json.loads(self.file.read_text())
        return [str(share) for share in kept["shares"][: kept["threshold"]]]


def client(address: str, ca: Path, token: str = "") -> hvac.Client:
    """Return a client of one member that ignores the environment's proxies and tokens."""
    session = requests.Session()
    session.trust_env, session.verify = False, str(ca)
    made = hvac.Client(address, token=token, timeout=TIMEOUT_S, session=session)
    made.token = token
    return made


class Keeper:
    """Whoever sets Vault up; `members` are their addresses, the first one is initialised."""

    def __init__(self, members: list[str], ca: Path, escrow: Escrow) -> None:
        """Ask the members at `members` with the lab's CA."""
        self.members = [client(address, ca) for address in members]
        self.first, self.ca, self.escrow = self.members[0], ca, escrow

    @waiting
    def answering(self) -> None:
        """Wait until every member answers, sealed or not."""
        for member in self.members:
            try:
                member.sys.read_seal_status()
            except NOT_YET as silent:
                raise NotReadyError(f"{member.url}: {type(silent).__name__}") from None

    def initialised(self) -> str:
        """Initialise the first member if that was never done.

        Returns:
            The first root token, empty where it was initialised already.
        """
        if self.first.sys.is_initialized():
            return ""
        made = self.first.sys.initialize(SHARES, THRESHOLD)
        self.escrow.keep(made["keys_base64"])
        return str(made["root_token"])

    def unsealed(self) -> None:
        """Unseal every member; one that has not joined yet is waited for."""
        shares = self.escrow.shares()
        for member in self.members:
            self._unsealed(member, shares)

    @waiting
    def _unsealed(self, member: hvac.Client, shares: list[str]) -> None:
        try:
            seal = member.sys.read_seal_status()
            if seal["sealed"] and seal["initialized"]:
                seal = member.sys.submit_unseal_keys(shares)
        except NOT_YET as late:
            raise NotReadyError(f"{member.url}: {type(late).__name__}") from None
        if seal["sealed"]:
            raise NotReadyError(f"{member.url}: {'sealed' if seal['initialized'] else 'has not joined'}")

    @waiting
    def voting(self, root: hvac.Client) -> None:
        """Wait until all members vote and one leads."""
        try:
            rows = root.sys.read_raft_config()["data"]["config"]["servers"]
        except NOT_YET as late:
            raise NotReadyError(f"raft: {type(late).__name__}") from None
        voters = [row["node_id"] for row in rows if row["voter"]]
        if len(voters) != MEMBERS or not any(row["leader"] for row in rows):
            raise NotReadyError(f"raft: {len(voters)} of {MEMBERS} vote")

    @contextlib.contextmanager
    def root(self, token: str = "") -> Iterator[hvac.Client]:
        """Yield a client with a root token, revoked on the way out; without `token` the shares make one."""
        made = client(self.first.url, self.ca, token or self._generated())
        try:
            self._leading(made)
            yield made
        finally:
            made.auth.token.revoke_self()

    @waiting
    def _leading(self, root: hvac.Client) -> None:
        """Wait until the token is known where it is used: a standby forwards only once there is a leader."""
        try:
            root.auth.token.lookup_self()
        except NOT_YET as late:
            raise NotReadyError(f"no active member: {type(late).__name__}") from None

    def _generated(self) -> str:
        # An attempt that somebody left half done would refuse a new one.
        with contextlib.suppress(VaultError):
            self.first.sys.cancel_root_generation()
        started = self.first.sys.start_root_token_generation()
        done = {}
        for share in self.escrow.shares():
            done = self.first.sys.generate_root(share, started["nonce"])
        return decoded(done["encoded_root_token"], started["otp"])


def decoded(encoded: str, otp: str) -> str:
    """Return the root token that was handed out xored with a one-time password."""
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(a ^ b for a, b in zip(raw, otp.encode(), strict=True)).decode()


class Setup:
    """What is written into an unsealed Vault; every step leaves alone what is right already."""

    def __init__(self, root: hvac.Client, ca: Path) -> None:
        """Write with a root token."""
        self.root, self.ca = root, ca

    def all(self, plugin: Path) -> None:
        """Audit device, value store, Kubernetes auth, and every policy and role in gitops/."""
        self.audit()
        self.mount()
        self.kubernetes(plugin)
        for file in sorted((CONFIG / "policies").glob("*.hcl")):
            self.root.sys.create_or_update_policy(file.stem, file.read_text())
        for file in sorted((CONFIG / "roles").glob("*.json")):
            self.root.write_data(f"auth/kubernetes/role/{file.stem}", data=json.loads(file.read_text()))

    def audit(self) -> None:
        """Audit to the container's own output, which the node's log pipeline reads."""
        if "stdout/" not in self.root.sys.list_enabled_audit_devices()["data"]:
            self.root.sys.enable_audit_device(
                "file", description="to the log pipeline", options={"file_path": "stdout"}, path="stdout"
            )

    def mount(self) -> None:
        """KV, version 2."""
        if f"{MOUNT}/" not in self.root.sys.list_mounted_secrets_engines()["data"]:
            self.root.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})

    def kubernetes(self, plugin: Path) -> None:
        """Kubernetes auth, by the plugin in the image; Vault runs it only with this digest."""
        with plugin.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.root.write_data(
            "sys/plugins/catalog/auth/kubernetes", data={"sha256": digest, "command": PLUGIN}
        )
        if "kubernetes/" not in self.root.sys.list_auth_methods()["data"]:
            self._enabled()
        self.root.write_data("auth/kubernetes/config", data={"kubernetes_host": HOST})

    @waiting
    def _enabled(self) -> None:
        try:
            self.root.sys.enable_auth_method("kubernetes", path="kubernetes")
        except InvalidRequest as refused:
            raise NotReadyError(f"auth kubernetes: {refused}") from None

    def values(self) -> None:
        """Fill what is empty with random values: every lab has its own."""
        users = {"superuser": "postgres", "replication": "replicator", "app": "shop", "auditor": "auditor"}
        for name, user in users.items():
            self._value(f"postgres/{name}", {"username": user, "password": secrets.token_urlsafe(24)})
        app = self.root.secrets.kv.v2.read_secret_version(
            "postgres/app", mount_point=MOUNT, raise_on_deleted_version=True
        )["data"]["data"]
        where = {"host": "pgbouncer.postgres.svc.cluster.local", "port": "5432", "dbname": "shop"}
        self._value("shop/public-api", {**where, **app})
        self._value("postgres/canary", {"username": "canary", "password": secrets.token_urlsafe(24)})
        self._value("canary/rotation", {"value": secrets.token_urlsafe(24)})

    def _value(self, path: str, content: dict[str, str]) -> None:
        kv = self.root.secrets.kv.v2
        try:
            kv.read_secret_metadata(path, mount_point=MOUNT)
        except InvalidPath:
            kv.create_or_update_secret(path, content, cas=0, mount_point=MOUNT)

    def auditor(self, file: Path) -> None:
        """Write a token that reads and may renew itself, unless the one in `file` is still good."""
        if file.exists():
            mine = client(self.root.url, self.ca, file.read_text())
            with contextlib.suppress(VaultError):
                mine.auth.token.renew_self()
                return
        made = self.root.auth.token.create(
            policies=[AUDITOR, "own-token"],
            no_parent=True,
            no_default_policy=True,
            renewable=True,
            period=PERIOD,
            display_name=AUDITOR,
        )
        file.touch(mode=0o600)
        file.write_text(made["auth"]["client_token"])
