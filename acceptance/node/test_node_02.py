"""NODE-02: nothing on a node answers as SSH, and nothing runs on it that could."""

import pytest

from assay.model import Record
from assay.probes.talos.shipped import EXTENSIONS, SERVICES
from assay.stack import ReadStack


SSH = 22


@pytest.mark.control("NODE-02")
def test_no_way_in_but_the_api(stack: ReadStack, control: Record) -> None:
    """Probe every address, list every listener from inside, read services and extensions."""
    talos = stack.talos
    for machine in control.population(talos.machines, of=len(stack.kube.nodes())):
        addresses = control.population(talos.addresses(machine))
        for address in addresses:
            baseline = talos.without_certificate(address)
            control.assume(
                baseline.demands,
                f"{address}:{baseline.port} demanded no certificate: silence elsewhere means nothing",
            )
            if talos.knock(address, SSH).state == "open":
                control.offender(machine, f"{address}:{SSH} is open")
        if any(socket.port == SSH for socket in talos.listeners(machine)):
            control.offender(machine, f"something listens on port {SSH}")
        control.offenders(
            [machine for service in talos.services(machine) if service.name not in SERVICES],
            "a service off the allow list",
        )
        control.offenders(
            [machine for extension in talos.extensions(machine) if extension.name not in EXTENSIONS],
            "an extension off the allow list",
        )
    assert not control.found
