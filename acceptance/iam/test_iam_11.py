"""IAM-11.

The Talos API gives a reader its reads and nothing else, and an admin certificate does not live long.
"""

import pytest

from assay.model import Record
from assay.stack import DryRunStack


LAYER = "PermissionDenied"
HARMLESS = (
    ("restart", "assay-no-such-process"),
    ("service", "assay-no-such-service", "restart"),
    ("read", "/etc/os-release"),
    ("patch", "machineconfig", "--dry-run", "--patch", '{"machine": {"sysctls": {"kernel.panic": "10"}}}'),
)
MIGHTY = {"os:admin", "os:impersonator"}
HOURS = 24.0


@pytest.mark.control("IAM-11")
def test_reader_reads_and_admins_are_short_lived(stack: DryRunStack, control: Record) -> None:
    """Try calls that change nothing even if admitted, on every node; the admin's call is the baseline.

    Then read the certificates.
    """
    talos = stack.talos
    for machine in control.population(talos.machines, of=len(stack.kube.nodes())):
        reads = talos.reader.attempt(machine, "version")
        control.assume(reads.admitted, f"{machine.ref}: the reader cannot even read: {reads.reason}")
        for words in HARMLESS:
            tried = talos.try_roles(machine, *words)
            control.refused(tried.reader, tried.admin, LAYER)
        if not talos.version(machine).rbac:
            control.offender(machine, "Talos RBAC is off")
        if talos.pod_roles(machine) & MIGHTY:
            control.offender(machine, "pods may get an all-powerful Talos role")
    admin, reader = talos.credentials()
    if reader.mighty:
        control.offender(reader, "the reader credential is all-powerful")
    lifetime = control.measured(admin.days * HOURS, "h", "admin_lifetime")
    if lifetime > control.limit("admin_lifetime"):
        control.offender(admin, "it lives longer than declared")
    assert not control.found
