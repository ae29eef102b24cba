"""SEC-23: no ConfigMap holds a sensitive value in clear."""

import pytest

from assay.model import Record
from assay.origins.configmaps import ConfigMaps, configmap_faults
from assay.stack import ReadStack


@pytest.mark.control("SEC-23")
def test_sensitive_configuration_is_encrypted(stack: ReadStack, control: Record) -> None:
    """Judge every value that reaches a ConfigMap, written or generated, by its name, shape and encodings."""
    platform = stack.platform
    entries = control.population(ConfigMaps(stack.sops.everything, platform.annotations.sensitive).entries)
    control.offenders(configmap_faults(entries, platform.sensitive_configmaps))
    assert not control.found
