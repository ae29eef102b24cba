"""Whether a stack is a lab: nothing is planted or broken in a cluster that does not carry a lab's mark.

The profile alone does not decide: it may call a production cluster a lab by mistake. Starting a lab puts the
mark into its cluster.
"""

from __future__ import annotations

from assay.config.profile import Profile
from assay.errors import GuardError


LAB_MARK = "/api/v1/namespaces/kube-system/configmaps/assay-lab"
_marked: set[tuple[str, str]] = set()


def require_lab(profile: Profile) -> None:
    """Refuse every stack but a lab: by the profile's kind, the cluster's identity, and the cluster's mark.

    A process looks for the mark of a cluster once.

    Raises:
        GuardError: the stack is not a lab.
        ProbeError: the cluster cannot be asked.
    """
    if not profile.is_lab:
        raise GuardError(
            f"{profile.name} is a {profile.kind} stack, not a lab", "plant and drill in a stack of kind lab"
        )
    if not profile.cluster_uid:
        raise GuardError("the profile does not say which cluster the lab is", "set cluster_uid under [stack]")
    if not is_marked(profile):
        raise GuardError(
            "the profile says lab, but the cluster does not carry a lab's mark",
            "correct kind under [stack]; a lab has ConfigMap kube-system/assay-lab",
        )


def is_marked(profile: Profile) -> bool:
    """Return whether the cluster that the profile names carries a lab's mark.

    Raises:
        GuardError: another cluster answers.
        ProbeError: it cannot be asked.
    """
    from assay.probes.kube.client import Kube  # the watchdog starts without it

    identity = (str(profile.file), profile.cluster_uid)
    if identity in _marked:
        return True
    kube = Kube.from_profile(profile)
    kube.check_cluster()
    answer = kube.wire.ask("GET", LAB_MARK)
    if answer.status == 404:
        return False
    kube.wire.need(answer, "GET", LAB_MARK)
    _marked.add(identity)
    return True
