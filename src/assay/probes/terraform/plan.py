"""A Terraform plan as `terraform show -json` writes it.

What would be there afterwards, and what nobody knows yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.resource import Resource, Unresolved, Value


LARGEST = 64 * 1024 * 1024
FORMATS = ("1.0", "1.1", "1.2")
WRITE = "write it with terraform show -json PLAN"


class TerraformPlan:
    """One plan file. Child modules are walked, `after_unknown` turns values into `Unresolved`.

    Raises:
        ProbeError: the file cannot be read, is no plan, of an unknown format version, errored, or only part
            of the platform (made with -target, or deferred changes): half a plan is not judged.
    """

    def __init__(self, path: Path) -> None:
        """Read nothing yet; `path` is the file."""
        self.path = path

    @cached_property
    def document(self) -> Mapping[str, Value]:
        """Return the parsed plan after checking what it is."""
        plan = self._parsed()
        version = plan.get("format_version")
        if version not in FORMATS or not isinstance(plan.get("planned_values"), dict):
            raise ProbeError(
                f"{self.path.name}: no plan of a known format (format_version {version!r})",
                WRITE,
            )
        if plan.get("errored") or plan.get("complete") is False:
            raise ProbeError(
                f"{self.path.name}: the plan is not complete", "make it without -target and without errors"
            )
        if not isinstance(plan.get("resource_changes"), list):
            raise ProbeError(
                f"{self.path.name}: has no resource_changes",
                "write it with terraform show -json PLAN, not of a state",
            )
        return plan

    @cached_property
    @parsing("a resource of the plan", WRITE)
    def resources(self) -> tuple[Resource, ...]:
        """Return every managed resource as it will be, in the plan's order.

        Raises:
            ProbeError: a resource is in `planned_values` and not in `resource_changes`, or the plan holds
            none at all.
        """
        changes = {
            change.get("address"): change.get("change") or {} for change in self.document["resource_changes"]
        }
        found = []
        for planned in self._planned(self.document["planned_values"].get("root_module") or {}):
            if planned.get("address") not in changes:
                raise ProbeError(
                    f"{self.path.name}: {planned.get('address')} is planned but not in resource_changes",
                    "make the plan again",
                )
            found.append(self._resource(planned, changes[planned["address"]]))
        if not found:
            raise ProbeError(
                f"{self.path.name}: the plan holds no resource",
                "make it with the credentials of the platform",
            )
        return tuple(found)

    def _parsed(self) -> Mapping[str, Value]:
        try:
            if self.path.stat().st_size > LARGEST:
                raise ProbeError(
                    f"{self.path.name}: larger than {LARGEST} bytes", "make one plan per root module"
                )
            plan = json.loads(self.path.read_text(encoding="utf-8"), object_pairs_hook=self._unique)
        except OSError as error:
            raise ProbeError(
                f"{self.path.name}: cannot be read: {error.strerror}", "check plan under [paths]"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ProbeError(f"{self.path.name}: is not JSON in plain UTF-8", WRITE) from error
        if not isinstance(plan, dict):
            raise ProbeError(f"{self.path.name}: is no JSON object", WRITE)
        return plan

    def _unique(self, pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        built = dict(pairs)
        if len(built) != len(pairs):
            raise ProbeError(f"{self.path.name}: a key is written twice", WRITE)
        return built

    def _planned(self, module: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
        if not isinstance(module, dict):
            raise ProbeError(f"{self.path.name}: planned_values is malformed", WRITE)
        yield from (
            one
            for one in module.get("resources") or []
            if isinstance(one, dict) and one.get("mode") == "managed"
        )
        for child in module.get("child_modules") or []:
            yield from self._planned(child)

    def _resource(self, planned: Mapping[str, Value], change: Mapping[str, Value]) -> Resource:
        values = planned.get("values")
        if (
            not isinstance(values, dict)
            or not isinstance(planned.get("type"), str)
            or not isinstance(planned.get("name"), str)
        ):
            raise ProbeError(
                f"{self.path.name}: {planned.get('address')} is malformed",
                WRITE,
            )
        merged = _with_unknown(values, change.get("after_unknown") or {}, planned["address"])
        return Resource(
            planned["type"],
            planned["name"],
            merged,
            f"{self.path.name}:{planned['address']}",
            planned.get("index"),
        )


def _with_unknown(value: Value, unknown: Value, at: str) -> Value:
    """Return `value` with everything that `unknown` marks true replaced by an Unresolved."""
    if unknown is True:
        return Unresolved(at, "known after apply")
    if isinstance(unknown, dict) and isinstance(value, dict | None):
        known = value or {}
        return {
            key: _with_unknown(known.get(key), unknown.get(key), f"{at}.{key}")
            for key in {**known, **unknown}
        }
    if isinstance(unknown, list) and isinstance(value, list | None):
        known_items, longest = value or [], max(len(value or []), len(unknown))
        return [_with_unknown(_at(known_items, n), _at(unknown, n), f"{at}[{n}]") for n in range(longest)]
    return value


def _at(items: list[Value], index: int) -> Value:
    return items[index] if index < len(items) else None
