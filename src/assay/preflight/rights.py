"""Whether the credentials of the profile have the rights that the controls need, as each system says itself.

Kubernetes is asked by SelfSubjectAccessReview, Vault by sys/capabilities-self; Talos' role stands in the
certificate. Nothing is tried, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product

from assay.model import Tier
from assay.preflight.check import Check
from assay.probes.kube.client import Kube
from assay.probes.kube.reviews import may_i
from assay.probes.talos.cert import read_credential
from assay.rights.kubernetes import URLS, split_resource
from assay.rights.needed import ITSELF, NeededRight
from assay.stack import ReadStack


Wanted = Mapping[tuple[str, ...], list[NeededRight]]
KIND = "right"
ADMIN = ("os:admin",)
# Role -> roles that include it.
GREATER = {"os:reader": ("os:operator", *ADMIN), "os:etcd:backup": ("os:operator", *ADMIN)}


def rights_asks(
    stack: ReadStack, needed: Sequence[NeededRight]
) -> Iterator[tuple[tuple[str, str, str], Callable[[], Iterable[Check]]]]:
    """Yield ((kind, subject, system), question) for each system that grants rights and is in the profile.

    What is needed with some product alone is not asked: whether it runs, the rights do not say.
    """
    profile = stack.profile
    own = [one for one in needed if not one.right.only and not one.right.optional]
    parts = {
        name: [one for one in own if one.right.system == name] for name in ("kubernetes", "vault", "talos")
    }
    if profile.kube.kubeconfig is not None and parts["kubernetes"]:
        yield (KIND, "rights in Kubernetes", ""), lambda: _kubernetes(stack.kube, parts["kubernetes"])
    if profile.vault.token and parts["vault"]:
        yield (KIND, "rights in Vault", ""), lambda: _vault(stack, parts["vault"])
    if (profile.talos.config or profile.talos.reader_config) and parts["talos"]:
        yield (KIND, "role in Talos", ""), lambda: _talos(stack, parts["talos"])


def _kubernetes(kube: Kube, needed: Sequence[NeededRight]) -> list[Check]:
    """Ask the API server for each right, several at once."""
    wanted: dict[tuple[str, ...], list[NeededRight]] = {}
    for one in needed:
        for verb, resource, name in product(one.right.verbs, one.right.on, one.right.names or ("",)):
            wanted.setdefault((verb, resource, one.right.place, name), []).append(one)
    answers = kube.together([partial(may_i, kube, _attributes(*what)) for what in wanted])
    lacking = {what: who for (what, who), may in zip(wanted.items(), answers, strict=True) if not may}
    return _checks("Kubernetes", wanted, lacking, _rule)


def _attributes(verb: str, resource: str, place: str, name: str) -> dict[str, Mapping[str, str]]:
    """Return what a review asks: about a path, or about a resource."""
    group, whole = split_resource(resource)
    if group == URLS:
        return {"nonResourceAttributes": {"verb": verb, "path": resource}}
    plain, _, part = whole.partition("/")
    asked = {"verb": verb, "group": group, "resource": plain, "subresource": part, "namespace": place}
    return {"resourceAttributes": {**asked, "name": name}}


def _rule(what: tuple[str, ...]) -> str:
    verb, resource, place, name = what
    group, whole = split_resource(resource)
    kind = f"Role in {place}" if place else "ClusterRole"
    about = (
        f"nonResourceURLs: [{resource}]"
        if group == URLS
        else f'apiGroups: ["{group}"], resources: ["{whole}"]'
    )
    named = f", resourceNames: [{name}]" if name else ""
    return f"{kind}: {about}{named}, verbs: [{verb}]"


def _vault(stack: ReadStack, needed: Sequence[NeededRight]) -> list[Check]:
    wanted: dict[tuple[str, ...], list[NeededRight]] = {}
    for one in needed:
        for verb, path in product((*one.right.verbs, *filter(None, [one.right.grant])), one.right.on):
            wanted.setdefault((verb, path), []).append(one)
    has = stack.vault.capabilities(sorted({path for _, path in wanted}))
    lacking = {what: who for what, who in wanted.items() if not {what[0], "root"} & has[what[1]]}
    return _checks("Vault", wanted, lacking, lambda what: f'path "{what[1]}": capability "{what[0]}"')


def _talos(stack: ReadStack, needed: Sequence[NeededRight]) -> list[Check]:
    known = stack.profile.talos
    files = {"talos.config": known.config, "talos.reader_config": known.reader_config}
    keys = [key for key, file in files.items() if file]
    roles = {role for key in keys for role in read_credential(key, stack.profile.need_path(key)).roles}
    wanted: dict[tuple[str, ...], list[NeededRight]] = {}
    for one in needed:
        wanted.setdefault((one.right.grant,), []).append(one)
    lacking = {
        what: who for what, who in wanted.items() if not roles & {what[0], *GREATER.get(what[0], ADMIN)}
    }
    return _checks("Talos", wanted, lacking, lambda what: f"talosctl config new --roles {what[0]} FILE")


def _checks(
    system: str, wanted: Wanted, lacking: Wanted, line: Callable[[tuple[str, ...]], str]
) -> list[Check]:
    """Return one check for all that is granted, and one for each right that is not, with who waits for it."""
    granted = len(wanted) - len(lacking)
    says = f"{granted} of {len(wanted)} that are needed are granted"
    found = [Check(KIND, system, "", True, says)] if granted else []
    for what, who in lacking.items():
        subject = f"{system}: {' '.join(part for part in what if part)}"
        askers = list(dict.fromkeys(one.asker for one in who))
        shown = ", ".join(askers)
        remedy = f"grant it ({line(what)}), needed by {shown}; {_command(who)} writes it"
        whole = "kube" if ITSELF in askers and system == "Kubernetes" else ""
        found.append(Check(KIND, subject, whole, False, "not granted", remedy, _cases(who)))
    return found


def _cases(who: Iterable[NeededRight]) -> frozenset[tuple[str, Tier]]:
    return frozenset((one.control, one.tier) for one in who if one.tier is not None)


def _command(who: Sequence[NeededRight]) -> str:
    first = next((one for one in who if one.tier is not None), None)
    return f"assay rights --control {first.control} --tier {first.tier}" if first else "assay rights"
