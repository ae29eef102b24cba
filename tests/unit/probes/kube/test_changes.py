"""Changes of an image and who makes them: each request beside its baseline, nothing taken for granted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from assay.effect import Effect
from assay.probes.guard import Guard
from assay.probes.kube.changes import (
    PLACES,
    STANDING,
    ImageChange,
    change_pairs,
    overlooked_pairs,
    standing_name,
    standing_objects,
    tagged,
)
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.gate import by_form, images, way_out, ways_out
from assay.probes.kube.rbac import Grant, PolicyRule
from assay.probes.kube.requesters import (
    ImageRights,
    Requester,
    image_rights,
    requester_pairs,
    rights_of_editor,
)
from assay.probes.kube.shapes import KINDS, VOLUME
from assay.probes.kube.wire import Wire


SIGNED, BAD = "r/signed@sha256:aa", "r/unsigned@sha256:bb"
Answer = tuple[int, dict[str, Any]]
Script = Callable[[str, str, Mapping[str, str], dict[str, Any]], Answer]


class Cluster:
    """Two API servers that answer by a script; `sent` is what they were asked."""

    apiservers = ("https://one", "https://two")

    def __init__(self, script: Script) -> None:
        self.script, self.sent = script, []

    def at(self, server: str) -> Wire:
        def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
            asked = json.loads(body) if body else {}
            self.sent.append((server, method, path, dict(headers), asked))
            status, answer = self.script(method, path, headers, asked)
            return status, json.dumps(answer).encode()

        return Wire(server, send, Guard(Effect.DRY_RUN))

    @property
    def wire(self) -> Wire:
        return self.at("https://any")

    def together(self, calls: Any) -> list[Any]:  # noqa: ANN401
        return [call() for call in calls]

    dry_run, dry_run_patch = DryRunKube.dry_run, DryRunKube.dry_run_patch


def no(reason: str, status: int = 400) -> Answer:
    return status, {"message": reason}


def gated(method: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
    """A gate that refuses the bad image; images of Jobs cannot be changed."""
    if method == "PATCH" and "/jobs/" in path:
        return no("spec.template: field is immutable", 422)
    if method == "GET":
        return 200, {"spec": {"containers": [{"name": "main", "image": "old"}]}, "metadata": {"name": "x"}}
    return no("no signatures found") if BAD in json.dumps(body) else (200, {})


def test_every_kind_and_place_is_changed_at_every_server() -> None:
    cluster = Cluster(gated)
    pairs, fixed = change_pairs(cluster, "decoy", {"unsigned": BAD}, SIGNED)  # type: ignore[arg-type]
    assert fixed == ["Job"]
    assert len(pairs) == (len(KINDS) - 1) * len(PLACES) * 2
    assert all(not pair.attempt.admitted and pair.baseline.admitted for pair in pairs)
    assert len({pair.attempt.ref for pair in pairs}) == len(pairs)
    assert all("dryRun=All" in path for _, _, path, _, _ in cluster.sent)


def test_a_pair_shares_kind_place_and_server() -> None:
    pairs, _ = change_pairs(Cluster(gated), "decoy", {"a": BAD, "b": "r/x:tag"}, SIGNED)  # type: ignore[arg-type]
    for pair in pairs:
        assert pair.baseline.ref in {
            pair.attempt.ref.replace("to a", "to signed"),
            pair.attempt.ref.replace("to b", "to signed"),
        }
        assert pair.by_form == ("to b" in pair.attempt.ref)


def test_standing_objects_run_nothing_and_do_not_select_each_other() -> None:
    made = list(standing_objects("decoy", SIGNED, {"mark": "x"}))
    assert [one["kind"] for one in made] == list(KINDS)
    names = [one["metadata"]["name"] for one in made]
    assert names == [standing_name(kind) for kind in KINDS]
    assert len({one["metadata"]["labels"]["app.kubernetes.io/name"] for one in made}) == len(KINDS)
    assert all(one["metadata"]["labels"]["mark"] == "x" for one in made)
    for one in made:
        spec = one["spec"]
        idle = spec.get("replicas") == 0 or spec.get("suspend") or "nodeSelector" in json.dumps(one)
        assert idle
        assert SIGNED not in json.dumps(one), "a change to the signed image must be one"


@pytest.mark.parametrize(
    ("image", "other"),
    [
        ("host:5000/a/b@sha256:0", "host:5000/a/b:assay@sha256:0"),
        ("host:5000/a/b:v1@sha256:0", "host:5000/a/b:v1@sha256:0"),
        ("a:v1", "a:v1"),
    ],
)
def test_the_same_image_by_another_name(image: str, other: str) -> None:
    assert tagged(image) == other


def test_a_patch_and_an_update_change_one_image() -> None:
    change = ImageChange("CronJob", "init", "unsigned", BAD)
    assert change.patch() == {
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {
            "initContainers": [{"name": "first", "image": BAD}]
        }}}}}
    }  # fmt: skip
    pod = {"spec": {"containers": [{"name": "main", "image": "old"}, {"name": "side", "image": "old"}]}}
    found = ImageChange("Pod", "container", "unsigned", BAD).applied(pod)
    assert [row["image"] for row in found["spec"]["containers"]] == [BAD, "old"]
    assert pod["spec"]["containers"][0]["image"] == "old"
    assert ImageChange("Pod", "container", "", "", put_on=(("a", "b"),)).patch()["metadata"]["labels"] == {
        "a": "b"
    }


def test_an_object_with_a_label_is_made_changed_and_given_it() -> None:
    def overlooks(method: str, path: str, _: Mapping[str, str], body: dict[str, Any]) -> Answer:
        bearing = "assay-bearing" in path or body.get("metadata", {}).get("labels", {}).get("skip")
        return (200, {}) if bearing else gated(method, path, {}, body)

    pairs = overlooked_pairs(
        Cluster(overlooks),  # type: ignore[arg-type]
        "decoy", {"skip": "true"}, "assay-bearing", BAD, SIGNED,
    )  # fmt: skip
    found = sorted({pair.attempt.ref.partition(" at ")[0] for pair in pairs if pair.attempt.admitted})
    assert found == [
        "Deployment container changed to unsigned",
        "Deployment container changed to unsigned and given skip=true",
        "Pod container changed to unsigned",
        "Pod container changed to unsigned and given skip=true",
        "Pod container unsigned with skip=true",
    ]


@pytest.mark.parametrize(
    ("image", "place", "form"),
    [(BAD, "container", False), ("r/x:tag", "container", True), (BAD, VOLUME, True), ("r/x", "init", True)],
)
def test_what_may_be_refused_without_a_look_at_its_signature(image: str, place: str, form: bool) -> None:
    assert by_form(image, place) is form


def grant(subject: str, *rules: PolicyRule, namespace: str = "") -> Grant:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return Grant(kind, namespace, "b", "ClusterRole r", subject, rules)


def rule(verbs: str, group: str, resources: str, names: str = "") -> PolicyRule:
    return PolicyRule(
        frozenset(verbs.split()), frozenset({group}), frozenset(resources.split()), frozenset(names.split())
    )


def test_who_may_bring_an_image_in_is_read_from_rbac() -> None:
    found = image_rights(
        [
            grant("User reader", rule("get list", "*", "*")),
            grant("Group ops", rule("*", "*", "*")),
            grant("ServiceAccount a/maker", rule("create", "", "pods")),
            grant("ServiceAccount a/deployer", rule("update", "apps", "deployments"), namespace="shop"),
            grant("ServiceAccount a/deployer", rule("patch", "batch", "cronjobs"), namespace="shop"),
            grant("ServiceAccount a/one", rule("patch", "apps", "deployments", "only")),
            grant("ServiceAccount a/status", rule("patch", "apps", "deployments/status")),
        ]
    )
    assert [(one.requester.ref, one.makes, dict(one.changes)) for one in found] == [
        ("Group ops", KINDS, dict.fromkeys(KINDS, "patch")),
        ("ServiceAccount a/deployer", (), {"Deployment": "update", "CronJob": "patch"}),
        ("ServiceAccount a/maker", ("Pod",), {}),
    ]
    assert found[1].requester.namespace == "shop"


@pytest.mark.parametrize(
    ("requester", "headers"),
    [
        (Requester("User", "oidc:eve"), {"Impersonate-User": "oidc:eve"}),
        (Requester("ServiceAccount", "a/b"), {"Impersonate-User": "system:serviceaccount:a:b"}),
        (Requester("Group", "ops"), {"Impersonate-User": "assay-requester", "Impersonate-Group": "ops"}),
    ],
)
def test_requests_in_the_name_of_another(requester: Requester, headers: dict[str, str]) -> None:
    assert requester.headers == headers


def test_an_account_that_the_gate_leaves_out_is_seen() -> None:
    def exempts(method: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
        return (200, {}) if headers.get("Impersonate-User") == "eve" else gated(method, path, headers, body)

    rights = [rights_of_editor(Requester("User", who, "decoy")) for who in ("adam", "eve")]
    pairs, untried = requester_pairs(Cluster(exempts), rights, "decoy", BAD, SIGNED, ["Job"])  # type: ignore[arg-type]
    assert not untried
    assert len(pairs) == 2 * 2 * 2
    assert {" by User eve " in pair.attempt.ref for pair in pairs if pair.attempt.admitted} == {True}
    assert {" by User adam " in pair.attempt.ref for pair in pairs if not pair.attempt.admitted} == {True}


def test_an_account_tries_another_kind_at_each_server_and_updates_whole_objects() -> None:
    cluster = Cluster(gated)
    held = ImageRights(Requester("User", "eve"), ("Pod", "Job"), {"Pod": "update"})
    pairs, _ = requester_pairs(cluster, [held], "decoy", BAD, SIGNED, [])  # type: ignore[arg-type]
    assert [pair.attempt.ref for pair in pairs] == [
        "Pod container unsigned by User eve at https://one",
        "Pod container changed to unsigned by User eve at https://one",
        "Job container unsigned by User eve at https://two",
        "Pod container changed to unsigned by User eve at https://two",
    ]
    assert {method for _, method, _, headers, _ in cluster.sent if headers.get("Impersonate-User")} == {
        "POST",
        "PUT",
    }


def test_rights_in_another_namespace_are_tried_there_and_changes_are_not() -> None:
    cluster = Cluster(gated)
    held = rights_of_editor(Requester("User", "eve", "shop"))
    pairs, _ = requester_pairs(cluster, [held], "decoy", BAD, SIGNED, [])  # type: ignore[arg-type]
    assert len(pairs) == 2
    assert all("/namespaces/shop/" in path for _, _, path, _, _ in cluster.sent)


@pytest.mark.parametrize(
    "answer",
    [
        no('users "eve" is forbidden: User "assay" cannot impersonate resource "users" in API group ""', 403),
        no('pods is forbidden: User "eve" cannot create resource "pods" in API group ""', 403),
        no("not found", 404),
        no("etcd", 500),
    ],
)
def test_what_could_not_be_asked_is_said(answer: Answer) -> None:
    held = rights_of_editor(Requester("User", "eve"))
    pairs, untried = requester_pairs(Cluster(lambda *_: answer), [held], "decoy", BAD, SIGNED, [])  # type: ignore[arg-type]
    assert not pairs
    assert len(untried) == 4
    assert untried[0].reason == answer[1]["message"]


def test_ways_out_of_sight_are_asked_for_beside_a_namespace_inside() -> None:
    def forced(method: str, _path: str, _: Mapping[str, str], body: dict[str, Any]) -> Answer:
        labels = body["metadata"].get("labels", {})
        fine = labels.get("on") == "yes" if method == "POST" else labels.get("on", "yes") == "yes"
        return (200, {}) if fine else no("must carry the label")

    inside = {"on": "yes"}
    outside = [{"on": "yes", "off": "true"}, {}]
    excluded, without = ways_out(Cluster(forced), inside, outside, "live")  # type: ignore[arg-type]
    assert excluded.open
    assert not without.open
    assert all(pair.baseline.admitted for way in (excluded, without) for pair in (*way.made, *way.relabelled))
    assert way_out(without.labels, inside, "s") == "Namespace made without on at s"
    assert way_out(excluded.labels, inside, "s", "relabelled") == "Namespace relabelled with off=true at s"


def test_without_samples_nothing_is_tried() -> None:
    from assay.config.profile import Samples
    from assay.errors import ProbeError

    with pytest.raises(ProbeError, match="unsigned"):
        images(Samples(signed=SIGNED))


def test_the_name_of_what_stands_is_known() -> None:
    assert ImageChange("Pod", "container", "", "").path("ns") == f"/api/v1/namespaces/ns/pods/{STANDING}-pod"
