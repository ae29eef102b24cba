"""The lab's Vault, from its first start to its last root token.

Initialise, unseal, configure from the files in gitops/, fill with random values, issue the suite a read-only
token. Idempotent: a later run generates a root token from the escrowed shares and revokes it at the end.
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
from lab.layout import name_of, source


CONFIG = source("gitops/platform/vault/config")
SHARES, THRESHOLD = 5, 3
MEMBERS = 3
MOUNT, AUTH = name_of("VaultMount", "kv"), name_of("VaultAuth", "kubernetes")
DEVICE = name_of("AuditDevice", "stdout")
PLUGIN = "vault-plugin-auth-kubernetes"
HOST = "https://kubernetes.default.svc"
PERIOD = "24h"
ACCOUNTS = {
    "superuser": "postgres",
    "replication": "replicator",
    "app": "shop",
    "auditor": "auditor",
    "canary": "canary",
}
POOL = {
    "host": f"{name_of('Service', 'pgbouncer')}.{name_of('Namespace', 'postgres')}.svc.cluster.local",
    "port": "5432",
    "dbname": name_of("Database", "shop"),
}
AUDITOR, DRILL = name_of("VaultPolicy", "auditor"), name_of("VaultPolicy", "drill-writer")
OWN_TOKEN = name_of("VaultPolicy", "own-token")
SHARE = name_of("File", "vault-share")
TIMEOUT_S = 20
NOT_YET = (requests.RequestException, VaultError)


@dataclass(frozen=True, slots=True)
class Escrow:
    """The unseal shares, in one file that only root reads."""

    file: Path

    def keep(self, shares: list[str]) -> None:
        """Write the shares to the file before anything else happens."""
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps({"threshold": THRESHOLD, "shares": shares}))

    def split(self) -> None:
        """Write each share into a file of its own, as its keeper holds it."""
        kept = json.loads(self.file.read_text())
        for number, share in enumerate(kept["shares"], 1):
            file = self.file.with_name(f"{SHARE}-{number}")
            file.touch(mode=0o600)
            file.write_text(share)

    def shares(self) -> list[str]:
        """Return as many shares as unsealing takes.

        Raises:
            RuntimeError: the file does not exist, so this Vault stays sealed.
        """
        if not self.file.exists():
            raise RuntimeError(f"Vault is initialised, but {self.file} does not exist: run `lab down --wipe`")
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
    """The operator who sets Vault up; the first of its members is initialised."""

    def __init__(self, members: list[str], ca: Path, escrow: Escrow) -> None:
        """Connect to the members at these addresses, trusting `ca`."""
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
        """Initialise the first member unless it is.

        Returns:
            The initial root token, empty if the member was initialised already.
        """
        if self.first.sys.is_initialized():
            return ""
        made = self.first.sys.initialize(SHARES, THRESHOLD)
        self.escrow.keep(made["keys_base64"])
        return str(made["root_token"])

    def unsealed(self) -> None:
        """Unseal every member, waiting for those that have not joined yet."""
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
        """Wait until all members are voters and one leads."""
        try:
            rows = root.sys.read_raft_config()["data"]["config"]["servers"]
        except NOT_YET as late:
            raise NotReadyError(f"raft: {type(late).__name__}") from None
        voters = [row["node_id"] for row in rows if row["voter"]]
        if len(voters) != MEMBERS or not any(row["leader"] for row in rows):
            raise NotReadyError(f"raft: {len(voters)} of {MEMBERS} vote")

    @contextlib.contextmanager
    def root(self, token: str = "") -> Iterator[hvac.Client]:
        """Yield a client with a root token, revoked on exit; without `token` the shares generate one."""
        made = client(self.first.url, self.ca, token or self._generated())
        try:
            self._leading(made)
            yield made
        finally:
            made.auth.token.revoke_self()

    @waiting
    def _leading(self, root: hvac.Client) -> None:
        """Wait until the token is accepted: a standby forwards only once there is a leader."""
        try:
            root.auth.token.lookup_self()
        except NOT_YET as late:
            raise NotReadyError(f"no active member: {type(late).__name__}") from None

    def _generated(self) -> str:
        # An unfinished earlier attempt would block a new one.
        with contextlib.suppress(VaultError):
            self.first.sys.cancel_root_generation()
        started = self.first.sys.start_root_token_generation()
        done = {}
        for share in self.escrow.shares():
            done = self.first.sys.generate_root(share, started["nonce"])
        return decoded(done["encoded_root_token"], started["otp"])


def decoded(encoded: str, otp: str) -> str:
    """Return the root token that Vault returned XORed with a one-time password."""
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(a ^ b for a, b in zip(raw, otp.encode(), strict=True)).decode()


class Setup:
    """The configuration of an unsealed Vault; every step is idempotent."""

    def __init__(self, root: hvac.Client, ca: Path) -> None:
        """Configure through `root`, a client with a root token."""
        self.root, self.ca = root, ca

    def all(self, plugin: Path) -> None:
        """Set up audit device, KV mount, Kubernetes auth, and every policy and role in gitops/."""
        self.audit()
        self.mount()
        self.kubernetes(plugin)
        for file in sorted((CONFIG / "policies").glob("*.hcl")):
            self.root.sys.create_or_update_policy(file.stem, file.read_text())
        for file in sorted((CONFIG / "roles").glob("*.json")):
            self.root.write_data(f"auth/{AUTH}/role/{file.stem}", data=json.loads(file.read_text()))

    def audit(self) -> None:
        """Audit to the container's standard output, which the node's log pipeline reads."""
        if f"{DEVICE}/" not in self.root.sys.list_enabled_audit_devices()["data"]:
            self.root.sys.enable_audit_device(
                "file", description="to the log pipeline", options={"file_path": "stdout"}, path=DEVICE
            )

    def mount(self) -> None:
        """Mount KV, version 2."""
        if f"{MOUNT}/" not in self.root.sys.list_mounted_secrets_engines()["data"]:
            self.root.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})

    def kubernetes(self, plugin: Path) -> None:
        """Enable Kubernetes auth by the plugin in the image, which Vault runs only with this digest."""
        with plugin.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.root.write_data(
            "sys/plugins/catalog/auth/kubernetes", data={"sha256": digest, "command": PLUGIN}
        )
        if f"{AUTH}/" not in self.root.sys.list_auth_methods()["data"]:
            self._enabled()
        self.root.write_data(f"auth/{AUTH}/config", data={"kubernetes_host": HOST})

    @waiting
    def _enabled(self) -> None:
        try:
            self.root.sys.enable_auth_method("kubernetes", path=AUTH)
        except InvalidRequest as refused:
            raise NotReadyError(f"auth {AUTH}: {refused}") from None

    def values(self) -> None:
        """Fill every entry that does not exist with random values: every lab has its own."""
        for name, role in ACCOUNTS.items():
            user = name_of("DatabaseRole", role)
            self._value(f"postgres/{name}", {"username": user, "password": secrets.token_urlsafe(24)})
        app = self.root.secrets.kv.v2.read_secret_version(
            name_of("VaultPath", "postgres/app"), mount_point=MOUNT, raise_on_deleted_version=True
        )["data"]["data"]
        self._value("shop/public-api", {**POOL, **app})
        self._value("canary/rotation", {"value": secrets.token_urlsafe(24)})

    def _value(self, reference: str, content: dict[str, str]) -> None:
        kv, path = self.root.secrets.kv.v2, name_of("VaultPath", reference)
        try:
            kv.read_secret_metadata(path, mount_point=MOUNT)
        except InvalidPath:
            kv.create_or_update_secret(path, content, cas=0, mount_point=MOUNT)

    def token(self, file: Path, policy: str) -> None:
        """Write a token of `policy` that can renew itself, unless the one in `file` is still valid."""
        if file.exists():
            mine = client(self.root.url, self.ca, file.read_text())
            with contextlib.suppress(VaultError):
                mine.auth.token.renew_self()
                return
        made = self.root.auth.token.create(
            policies=[policy, OWN_TOKEN],
            no_parent=True,
            no_default_policy=True,
            renewable=True,
            period=PERIOD,
            display_name=policy,
        )
        file.touch(mode=0o600)
        file.write_text(made["auth"]["client_token"])
