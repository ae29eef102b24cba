"""SEC-01: every image in the manifests is named by digest, from a declared registry."""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-01")
def test_every_image_is_pinned(stack: ReadStack, control: Record) -> None:
    """Judge every place that names an image: any field, Helm values, kustomize, rendered manifests.

    What is fetched or rendered elsewhere names images too: where no rendering is given, it is an offender.
    """
    control.offenders(stack.manifests.unrendered())
    control.note("rendered manifests", len(stack.manifests.rendered) or "the profile names none")
    for image in control.population(stack.manifests.images()):
        if fault := image.fault(stack.profile.allowlist.registries):
            control.offender(image, fault)
    assert not control.found
