"""NODE-06: a Secret in clear in etcd, as one that was written before encryption was switched on."""

import json
from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.etcd import EtcdWriter


NAME = "default/assay-planted-clear"


@violation()
def secret_in_clear(plant: Plant) -> Iterator[Named]:
    """A Secret written to etcd directly: the API servers can read it, but it is not encrypted."""
    space, _, name = NAME.partition("/")
    meta = {
        "namespace": space,
        "name": name,
        "uid": "00000000-0000-4000-8000-000000000022",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    body = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {**meta, "labels": plant.labels},
        "data": {"decoy": "bm90aGluZw=="},
        "type": "Opaque",
    }
    etcd = EtcdWriter.from_profile(plant.profile)
    endpoint, key = etcd.endpoints[0], f"/registry/secrets/{NAME}"
    try:
        etcd.put(endpoint, key, json.dumps(body).encode())
        plant.await_true(lambda: plant.kube.get("v1", "Secret", space, name) is not None, f"Secret {NAME}")
        yield Named(f"Secret {NAME}")
    finally:
        etcd.delete(endpoint, key)
