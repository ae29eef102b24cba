"""Label selectors: what they select, labels that they select, and labels that they do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from assay.probes.kube.fields import Object, mappings_at, strings_at


# The API server sets it itself: nobody can choose it.
OWN_NAME = "kubernetes.io/metadata.name"
OTHER_VALUE = "assay-other"
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a label selector: `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels meet the requirement, as Kubernetes reads it."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value in self.values
        if self.operator == "NotIn":
            return value not in self.values
        return (value is None) == (self.operator == "DoesNotExist")

    def breaches(self) -> Iterator[str | None]:
        """Yield values of the label that do not meet the requirement; None: without the label."""
        if self.operator in {"In", "Exists"}:
            yield None
        if self.operator == "In":
            yield OTHER_VALUE
        if self.operator == "NotIn" and self.values:
            yield self.values[0]
        if self.operator == "DoesNotExist":
            yield "true"


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector; one without requirements selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Return whether every requirement holds."""
        return all(one.holds(labels) for one in self.requirements)

    def selected(self) -> Labels:
        """Return the fewest labels that it selects, but for what the API server sets itself."""
        return {
            one.key: one.values[0] if one.values else "true"
            for one in self.requirements
            if one.operator in {"In", "Exists"} and one.key != OWN_NAME
        }

    def evasions(self, labels: Mapping[str, str]) -> list[Labels]:
        """Return what `labels` can be changed to so that it does not select them any more, each way once."""
        found = []
        for one in self.requirements:
            for value in one.breaches() if one.key != OWN_NAME else ():
                rest = {key: kept for key, kept in labels.items() if key != one.key}
                found.append(rest if value is None else {**rest, one.key: value})
        return [changed for n, changed in enumerate(found) if changed not in found[:n]]


def selector(*items: Object) -> Selector:
    """Return the facts of label selectors that must all hold, as the API writes them."""
    return Selector(tuple(requirement for item in items for requirement in _requirements(item)))


def _requirements(item: Object) -> Iterable[Requirement]:
    for key, value in strings_at(item, "matchLabels").items():
        yield Requirement(key, "In", (value,))
    for row in mappings_at(item, "matchExpressions"):
        values = tuple(map(str, row.get("values") or ()))
        yield Requirement(str(row.get("key", "")), str(row.get("operator", "")), values)
