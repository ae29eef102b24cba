"""What a cluster says of who may do what and what looks at images: people, administrators, the gate.

Reads only: pods of kube-system, roles and bindings, webhook registrations and the gate's own policies.
"""

from __future__ import annotations

from assay.config.platform import Signatures
from assay.preflight.profile_text import Findings
from assay.probes.kube.client import Kube
from assay.probes.kube.escalation import RightsGraph
from assay.probes.kube.people import identity_flags
from assay.probes.kube.registrations import image_gate


def people(kube: Kube, found: Findings) -> None:
    """Note issuer, client and prefix of identity tokens, where every API server shows the same.

    Raises:
        ProbeError: the pods of kube-system cannot be read.
    """
    known = set(identity_flags(kube).values())
    if len(known) != 1:
        return
    (flags,) = known
    source = "flags of the API servers"
    found.put("oidc.issuer", flags.issuer, source)
    found.put("oidc.client_id", flags.client_id, source)
    found.put("platform.identity.prefix", flags.groups_prefix, source)


def administrators(kube: Kube, found: Findings) -> None:
    """Propose the grants that equal administrator: whether they are meant to, the owner must say.

    Raises:
        ProbeError: roles or bindings cannot be read.
    """
    graph = RightsGraph(kube.rbac(), lambda _: False)
    entries = sorted({one.grant.entry for one in graph.escalations()})
    source = "bindings whose rights equal administrator, but for Kubernetes' own"
    found.put("platform.identity.administrators", entries, source, proposed=True)


def unsigned(kube: Kube, found: Findings) -> None:
    """Propose the namespaces that the signature gate does not look into; none where there is no gate.

    Raises:
        ProbeError: the registrations, or the gates' own policies, cannot be read.
    """
    gate = image_gate(kube, Signatures())
    if gate.verifiers:
        outside = sorted(space.name for space in kube.namespaces() if not gate.looks_into(space))
        source = f"not looked into by {', '.join(gate.products)}"
        found.put("platform.namespaces.unsigned", outside, source, proposed=True)
