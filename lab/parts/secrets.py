"""From Vault into pods: External Secrets Operator, its stores and what they sync."""

from __future__ import annotations

from pathlib import Path

from lab.build import Component
from lab.deploy import Cluster, Manifest, NotReadyError, rolled_out, waiting
from lab.images import GROUP, LOCAL, NOBODY, PASSWD
from lab.layout import image, name_of
from lab.oci import Entry, Image
from lab.parts.part import FIRST, Context, Part


VERSION = "v0.20.4"
NAME = "external-secrets"
OPERATOR = name_of("Namespace", NAME), name_of("Deployment", "operator")
AUTHORITY = name_of("ConfigMap", "platform-ca")
KINDS = ("SecretStore", "ExternalSecret")


def _image(binaries: Path) -> Image:
    entries = (
        Entry(f"{LOCAL}/{NAME}", 0o755, binaries / NAME),
        Entry("etc/passwd", 0o644, data=PASSWD),
        Entry("etc/group", 0o644, data=GROUP),
        Entry("etc/nsswitch.conf", 0o644, data=b"hosts: files dns\n"),
        Entry("tmp", 0o1777),
    )
    return Image(name_of("Image", f"platform/{NAME}"), VERSION, entries, (f"/{LOCAL}/{NAME}",), NOBODY)


def authority(cert: bytes, namespaces: list[str]) -> list[Manifest]:
    """Return for each namespace the ConfigMap with the certificate of the lab's CA, PEM."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": AUTHORITY, "namespace": namespace},
            "data": {"ca.crt": cert.decode()},
        }
        for namespace in namespaces
    ]


def deploy(context: Context) -> None:
    """Roll the operator out, then the stores; wait until every ExternalSecret is synced.

    Raises:
        NotReadyError: one was not synced in four minutes; the message has the operator's own.
    """
    rest = [d for d in context.documents if d["kind"] not in FIRST]
    stores = [d for d in rest if d["kind"] in KINDS]
    spaces = sorted({d["metadata"]["namespace"] for d in stores})
    context.cluster.apply(authority(context.authority.cert, spaces))
    context.cluster.apply([d for d in rest if d["kind"] not in KINDS])
    rolled_out(context.cluster, *OPERATOR)
    context.say("syncing from Vault")
    context.cluster.apply(stores)
    for document in stores:
        copied(context.cluster, document)


@waiting
def copied(cluster: Cluster, document: Manifest) -> None:
    """Wait until a store is valid, an ExternalSecret synced."""
    kind, meta = document["kind"], document["metadata"]
    found = cluster.get(f"{kind}.external-secrets.io", meta["name"], "-n", meta["namespace"])
    conditions = {c["type"]: c for c in found.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {"status": "unknown", "message": "not reconciled yet"})
    if ready["status"] != "True":
        raise NotReadyError(f"{kind} {meta['namespace']}/{meta['name']}: {ready.get('message', '')}")


PART = Part(
    name="secrets",
    needs=("vault",),
    expected=30,
    components=(Component(NAME, {NAME: "."}, seconds=150),),
    images={NAME: _image},
    names={NAME: image(f"platform/{NAME}")},
    folders=(f"platform/{NAME}",),
    controls=("SEC-26",),
    deploy=deploy,
)
