"""ARCH-01: two control planes, four, and a count that a tfvars file changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.plant import Named, Plant


NAMED = Named("hcloud_server.control_plane")


@contextmanager
def two_control_planes(plant: Plant) -> Iterator[Named]:
    """A count of two: quorum of two, none may fail."""
    with plant.edited("infra", "servers.tf", "control_planes = 3", "control_planes = 2"):
        yield NAMED


@contextmanager
def four_control_planes(plant: Plant) -> Iterator[Named]:
    """A fourth one, declared apart."""
    text = 'resource "hcloud_server" "cp_extra" {\n  name        = "cp-extra"\n  server_type = "ccx23"\n}\n'
    with plant.added("infra", "planted_server.tf", text):
        yield Named("hcloud_server.cp_extra")


@contextmanager
def count_by_tfvars(plant: Plant) -> Iterator[Named]:
    """The default is three; a tfvars file makes it one."""
    with plant.edited(
        "infra", "servers.tf", "control_planes = 3", "control_planes = var.planted_count"
    ) as path:
        declared = 'variable "planted_count" {\n  type    = number\n  default = 3\n}\n'
        (path.parent / "planted.tf").write_text(declared, encoding="utf-8")
        (path.parent / "planted.auto.tfvars").write_text("planted_count = 1\n", encoding="utf-8")
        yield NAMED


two_control_planes.tier = "static"  # type: ignore[attr-defined]
four_control_planes.tier = "static"  # type: ignore[attr-defined]
count_by_tfvars.tier = "static"  # type: ignore[attr-defined]
PLANTED = [two_control_planes, four_control_planes, count_by_tfvars]
