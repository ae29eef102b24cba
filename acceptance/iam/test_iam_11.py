"""IAM-11.

The Talos API gives a reader its reads and nothing else, and an admin certificate does not live long.
"""

import pytest

from assay.model import Record
from assay.stack import DryRunStack


LAYER = "PermissionDenied"
# Calls that change nothing even if admitted; an operator may make the first two, an administrator all.
OPERATOR_CALLS = (
    ("restart", "assay-no-such-process"),
    ("service", "assay-no-such-service", "restart"),
)
ADMIN_CALLS = (
    *OPERATOR_CALLS,
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
    nodes = control.population(talos.every(control.unread))
    control.note("nodes", talos.fleet.source)
    admin, reader = talos.clients.credentials()
    calls = ADMIN_CALLS if admin.mighty else OPERATOR_CALLS
    reads = talos.each(nodes, lambda node: talos.clients.reader.attempt(node, "version"), control.unread)
    for node, read in reads:
        control.assume(read.admitted, f"{node.ref}: the reader cannot even read: {read.reason}")
    tries = talos.each(nodes, lambda node: [talos.try_roles(node, *words) for words in calls], control.unread)
    for tried in (one for _, pairs in tries for one in pairs):
        control.refused(tried.reader, tried.admin, LAYER)
    for node, version in talos.each(nodes, talos.version, control.unread):
        if not version.rbac:
            control.offender(node, "Talos RBAC is off")
    for node, roles in talos.each(nodes, talos.pod_roles, control.unread):
        if roles & MIGHTY:
            control.offender(node, "pods may get an all-powerful Talos role")
    if reader.mighty:
        control.offender(reader, "the reader credential is all-powerful")
    lifetime = control.measured(admin.days * HOURS, "h", "admin_lifetime")
    if lifetime > control.limit("admin_lifetime"):
        control.offender(admin, "it lives longer than declared")
    assert not control.found
