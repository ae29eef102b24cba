"""The running lab: the gate is closed on every API server, a second deploy changes nothing."""

from __future__ import annotations

import ssl
import tomllib
import urllib.request

import pytest

from lab import build, cluster, deploy, images, parts, profile
from lab.layout import API_HOST, CACHE, GATEWAY_PORT, STATE, Node, controls, workers
from lab.rollout import Rollout


pytestmark = pytest.mark.skipif(not profile.PATH.exists(), reason="the lab is not up: `make lab-up`")
B = build.BINARIES


@pytest.fixture(scope="module")
def refs() -> dict[str, str]:
    """Return the sample images of the lab's profile."""
    found: dict[str, str] = tomllib.loads(profile.PATH.read_text())["samples"]
    return found


def asked(address: str) -> deploy.Cluster:
    """Return kubectl bound to one API server by its own address."""
    one = deploy.Cluster(B / "kubectl", cluster.KUBECONFIG)
    one.argv.append(f"--server=https://{address}:6443")
    return one


@pytest.mark.parametrize("node", controls(), ids=lambda n: n.name)
@pytest.mark.parametrize("name", ["unsigned", "otherkey", "otherdigest", "tagmoved"])
def test_every_api_server_refuses_by_the_webhook_and_admits_the_signed_twin(
    node: Node, name: str, refs: dict[str, str]
) -> None:
    one = asked(node.address)
    assert "release-key" in one.refusal(deploy.pod("shop", refs[name]))
    assert one.refusal(deploy.pod("shop", refs["signed"])) == ""


def test_nobody_opts_out() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "opted-out"}}
    assert "signature-opt-in" in asked(controls()[0].address).refusal(namespace)


def test_image_volumes_are_refused(refs: dict[str, str]) -> None:
    pod = deploy.pod("shop", refs["signed"])
    pod["spec"]["volumes"] = [{"name": "model", "image": {"reference": refs["signed"]}}]
    assert "images-by-digest" in asked(controls()[0].address).refusal(pod)


def test_the_public_api_answers_through_the_gateway_of_every_app_node() -> None:
    context = ssl.create_default_context(cafile=str(STATE / "ca.crt"))
    for node in (n for n in workers() if n.pool == "app"):
        request = urllib.request.Request(
            f"https://{node.address}:{GATEWAY_PORT}/api/v1/items", headers={"Host": API_HOST}
        )
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            assert answer.status == 200


def test_deploying_again_changes_no_workload() -> None:
    one = deploy.Cluster(B / "kubectl", cluster.KUBECONFIG)
    places = [("shop", "public-api"), ("edge", "gateway"), ("cosign-system", "webhook")]

    def generations() -> list[int]:
        return [one.get("deployment", name, "-n", where)["metadata"]["generation"] for where, name in places]

    before = generations()
    there = parts.remembered()
    recipes = {name: recipe for part in there for name, recipe in part.images.items()}
    pushed = images.build(B, CACHE / "images", {**images.ALL, **recipes})
    rollout = Rollout(STATE, pushed, B, cluster.KUBECONFIG, there)
    rollout.admission(rollout.sign())
    rollout.secrets()
    rollout.workloads()
    assert generations() == before
