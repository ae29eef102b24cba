"""Where a pod may be placed, by its node selector and its required node affinity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from assay.probes.kube.fields import Object, mapping_at, mappings_at


@dataclass(frozen=True, slots=True)
class NodeRequirement:
    """One expression of a required node affinity: a node label, an operator, its values."""

    key: str
    operator: str
    values: frozenset[str]

    def holds(self, value: str) -> bool:
        """Return whether a node whose label has `value` meets it; an operator not known here does not."""
        known = {"In": value in self.values, "NotIn": value not in self.values, "Exists": True}
        return known.get(self.operator, False)


def node_terms(spec: Object) -> Iterator[tuple[NodeRequirement, ...]]:
    """Yield the alternatives of a pod specification's required node affinity."""
    affinity = mapping_at(mapping_at(spec, "affinity"), "nodeAffinity")
    required = mapping_at(affinity, "requiredDuringSchedulingIgnoredDuringExecution")
    for term in mappings_at(required, "nodeSelectorTerms"):
        yield tuple(
            NodeRequirement(
                str(one["key"]), str(one["operator"]), frozenset(map(str, one.get("values") or ()))
            )
            for one in mappings_at(term, "matchExpressions")
        )


def bound_to(
    selector: Mapping[str, str],
    terms: Iterable[tuple[NodeRequirement, ...]],
    label: str,
    values: Iterable[str],
) -> frozenset[str] | None:
    """Return which values of a node label a pod is bound to; None where it may run on nodes of any value.

    Args:
        selector: the pod's node selector.
        terms: the alternatives of its required node affinity.
        label: the node label, for example that of the pools.
        values: every value that it has on some node.
    """
    wanted = list(terms)
    if label not in selector and (not wanted or any(_silent(term, label) for term in wanted)):
        return None
    chosen = frozenset({selector[label]}) if label in selector else frozenset(values)
    if wanted:
        chosen &= frozenset().union(*(_allowed(term, label, chosen) for term in wanted))
    return chosen


def _silent(term: tuple[NodeRequirement, ...], label: str) -> bool:
    return all(one.key != label for one in term)


def _allowed(term: tuple[NodeRequirement, ...], label: str, values: Iterable[str]) -> frozenset[str]:
    return frozenset(value for value in values if all(one.holds(value) for one in term if one.key == label))
