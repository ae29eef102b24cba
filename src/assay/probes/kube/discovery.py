"""Everything the API server knows how to list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.probes.kube.fields import mappings_at
from assay.probes.kube.wire import Wire


def api_resources(wire: Wire, verbs: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (API version, kind, path) of every resource that has all of `verbs`, once.

    In its group's preferred version, or where that does not know it in the first that does.

    Raises:
        ProbeError: the server's own lists cannot be read.
    """
    groups = mappings_at(wire.get("/apis"), "groups")
    seen = set()
    for version in ["v1", *(version for group in groups for version in _versions(group))]:
        root, group = (f"/apis/{version}" if "/" in version else f"/api/{version}"), version.partition("/")[0]
        for resource in mappings_at(wire.get(root), "resources"):
            if set(resource.get("verbs", ())) >= verbs and "/" not in resource["name"]:
                if (group, resource["name"]) not in seen:
                    yield version, str(resource["kind"]), f"{root}/{resource['name']}"
                seen.add((group, resource["name"]))


def served(wire: Wire, group: str) -> dict[str, str]:
    """Return name -> path of every resource of one API group; none where the API knows no such group.

    In the group's preferred version, or where that does not know it in the first that does.

    Raises:
        ProbeError: the server's own lists cannot be read.
    """
    answer = wire.ask("GET", f"/apis/{group}")
    if answer.status == 404:
        return {}
    found: dict[str, str] = {}
    for version in _versions(wire.need(answer, "GET", f"/apis/{group}").body):
        for resource in mappings_at(wire.get(f"/apis/{version}"), "resources"):
            found.setdefault(str(resource["name"]), f"/apis/{version}/{resource['name']}")
    return found


def _versions(group: Mapping[str, Any]) -> Iterator[str]:
    """Yield the versions of an API group, the preferred one first."""
    preferred = str(group["preferredVersion"]["groupVersion"])
    yield preferred
    yield from (
        name for one in mappings_at(group, "versions") if (name := str(one["groupVersion"])) != preferred
    )
