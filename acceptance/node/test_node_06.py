"""NODE-06: every Secret that etcd stores is ciphertext."""

import pytest

from assay.backups import snapshot
from assay.model import Record
from assay.probes.kube.wire import NAMES_ONLY
from assay.stack import ReadStack


PREFIX = "/registry/secrets/"
PROVIDER = "secretbox"


@pytest.mark.control("NODE-06")
def test_every_stored_secret_is_ciphertext(stack: ReadStack, control: Record) -> None:
    """Read a raw snapshot whole, checked against etcd's own count, and judge every Secret in it."""
    talos, before = stack.talos, names(stack)
    with talos.snapshot(talos.controlplanes[0]) as path:
        content = snapshot.read_snapshot(path)
        control.assume(
            len(content.keys) == snapshot.counted(stack.profile.need_path("tools.etcdutl"), path),
            "the snapshot was not read whole",
        )
    control.note("older revisions beside the living keys", content.superseded)
    stored = control.population(content.under(PREFIX))
    missing = before & names(stack) - {one.key.removeprefix(PREFIX) for one in stored}
    control.assume(not missing, f"{len(missing)} Secrets of the API are not in the snapshot under {PREFIX}")
    for one in stored:
        if one.provider != PROVIDER:
            secret = f"Secret {one.key.removeprefix(PREFIX)}"
            control.offender(secret, f"stored with: {one.provider or 'nothing'}")
    assert not control.found


def names(stack: ReadStack) -> set[str]:
    """Return every Secret of the API as `namespace/name`; no value is read."""
    metas = [item["metadata"] for item in stack.kube.wire.items("/api/v1/secrets", NAMES_ONLY)]
    return {f"{meta['namespace']}/{meta['name']}" for meta in metas}
