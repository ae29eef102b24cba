"""IAM-11.

Credentials of the Talos API that are too mighty or live too long, and pods that may ask for too much.
"""

from collections.abc import Iterator

from assay.model import Breach, Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


YEARS_10 = 10 * 365 * 24


@violation()
def admin_as_reader(plant: Plant) -> Iterator[Named]:
    """Automation uses an administrator's certificate instead of the reader's."""
    path = plant.profile.need_path("talos.reader_config")
    with plant.talos_api.credential(path, "os:admin", 1):
        yield Named("Talosconfig reader")


@violation()
def admin_for_ten_years(plant: Plant) -> Iterator[Breach]:
    """An administrator's certificate that is valid for ten years."""
    path = plant.profile.need_path("talos.config")
    with plant.talos_api.credential(path, "os:admin", YEARS_10):
        yield Breach("admin_lifetime", "above", YEARS_10 - 1)


@violation()
def pods_as_admin(plant: Plant) -> Iterator[Named]:
    """The configuration of one control plane lets pods ask for os:admin, although the feature is disabled."""
    name = list(plant.profile.talos.controlplanes)[-1]
    access = {"enabled": False, "allowedRoles": ["os:admin"], "allowedKubernetesNamespaces": ["kube-system"]}
    with plant.talos_api.patched(
        name, {"machine": {"features": {"kubernetesTalosAPIAccess": access}}}
    ) as machine:
        yield Named(machine.ref)
