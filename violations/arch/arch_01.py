"""ARCH-01: two control planes, four, a count that a tfvars file changes, a member that never votes."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.etcd import EtcdWriter


NAMED = Named("hcloud_server.control_plane")
NOBODY = "https://192.0.2.99:2380"


@violation(tier="static")
def two_control_planes(plant: Plant) -> Iterator[Named]:
    """Two control planes are declared: the quorum is two, so none may fail."""
    with plant.substituted("infra", r"control_planes = 3\b", "control_planes = 2", "*.tf"):
        yield NAMED


@violation(tier="static")
def four_control_planes(plant: Plant) -> Iterator[Named]:
    """A fourth control plane, declared in a resource of its own."""
    text = 'resource "hcloud_server" "cp_extra" {\n  name        = "cp-extra"\n  server_type = "ccx23"\n}\n'
    with plant.added("infra", "planted_server.tf", text):
        yield Named("hcloud_server.cp_extra")


@violation(tier="static")
def count_by_tfvars(plant: Plant) -> Iterator[Named]:
    """The declared default is three control planes; a variables file sets one."""
    new = "control_planes = var.planted_count"
    with plant.substituted("infra", r"control_planes = 3\b", new, "*.tf") as path:
        declared = 'variable "planted_count" {\n  type    = number\n  default = 3\n}\n'
        (path.parent / "planted.tf").write_text(declared, encoding="utf-8")
        (path.parent / "planted.auto.tfvars").write_text("planted_count = 1\n", encoding="utf-8")
        yield NAMED


@violation(tier="static")
def dedicated_server_as_fourth(plant: Plant) -> Iterator[Named]:
    """A dedicated server is the fourth control plane."""
    text = (
        'resource "hrobot_server" "cp_metal" {\n  server_name = "cp-metal"\n  server_type = "AX41-NVMe"\n}\n'
    )
    with plant.added("infra", "planted_server.tf", text):
        yield Named("hrobot_server.cp_metal")


@violation(tier="static")
def talhelper_says_two(plant: Plant) -> Iterator[Named]:
    """What the machine configurations are made from declares two control planes."""
    nodes = "".join(
        f"  - {{hostname: n-{n}, ipAddress: 192.0.2.{n}, controlPlane: {plane}}}\n"
        for n, plane in ((1, "true"), (2, "true"), (3, "false"))
    )
    with plant.added("talos", "talconfig.yaml", f"clusterName: planted\nnodes:\n{nodes}"):
        yield Named("File talos/talconfig.yaml:1")


@violation(tier="live")
def learner_as_fourth(plant: Plant) -> Iterator[Named]:
    """A fourth etcd member that never starts and never votes."""
    etcd = EtcdWriter.from_profile(plant.profile)
    for left in etcd.members(etcd.endpoints[0]):
        if left.peers == (NOBODY,):
            etcd.remove_member(etcd.endpoints[0], left.id)
    member = etcd.add_learner(etcd.endpoints[0], NOBODY)
    try:
        everywhere = "the learner in every member's list"
        plant.await_true(lambda: all(member in ids(etcd, one) for one in etcd.endpoints), everywhere, 20)
        yield Named(f"EtcdMember {member:016x}")
    finally:
        etcd.remove_member(etcd.endpoints[0], member)


def ids(etcd: EtcdWriter, endpoint: str) -> set[int]:
    """Return the ids of the members as one of them lists them."""
    return {one.id for one in etcd.members(endpoint)}
