"""Ways around the signature gate of a lab, open while a violation stands, observed at every API server."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assay.model import Named
from assay.probes.kube.changes import ImageChange, change_pairs, standing_name
from assay.probes.kube.client import Kube
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.gate import AdmissionPair, ephemeral_pairs, images, way_out, ways_out, workload_pairs
from assay.probes.kube.registrations import RULE, Hook, ImageGate, image_gate
from assay.probes.kube.requesters import Requester, image_rights, requester_pairs
from assay.probes.kube.selectors import Labels
from assay.probes.kube.shapes import AdmissionTrial, Manifest
from assay.proof.plant import Plant
from assay.writers.kube_decoy import Decoy, decoy_namespace


REGISTRATION = "admissionregistration.k8s.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"
VALIDATING = "ValidatingWebhookConfiguration"
SKIPPED_IF = {
    "ephemeral": "!(has(request.subResource) && request.subResource == 'ephemeralcontainers')",
    "init": "!(request.kind.kind == 'Pod' && has(object.spec.initContainers))",
}
Ask = Callable[[Decoy], list[AdmissionPair]]


class GateUnderTest:
    """The gate of a lab's stack, how it is asked, and what it is called."""

    def __init__(self, plant: Plant) -> None:
        """Read the gate of the stack that `plant` plants in."""
        self.plant, self.kube = plant, DryRunKube.from_profile(plant.profile)
        self.gate: ImageGate = image_gate(self.kube, plant.profile.platform.signatures)
        self.bad, self.sound = images(plant.profile.samples), plant.profile.samples.signed

    @property
    def server(self) -> str:
        """Return the first API server."""
        return self.kube.apiservers[0]

    def trial(self, kind: str, place: str, variant: str = "unsigned") -> AdmissionTrial:
        """Return the request that shows a bypass: `variant` is a sample image of the profile."""
        return AdmissionTrial(kind, place, variant, self.bad[variant], self.sound)

    def asking(self, tried: AdmissionTrial) -> Ask:
        """Return a function that makes the request of `tried` in a decoy."""
        if tried.place == "ephemeral":
            return lambda decoy: ephemeral_pairs(
                self.kube, decoy.namespace, standing_name("Pod"), {tried.variant: tried.image}, self.sound
            )
        return lambda decoy: workload_pairs(self.kube, decoy.namespace, [tried])

    def changing(self, kind: str) -> Ask:
        """Return a function that changes the standing object of `kind` in a decoy to the unsigned image."""
        bad = {"unsigned": self.bad["unsigned"]}
        return lambda decoy: change_pairs(self.kube, decoy.namespace, bad, self.sound, [kind])[0]

    def by(self, who: Requester) -> Ask:
        """Return a function that makes and changes objects in a decoy in somebody's name."""
        rights = [one for one in image_rights(self.kube.grants()) if one.requester == who]
        bad = self.bad["unsigned"]
        return lambda decoy: requester_pairs(self.kube, rights, decoy.namespace, bad, self.sound, ["Job"])[0]

    @contextmanager
    def bypassed(self, ask: Ask) -> Iterator[Callable[[], None]]:
        """Yield a function that returns once every request of `ask` is admitted.

        On the way out wait until every one is refused again. The requests are made in a decoy, in which an
        object of every kind stands.
        """
        with decoy_namespace(self.kube.wire, self.gate.inside()) as decoy:
            decoy.stand(self.sound)

            def seen() -> bool:
                return all(pair.attempt.admitted for pair in ask(decoy))

            yield lambda: self.plant.await_true(seen, "the bypass of the gate")
            self.plant.await_true(
                lambda: not any(pair.attempt.admitted for pair in ask(decoy)), "the gate closed again"
            )

    def named(self, tried: AdmissionTrial) -> Named:
        """Return how the test names the request at the first API server."""
        return Named(tried.ref(self.server))

    def named_change(self, kind: str, **more: Any) -> Named:  # noqa: ANN401 - fields of ImageChange
        """Return how the test names the change of an object of `kind` at the first API server."""
        return Named(ImageChange(kind, "container", "unsigned", "", **more).ref(self.server))

    def hooks(self) -> Iterator[Hook]:
        """Yield the validating webhooks that verify signatures."""
        yield from (hook for hook in self.gate.verifiers if hook.kind == VALIDATING)

    @contextmanager
    def patched_hooks(self, **change: object) -> Iterator[None]:
        """Change every validating webhook that verifies signatures: fields of the webhook, by name."""
        (name,) = {hook.configuration for hook in self.hooks()}
        ours = {hook.name for hook in self.hooks()}
        found = self.plant.kube.get(REGISTRATION, VALIDATING, "", name) or {"webhooks": []}
        rows: list[Manifest] = copy.deepcopy(found["webhooks"])
        for row in rows:
            row.update(change if row["name"] in ours else {})
        with self.plant.patched(VALIDATING, "", name, {"webhooks": rows}, api_version=REGISTRATION):
            yield

    @contextmanager
    def controller_held(self) -> Iterator[None]:
        """Take from the gate's own controller the right to put its registrations right."""
        what = ("admissionregistration.k8s.io", "validatingwebhookconfigurations")
        name = next(self.hooks()).configuration
        found = self.plant.kube.get(REGISTRATION, VALIDATING, "", name) or {}
        home = found["webhooks"][0]["clientConfig"]["service"]["namespace"]
        (role,) = {
            grant.role.removeprefix("ClusterRole ")
            for grant in self.kube.grants()
            if grant.subject.startswith(f"ServiceAccount {home}/")
            and any(rule.allows("update", *what) for rule in grant.rules)
        }
        rules = (self.plant.kube.get(RBAC, "ClusterRole", "", role) or {})["rules"]
        less = [
            {**rule, "verbs": [verb for verb in rule["verbs"] if verb not in {"update", "patch"}]}
            if what[1] in rule["resources"]
            else rule
            for rule in rules
        ]
        with self.plant.patched("ClusterRole", "", role, {"rules": less}, api_version=RBAC):
            yield

    @contextmanager
    def filtered(self, expression: str) -> Iterator[None]:
        """Let the webhooks judge only requests for which a CEL `expression` holds."""
        with self.patched_hooks(matchConditions=[{"name": "planted", "expression": expression}]):
            yield


def filtered(plant: Plant, expression: str, tried: AdmissionTrial | None = None) -> Iterator[Named]:
    """Let the gate judge only requests for which `expression` holds; `tried` shows that it is so."""
    under = GateUnderTest(plant)
    shown = tried or under.trial("Pod", "container")
    with under.bypassed(under.asking(shown)) as open_now, under.filtered(expression):
        open_now()
        yield under.named(shown)


def skip_containers(plant: Plant, place: str) -> Iterator[Named]:
    """Let the gate skip unsigned images at one `place` of a pod: a key of `SKIPPED_IF`."""
    yield from filtered(plant, SKIPPED_IF[place], GateUnderTest(plant).trial("Pod", place))


def skip_changes(plant: Plant, kind: str, expression: str) -> Iterator[Named]:
    """Let the gate judge only requests for which `expression` holds, and see a change of `kind` let in."""
    under = GateUnderTest(plant)
    with under.bypassed(under.changing(kind)) as open_now, under.filtered(expression):
        open_now()
        yield under.named_change(kind)


def warn_only(plant: Plant) -> Iterator[Named]:
    """Let the first image policy warn instead of refusing."""
    under = GateUnderTest(plant)
    tried = under.trial("Pod", "container")
    name = under.kube.objects("ClusterImagePolicy")[0]["metadata"]["name"]
    change, version = {"spec": {"mode": "warn"}}, "policy.sigstore.dev/v1beta1"
    with (
        under.bypassed(under.asking(tried)) as open_now,
        plant.patched("ClusterImagePolicy", "", name, change, api_version=version),
    ):
        open_now()
        yield under.named(tried)


@contextmanager
def label_rules_suspended(plant: Plant, under: GateUnderTest, labels: Labels) -> Iterator[None]:
    """Suspend the rule that keeps namespaces from having `labels`, which take them out of the gate's sight.

    Raises:
        GuardError: no such rule is there, or one is still in force.
    """
    inside = under.gate.inside()
    changed = [key for key in {**inside, **labels} if inside.get(key) != labels.get(key)]
    audit = {"spec": {"validationActions": ["Audit"]}}
    names = list(_bindings(under.kube, changed))
    with decoy_namespace(under.kube.wire, inside) as decoy:

        def free() -> bool:
            (way,) = ways_out(under.kube, inside, [labels], decoy.namespace)
            return all(pair.attempt.admitted for pair in (*way.made, *way.relabelled))

        for name in names[:1]:
            with plant.patched(f"{RULE}Binding", "", name, audit, api_version=REGISTRATION):
                plant.await_true(free, "namespaces outside the gate")
                yield
            plant.await_true(lambda: not free(), "the labels demanded again")


def _bindings(kube: Kube, keys: list[str]) -> Iterator[str]:
    """Yield the bindings of rules about namespaces that mention one of `keys`."""
    rules = {
        rule["metadata"]["name"]
        for rule in kube.objects(RULE)
        if any("namespaces" in row.get("resources", ()) for row in _rules(rule))
        and any(key in str(rule["spec"]) for key in keys)
    }
    for binding in kube.objects(f"{RULE}Binding"):
        if binding["spec"].get("policyName") in rules:
            yield binding["metadata"]["name"]


def _rules(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = rule["spec"].get("matchConstraints", {}).get("resourceRules") or []
    return rows


def named_way_out(under: GateUnderTest, labels: Labels) -> Named:
    """Return how the test names the way out of the gate by `labels` at the first API server."""
    return Named(way_out(labels, under.gate.inside(), under.server))
