"""Vault: three members on raft, with TLS; configured from gitops/, the root token revoked at the end."""

from __future__ import annotations

import base64
from pathlib import Path

from lab import pki, volumes
from lab.build import Component
from lab.deploy import Manifest
from lab.images import GROUP, LOCAL, NOBODY, PASSWD
from lab.layout import HOST, image, name_of, workers
from lab.oci import Entry, Image
from lab.parts.part import FIRST, Context, Part, Tables
from lab.parts.vault.server import AUDITOR, DRILL, MEMBERS, MOUNT, PLUGIN, Escrow, Keeper, Setup


VERSION = "v1.21.0"
ENTRY, FIRST_PORT = 30820, 30821
NAMESPACE = name_of("Namespace", "vault")
MEMBER_NAMES = tuple(name_of("Pod", f"vault-{number}") for number in range(MEMBERS))
PLUGINS = "usr/local/lib/vault"
SHARES = "vault-unseal.json"


def _image(binaries: Path) -> Image:
    """Vault without most of its plugins; Kubernetes auth is a separate plugin program."""
    entries = (
        Entry(f"{LOCAL}/vault", 0o755, binaries / "vault"),
        Entry(f"{PLUGINS}/{PLUGIN}", 0o755, binaries / PLUGIN),
        Entry("etc/passwd", 0o644, data=PASSWD),
        Entry("etc/group", 0o644, data=GROUP),
        Entry("etc/nsswitch.conf", 0o644, data=b"hosts: files dns\n"),
        Entry("tmp", 0o1777),
        Entry("vault/data", 0o777),
    )
    return Image(name_of("Image", "platform/vault"), VERSION, entries, (f"/{LOCAL}/vault",), NOBODY)


def _folder(context: Context) -> Path:
    made = context.state / "vault"
    made.mkdir(exist_ok=True, mode=0o700)
    return made


def _names() -> tuple[str, ...]:
    peers = name_of("Service", "vault-internal")
    services = [name_of("Service", "vault"), name_of("Service", "vault-active")]
    services += [f"{member}.{peers}" for member in MEMBER_NAMES]
    ends = ("", f".{NAMESPACE}", f".{NAMESPACE}.svc", f".{NAMESPACE}.svc.cluster.local")
    outside = (HOST, "127.0.0.1", "localhost", *(n.address for n in workers()))
    return (*(f"{service}{end}" for service in services for end in ends), *outside)


def secrets(context: Context) -> list[Manifest]:
    """Return Vault's own TLS: the one Secret of it that cannot come from Vault."""
    folder = _folder(context)
    if not (folder / "tls.crt").exists():
        pki.issue(context.authority, "vault", sans=_names()).write(folder / "tls.crt", folder / "tls.key")
    content = {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key")}
    content["ca.crt"] = context.authority.cert
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": name_of("Secret", "vault-tls"),
                "namespace": NAMESPACE,
                "labels": {"app.kubernetes.io/part-of": name_of("Part", "vault")},
            },
            "data": {name: base64.b64encode(raw).decode() for name, raw in content.items()},
        }
    ]


def addresses() -> list[str]:
    """Return every member's own address, as the suite reaches it."""
    return [f"https://{workers()[0].address}:{FIRST_PORT + i}" for i in range(MEMBERS)]


def _keeper(context: Context) -> Keeper:
    return Keeper(addresses(), context.state / "ca.crt", Escrow(context.escrow / SHARES))


def deploy(context: Context) -> None:
    """Apply, initialise once, unseal, wait for three voters, configure, revoke the root token."""
    volumes.make(context.documents)
    context.cluster.apply([d for d in context.documents if d["kind"] not in FIRST])
    keeper = _keeper(context)
    keeper.answering()
    first = keeper.initialised()
    keeper.escrow.split()
    keeper.unsealed()
    with keeper.root(first) as root:
        keeper.voting(root)
        setup = Setup(root, keeper.ca)
        setup.all(context.binaries / PLUGIN)
        setup.values()
        setup.token(_folder(context) / "auditor-token", AUDITOR)
        setup.token(_folder(context) / "drill-token", DRILL)


def profile(context: Context) -> Tables:
    """Return where Vault is and where the suite's token is."""
    return {
        "vault": {
            "addresses": addresses(),
            "entry": f"https://{workers()[0].address}:{ENTRY}",
            "ca": str(context.state / "ca.crt"),
            "token": str(context.state / "vault" / "auditor-token"),
            "drill_token": str(context.state / "vault" / "drill-token"),
            "mount": MOUNT,
        },
        "escrow": {"folder": str(context.state / "escrow")},
    }


PART = Part(
    name="vault",
    expected=60,
    components=(
        Component(
            "vault",
            {
                "vault": "github.com/hashicorp/vault",
                PLUGIN: f"github.com/hashicorp/{PLUGIN}/cmd/{PLUGIN}",
            },
            seconds=420,
            tags="minimal",
        ),
    ),
    images={"vault": _image},
    names={"vault": image("platform/vault")},
    folders=("overlays/lab/vault",),
    controls=("SEC-24", "SEC-25"),
    secrets=secrets,
    deploy=deploy,
    profile=profile,
)
