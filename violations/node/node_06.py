"""NODE-06: a Secret in clear in etcd, as one that was written before encryption was switched on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.etcd import EtcdWriter


SPACE, NAME = "default", "assay-planted-clear"


@contextmanager
def written_in_clear(plant: Plant) -> Iterator[Named]:
    """Write a well-formed Secret past the API servers: they can read it, none has encrypted it."""
    meta = {
        "namespace": SPACE,
        "name": NAME,
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
    endpoint, key = etcd.endpoints[0], f"/registry/secrets/{SPACE}/{NAME}"
    try:
        etcd.put(endpoint, key, json.dumps(body).encode())
        plant.await_true(lambda: plant.kube.get("v1", "Secret", SPACE, NAME) is not None, f"Secret {NAME}")
        yield Named(f"Secret {SPACE}/{NAME}")
    finally:
        etcd.erase(endpoint, key)


@violation()
def secret_in_clear(plant: Plant) -> Iterator[Named]:
    """A Secret written to etcd directly: the API servers can read it, but it is not encrypted."""
    with written_in_clear(plant) as secret:
        yield secret


@violation()
def earlier_revision_in_clear(plant: Plant) -> Iterator[Named]:
    """A Secret that is encrypted now; the revision before is not, and no compaction has removed it."""
    with written_in_clear(plant) as secret:
        plant.kube.patch(
            "v1", "Secret", SPACE, NAME, {"metadata": {"labels": {"assay.dev/rewritten": "yes"}}}
        )
        yield secret
