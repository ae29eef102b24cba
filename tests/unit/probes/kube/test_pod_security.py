"""Pod Security, tried: which image, which version of the rules, and what one namespace costs that fails."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.kube import facts
from assay.probes.kube.pod_security import UntriedNamespace, try_levels, usable_images, versions_behind


SHOP, BROKEN = (facts.Namespace(name, {}, {}, True) for name in ("shop", "broken"))


def pod(namespace: str, image: str, phase: str = "Running") -> facts.Pod:
    return facts.pod(
        {
            "metadata": {"namespace": namespace, "name": "p"},
            "spec": {"containers": [{"name": "c", "image": image}]},
            "status": {"phase": phase},
        }
    )


@pytest.mark.parametrize(
    ("pin", "version", "behind"),
    [
        ("latest", "v1.36.3", 0),
        ("v1.36", "v1.36.3", 0),
        ("v1.33", "v1.36.3", 3),
        ("v1.18", "v1.36.0-rc.1", 18),
        ("v1.99", "v1.36.3", 0),
        ("v2.1", "v1.36.3", None),
        ("newest", "v1.36.3", None),
        ("", "v1.36.3", None),
        ("v1.33", "", None),
    ],
)
def test_how_old_a_pinned_version_is(pin: str, version: str, behind: int | None) -> None:
    assert versions_behind(pin, version) == behind


def test_the_image_is_the_sample_or_one_that_runs_there() -> None:
    pods = [pod("shop", "shop:1"), pod("other", "other:1"), pod("broken", "dead:1", "Failed")]
    assert usable_images([SHOP], pods, "sample") == {"shop": "sample"}
    found = usable_images([SHOP, BROKEN], pods, "")
    assert found["shop"] == "shop:1"
    assert found["broken"] in {"shop:1", "other:1"}


def test_without_sample_and_pods_nothing_is_tried() -> None:
    with pytest.raises(ProbeError, match="no image"):
        usable_images([SHOP], [pod("shop", "x", "Pending")], "")


class Cluster:
    """An API server where one namespace cannot be asked about, and one is deleted meanwhile."""

    apiservers = ("https://one",)

    def together(self, calls: Any) -> list[Any]:  # noqa: ANN401
        return [call() for call in calls]

    def namespaces(self) -> list[facts.Namespace]:
        return [SHOP, BROKEN]

    def dry_run(self, server: str, manifest: Any, ref: str) -> Attempt:  # noqa: ANN401
        if manifest["metadata"]["namespace"] == "broken":
            raise ProbeError("denied", "give the right")
        privileged = manifest["spec"]["containers"][0]["securityContext"].get("privileged")
        return Attempt(ref, not privileged, "no" * bool(privileged))


def test_what_cannot_be_asked_costs_its_namespace_alone() -> None:
    gone = facts.Namespace("gone", {}, {}, True)
    shop, broken = try_levels(Cluster(), [SHOP, BROKEN, gone], [], "sample")  # type: ignore[arg-type]
    assert isinstance(broken, UntriedNamespace)
    assert broken.problem.remedy == "give the right"
    assert not isinstance(shop, UntriedNamespace)
    assert (shop.privileged.admitted, shop.root.admitted, shop.harmless.admitted) == (False, True, True)
