"""SEC-01: every image in the manifests is named by digest, from a declared registry."""

import pytest

from assay.model import Record
from assay.probes.gitops.manifests import Manifests
from assay.stack import ReadStack


@pytest.mark.control("SEC-01")
def test_every_image_is_pinned(stack: ReadStack, control: Record) -> None:
    """Judge every place of the manifests that names an image.

    Any kind, any field, Helm values, kustomize entries.
    """
    images = control.population(Manifests(stack.paths.gitops, stack.paths.declared.overlay).images())
    for image in images:
        if fault := image.fault(stack.profile.allowlist.registries):
            control.offender(image, fault)
    assert not control.found
