"""NODE-06: every Secret that etcd stores is ciphertext."""

import pytest

from assay.backups import snapshot
from assay.model import Record
from assay.probes.kube.wire import NAMES_ONLY
from assay.stack import ReadStack


PREFIX = "/registry/secrets/"
CLEAR = "identity"


@pytest.mark.control("NODE-06")
def test_every_stored_secret_is_ciphertext(stack: ReadStack, control: Record) -> None:
    """Read a raw snapshot whole, checked against etcd's own count, and judge every Secret in it."""
    talos, before = stack.talos, names(stack)
    etcdutl = stack.profile.need_path("tools.etcdutl")
    writing = set(control.listed("providers")) or configured(stack, control)
    control.note("configured provider", ", ".join(sorted(writing)) or "none")
    with talos.snapshot() as path:
        content = snapshot.read_snapshot(path, PREFIX)
        counted = snapshot.count_keys(etcdutl, path)
    control.assume(content.count == counted, f"{content.count} of {counted} keys of the snapshot were read")
    control.note("older revisions beside the living keys", content.superseded)
    stored = control.population(content.stored)
    missing = before & names(stack) - {one.key.removeprefix(PREFIX) for one in stored}
    control.assume(not missing, f"{len(missing)} Secrets of the API are not in the snapshot under {PREFIX}")
    for one, when in (
        *((one, "") for one in stored),
        *((one, "an earlier revision is ") for one in content.older),
    ):
        if one.provider not in writing:
            secret = f"Secret {one.key.removeprefix(PREFIX)}"
            control.offender(secret, f"{when}stored with: {one.provider or 'nothing'}")
    assert not control.found


def configured(stack: ReadStack, control: Record) -> set[str]:
    """Return the provider by which each control plane writes Secrets; writing in clear is an offence."""
    talos, writing = stack.talos, set[str]()
    for plane, providers in talos.each(talos.controlplanes, talos.encryption_providers, control.unread):
        first = providers[0] if providers else CLEAR
        if first == CLEAR:
            control.offender(plane, "its API server writes Secrets in clear")
        else:
            writing.add(first)
    return writing


def names(stack: ReadStack) -> set[str]:
    """Return every Secret of the API as `namespace/name`; no value is read."""
    metas = [item["metadata"] for item in stack.kube.wire.items("/api/v1/secrets", NAMES_ONLY)]
    return {f"{meta['namespace']}/{meta['name']}" for meta in metas}
