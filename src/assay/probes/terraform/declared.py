"""What Terraform declares of a platform: its sources, and the plans that were made from them.

A plan knows what modules make and what variables come to, so where there is one it decides, and sources that
cannot be read (`.tf.json`, a module's alone, none at all) are said and not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from assay.errors import ProbeError
from assay.formats.resource import Resource
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.sources import TerraformSources


GIVE_PLAN = (
    "make a plan of the root module (terraform, tofu or terragrunt plan -out FILE, then show -json FILE) "
    "and set plan under [paths]"
)


@dataclass(frozen=True, slots=True)
class Declared:
    """The resources of the sources and of each plan.

    Attributes:
        written: those of the sources.
        modules: module calls of the sources, `module.name`; what they make is known to a plan only.
        plans: those of each plan.
        unread: part of the sources -> why it was not read, where a plan stands for it.
    """

    written: tuple[Resource, ...]
    modules: tuple[str, ...]
    plans: tuple[tuple[Resource, ...], ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def planned(self) -> tuple[Resource, ...]:
        """Return the resources of all plans together: the whole platform, one root module a plan."""
        return tuple(one for plan in self.plans for one in plan)


def of_nothing() -> Declared:
    """Return what a platform without Terraform declares by it."""
    return Declared((), ())


def of_sources(sources: TerraformSources) -> Declared:
    """Return what the sources alone declare.

    Raises:
        ProbeError: there are none, or a resource is declared twice.
    """
    return Declared(tuple(sources.resources()), sources.modules)


def of_plans(plans: Iterable[TerraformPlan], sources: Callable[[], TerraformSources]) -> Declared:
    """Return what the plans say, beside the sources as far as those can be read.

    Raises:
        ProbeError: a plan cannot be read.
    """
    planned = tuple(plan.resources for plan in plans)
    try:
        found = sources()
        written, modules = tuple(found.resources()), found.modules
    except ProbeError as problem:
        return Declared((), (), planned, {"sources": problem.message})
    return Declared(written, modules, planned, {part: why.message for part, why in found.gaps.unread.items()})
