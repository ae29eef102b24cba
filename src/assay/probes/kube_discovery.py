"""Everything the API server knows how to list."""

from __future__ import annotations

from collections.abc import Iterator

from assay.probes.kube_facts import rows
from assay.probes.kube_wire import Wire


def resources(wire: Wire, verbs: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (API version, kind, path) of every resource that has all of `verbs`, in its preferred version.

    Raises:
        ProbeError: the server's own lists cannot be read.
    """
    groups = rows(wire.get("/apis"), "groups")
    versions = ["v1", *(str(group["preferredVersion"]["groupVersion"]) for group in groups)]
    for version in versions:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for resource in rows(wire.get(root), "resources"):
            if set(resource.get("verbs", ())) >= verbs and "/" not in resource["name"]:
                yield version, str(resource["kind"]), f"{root}/{resource['name']}"
