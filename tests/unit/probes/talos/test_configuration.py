"""What a machine configuration says, in both shapes."""

from __future__ import annotations

import pytest

from assay.errors import ProbeError
from assay.probes.talos import configuration
from assay.probes.talos.facts import Document


INSTALLERS = {
    "1.13": [{"machine": {"install": {"image": "ghcr.io/siderolabs/installer:v1.13.5"}}}],
    "1.14": [{"kind": "UnattendedInstallConfig", "installer": {"image": "factory.example/x/376567:v1.14.0"}}],
    "a digest behind it": [{"machine": {"install": {"image": "r.example:5000/i:v1.13.5@sha256:00"}}}],
}


@pytest.mark.parametrize("documents", INSTALLERS.values(), ids=INSTALLERS)
def test_the_installer_says_which_version_is_wanted(documents: list[Document]) -> None:
    """The tag of its image, in both shapes."""
    assert configuration.installed_version(documents, "t").startswith("v1.1")


@pytest.mark.parametrize("image", [None, "", "installer", "installer:latest", "r.example:5000/i"])
def test_an_installer_without_a_version_pins_nothing(image: object) -> None:
    """Then the profile has to say it."""
    with pytest.raises(ProbeError, match="pins no version"):
        configuration.installed_version([{"machine": {"install": {"image": image}}}], "t")


def encryption(*providers: str, resources: str = "secrets") -> Document:
    rows = [{name: {"keys": []}} for name in providers]
    entry = {"resources": [resources], "providers": rows}
    return {"kind": "KubeEtcdEncryptionConfig", "config": {"resources": [entry]}}


PROVIDERS = {
    "1.13, secretbox": ([{"cluster": {"secretboxEncryptionSecret": "x"}}], ("secretbox", "identity")),
    "1.13, aescbc": ([{"cluster": {"aescbcEncryptionSecret": "x"}}], ("aescbc", "identity")),
    "1.13, both": (
        [{"cluster": {"aescbcEncryptionSecret": "x", "secretboxEncryptionSecret": "y"}}],
        ("secretbox", "aescbc", "identity"),
    ),
    "1.13, neither": ([{"cluster": {"secret": "x"}}], ()),
    "1.14": ([{"machine": {}}, encryption("kms", "identity")], ("kms", "identity")),
    "1.14, in clear": ([encryption("identity", "secretbox")], ("identity", "secretbox")),
    "1.14, of other things": ([encryption("secretbox", resources="configmaps")], ()),
    "1.14, of everything": ([encryption("secretbox", resources="*.*")], ("secretbox",)),
}


@pytest.mark.parametrize(("documents", "wanted"), PROVIDERS.values(), ids=PROVIDERS)
def test_the_first_provider_is_the_one_that_writes(
    documents: list[Document], wanted: tuple[str, ...]
) -> None:
    """Each in its order."""
    assert configuration.encryption_providers(documents) == wanted


def test_an_encryption_configuration_in_another_shape_is_an_error() -> None:
    """Never taken for none."""
    with pytest.raises(ProbeError):
        configuration.encryption_providers([{"kind": "KubeEtcdEncryptionConfig", "config": "x"}])


def test_pod_roles_of_both_shapes() -> None:
    """The old field and the document that replaces it."""
    old = {
        "machine": {
            "features": {"kubernetesTalosAPIAccess": {"enabled": False, "allowedRoles": ["os:admin"]}}
        }
    }
    new = {"kind": configuration.POD_ACCESS, "allowedRoles": ["os:reader"]}
    assert configuration.pod_roles([old, new, {"machine": None}]) == {"os:admin", "os:reader"}
