"""A Terraform plan as `terraform show -json` writes it.

What would be there afterwards, and what nobody knows yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.resource import Resource, Unresolved, Value


MAX_PLAN_BYTES = 64 * 1024 * 1024
FORMATS = ("1.0", "1.1", "1.2")
AFTER_APPLY = "known after apply"
COMPUTED = "computed by the provider, not configured"
MODULE = re.compile(r"module\.([\w-]+)(?:\[[^\]]*\])?$")
Expressions = Mapping[str, Value]
WRITE = "write it with terraform show -json PLAN"


class TerraformPlan:
    """One plan file. Child modules are walked, `after_unknown` turns values into `Unresolved`.

    Raises:
        ProbeError: the file cannot be read, is not a plan, of an unknown format version, errored, or only
            part of the platform (made with -target, or deferred changes): half a plan is not judged.
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
                f"{self.path.name}: not a plan of a known format (format_version {version!r})",
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
        root = self.document["planned_values"].get("root_module") or {}
        written = (self.document.get("configuration") or {}).get("root_module") or {}
        for planned, expressions in self._planned(root, written):
            if planned.get("address") not in changes:
                raise ProbeError(
                    f"{self.path.name}: {planned.get('address')} is planned but not in resource_changes",
                    "make the plan again",
                )
            found.append(self._resource(planned, changes[planned["address"]], expressions))
        if not found:
            raise ProbeError(
                f"{self.path.name}: the plan holds no resource",
                "make it with the credentials of the platform",
            )
        return tuple(found)

    def _parsed(self) -> Mapping[str, Value]:
        try:
            if self.path.stat().st_size > MAX_PLAN_BYTES:
                raise ProbeError(
                    f"{self.path.name}: larger than {MAX_PLAN_BYTES} bytes", "make one plan per root module"
                )
            plan = json.loads(self.path.read_text(encoding="utf-8"), object_pairs_hook=self._unique)
        except OSError as error:
            raise ProbeError(
                f"{self.path.name}: cannot be read: {error.strerror}", "check plan under [paths]"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ProbeError(f"{self.path.name}: is not JSON in plain UTF-8", WRITE) from error
        if not isinstance(plan, dict):
            raise ProbeError(f"{self.path.name}: is not a JSON object", WRITE)
        return plan

    def _unique(self, pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        built = dict(pairs)
        if len(built) != len(pairs):
            raise ProbeError(f"{self.path.name}: a key is written twice", WRITE)
        return built

    def _planned(
        self, module: Mapping[str, Value], written: Mapping[str, Value]
    ) -> Iterator[tuple[Mapping[str, Value], Expressions | None]]:
        """Yield each planned resource of a module and its children, with its attributes' expressions."""
        if not isinstance(module, dict):
            raise ProbeError(f"{self.path.name}: planned_values is malformed", WRITE)
        known = {
            f"{one.get('type')}.{one.get('name')}": one.get("expressions")
            for one in written.get("resources") or ()
        }
        for one in module.get("resources") or []:
            if isinstance(one, dict) and one.get("mode") == "managed":
                yield one, known.get(f"{one.get('type')}.{one.get('name')}")
        calls = written.get("module_calls") or {}
        for child in module.get("child_modules") or []:
            name = MODULE.search(str(child.get("address", ""))) if isinstance(child, dict) else None
            yield from self._planned(
                child, (calls.get(name.group(1)) or {}).get("module") or {} if name else {}
            )

    def _resource(
        self, planned: Mapping[str, Value], change: Mapping[str, Value], expressions: Expressions | None
    ) -> Resource:
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
        merged = _with_unknown(values, change.get("after_unknown") or {}, planned["address"], expressions)
        return Resource(
            planned["type"],
            planned["name"],
            merged,
            f"{self.path.name}:{planned['address']}",
            planned.get("index"),
        )


def _with_unknown(value: Value, unknown: Value, at: str, written: Value = None) -> Value:
    """Return `value` with everything that `unknown` marks true replaced by an Unresolved.

    Args:
        value: as planned.
        unknown: of the same shape, true where the value is known after apply.
        at: the place in the plan.
        written: the expressions of the configuration there, None where the plan does not say. What they refer
            to stands in the Unresolved; what has none was not configured.
    """
    if unknown is True:
        return _unknown(at, written)
    # A dynamic block stands in the values and not among the expressions: nothing is known of what it was.
    written = written or None
    if isinstance(unknown, dict) and isinstance(value, dict | None):
        known = value or {}
        return {
            key: _with_unknown(known.get(key), unknown.get(key), f"{at}.{key}", _written(written, key))
            for key in {**known, **unknown}
        }
    if isinstance(unknown, list) and isinstance(value, list | None):
        known_items, longest = value or [], max(len(value or []), len(unknown))
        inner = written if isinstance(written, list) else []
        return [
            _with_unknown(
                _at(known_items, n), _at(unknown, n), f"{at}[{n}]", _at(inner, n) if inner else written
            )
            for n in range(longest)
        ]
    return value


def _written(expressions: Value, key: str) -> Value:
    """Return the expression of a key; an empty one where the configuration has none."""
    return expressions.get(key, {}) if isinstance(expressions, dict) else None


def _unknown(at: str, written: Value) -> Unresolved:
    if written == {}:
        return Unresolved(at, COMPUTED)
    references = written.get("references") if isinstance(written, dict) else None
    return Unresolved(", ".join(map(str, references)) if references else at, AFTER_APPLY)


def _at(items: list[Value], index: int) -> Value:
    return items[index] if index < len(items) else None
