"""From Vault into pods: External Secrets Operator, its stores and what they copy."""

from __future__ import annotations

from pathlib import Path

from lab.build import Component
from lab.deploy import Cluster, Manifest, NotReadyError, rolled_out, waiting
from lab.images import GROUP, LOCAL, NOBODY, PASSWD
from lab.oci import Entry, Image
from lab.parts.part import FIRST, Context, Part


VERSION = "v0.20.4"
NAME = "external-secrets"
AUTHORITY = "platform-ca"
KINDS = ("SecretStore", "ExternalSecret")


def _image(binaries: Path) -> Image:
    entries = (
        Entry(f"{LOCAL}/{NAME}", 0o755, binaries / NAME),
        Entry("etc/passwd", 0o644, data=PASSWD),
        Entry("etc/group", 0o644, data=GROUP),
        Entry("etc/nsswitch.conf", 0o644, data=b"hosts: files dns\n"),
        Entry("tmp", 0o1777),
    )
    return Image(f"platform/{NAME}", VERSION, entries, (f"/{LOCAL}/{NAME}",), NOBODY)


def authority(cert: bytes, namespaces: list[str]) -> list[Manifest]:
    """Return the ConfigMap with the certificate of the lab's CA, PEM, for each namespace that has a store."""
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
    """Roll the operator out, then the stores; wait until every ExternalSecret has been copied.

    Raises:
        NotReadyError: one is not there after four minutes; the text has the operator's own words.
    """
    rest = [d for d in context.documents if d["kind"] not in FIRST]
    stores = [d for d in rest if d["kind"] in KINDS]
    spaces = sorted({d["metadata"]["namespace"] for d in stores})
    context.cluster.apply(authority(context.authority.cert, spaces))
    context.cluster.apply([d for d in rest if d["kind"] not in KINDS])
    rolled_out(context.cluster, NAME, "operator")
    context.say("copying from Vault")
    context.cluster.apply(stores)
    for document in stores:
        copied(context.cluster, document)


@waiting
def copied(cluster: Cluster, document: Manifest) -> None:
    """Wait until a store is valid, an ExternalSecret copied."""
    kind, meta = document["kind"], document["metadata"]
    found = cluster.get(f"{kind}.external-secrets.io", meta["name"], "-n", meta["namespace"])
    conditions = {c["type"]: c for c in found.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {"status": "unknown", "message": "not looked at yet"})
    if ready["status"] != "True":
        raise NotReadyError(f"{kind} {meta['namespace']}/{meta['name']}: {ready.get('message', '')}")


PART = Part(
    name="secrets",
    needs=("vault",),
    expected=30,
    components=(Component(NAME, {NAME: "."}, seconds=150),),
    images={NAME: _image},
    names={NAME: f"registry.platform.example/platform/{NAME}"},
    folders=(f"platform/{NAME}",),
    controls=("SEC-26",),
    deploy=deploy,
)
