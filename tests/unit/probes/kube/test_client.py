"""The Kubernetes probe against a small real HTTP(S) server.

Whole lists or a clear error, never half of one.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from pathlib import Path

import pytest

from assay.errors import ProbeError
from assay.probes.kube.client import Kube
from assay.probes.kube.shapes import harmless_pod
from tests.unit.support.api_server import Reply, kubeconfig, listed, says, served, tls


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a busy server again at once."""
    monkeypatch.setattr("assay.probes.kube.wire.BUSY_WAIT_S", 0)


PODS = [
    {"metadata": {"namespace": "shop", "name": f"p{n}"}, "spec": {"containers": [{"name": "c"}]}}
    for n in range(5)
]


def test_reads_every_page_to_the_end(tmp_path: Path) -> None:
    def pages(_method: str, _path: str, query: dict[str, str], _sent: object) -> Reply:
        at = int(query.get("continue", "0"))
        more = {"continue": str(at + 2), "remainingItemCount": 5 - at - 2} if at + 2 < 5 else {}
        return listed(PODS[at : at + 2], **more)

    with served(tmp_path, pages) as kube:
        assert [pod.name for pod in kube.pods()] == ["p0", "p1", "p2", "p3", "p4"]


def test_an_expired_list_is_read_anew(tmp_path: Path) -> None:
    asked: list[str] = []

    def expiring(_method: str, _path: str, query: dict[str, str], _sent: object) -> Reply:
        asked.append(query.get("continue", ""))
        if asked == ["", "2"]:
            return says(410, "The provided continue parameter is too old")
        return (
            listed(PODS[2:])
            if "continue" in query
            else listed(PODS[:2], **{"continue": "2", "remainingItemCount": 3})
        )

    with served(tmp_path, expiring) as kube:
        assert len(kube.pods()) == 5
    assert asked == ["", "2", "", "2"]


def test_a_list_that_expires_for_ever_is_an_error(tmp_path: Path) -> None:
    def expired(*_: object) -> Reply:
        return says(410, "too old")

    with served(tmp_path, expired) as kube, pytest.raises(ProbeError, match="run again"):
        kube.pods()


SHORT = {
    "last page shorter than announced": [
        listed(PODS[:2], **{"continue": "2", "remainingItemCount": 3}),
        listed(PODS[2:4]),
    ],
    "rest announced, no way to it": [listed(PODS[:2], remainingItemCount=3)],
    "no items": [(200, {"kind": "PodList", "metadata": {}})],
    "no metadata": [(200, {"kind": "PodList", "items": []})],
    "another kind": [(200, {"kind": "Pod", "metadata": {}, "items": []})],
    "items of another type": [(200, {"kind": "PodList", "metadata": {}, "items": ["p0"]})],
    "an object without a name": [listed([{"metadata": {}, "spec": {"containers": [{}]}}])],
    "a pod without containers": [listed([{"metadata": {"name": "x"}, "spec": {}}])],
    "no JSON": [(200, b"<html>proxy</html>")],
    "no object": [(200, [])],
    "half a page": [(200, b'{"kind": "PodList", "metadata": {}, "items": [...')],
    "401": [says(401, "Unauthorized")],
    "403": [says(403, 'pods is forbidden: User "x" cannot list resource "pods" in API group ""')],
    "403 on the second page": [listed(PODS[:2], **{"continue": "2"}), says(403, "forbidden")],
    "429": [says(429, "too many requests")] * 6,
    "500": [says(500, "etcdserver: request timed out")],
    "503 without JSON": [(503, b"upstream connect error")],
}


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    rest = [says(429, "storage is (re)initializing"), says(429, "again"), listed(PODS)]
    with served(tmp_path, lambda *_: rest.pop(0)) as kube:
        assert len(list(kube.pods())) == len(PODS)


@pytest.mark.parametrize("replies", SHORT.values(), ids=SHORT)
def test_half_an_answer_is_an_error_with_a_remedy(tmp_path: Path, replies: list[Reply]) -> None:
    rest = list(replies)

    def scripted(*_: object) -> Reply:
        return rest.pop(0)

    with served(tmp_path, scripted) as kube, pytest.raises(ProbeError) as caught:
        kube.pods()
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert "canary-token" not in str(caught.value)


def test_a_slow_server_is_an_error(tmp_path: Path) -> None:
    def slow(*_: object) -> Reply:
        time.sleep(1.0)
        return listed([])

    with served(tmp_path, slow) as kube, pytest.raises(ProbeError, match="no answer in time"):
        kube.pods()


def test_nobody_listening_is_an_error(tmp_path: Path) -> None:
    with served(tmp_path, lambda *_: listed([])) as kube:
        pass
    with pytest.raises(ProbeError, match="refused"):
        kube.pods()


def test_an_expired_certificate_is_named(tmp_path: Path) -> None:
    context, ca = tls(tmp_path, expired=True)
    with (
        served(tmp_path, lambda *_: listed([]), context, ca) as kube,
        pytest.raises(ProbeError, match="certificate has expired"),
    ):
        kube.pods()


def test_a_valid_certificate_is_good(tmp_path: Path) -> None:
    context, ca = tls(tmp_path, expired=False)
    with served(tmp_path, lambda *_: listed(PODS), context, ca) as kube:
        assert len(kube.pods()) == 5


def test_a_foreign_authority_is_refused(tmp_path: Path) -> None:
    context, _ = tls(tmp_path, expired=False)
    (tmp_path / "other").mkdir()
    _, foreign = tls(tmp_path / "other", expired=False)
    with (
        served(tmp_path, lambda *_: listed([]), context, foreign) as kube,
        pytest.raises(ProbeError, match="does not verify"),
    ):
        kube.pods()


def test_the_authority_is_named_by_its_digest(tmp_path: Path) -> None:
    _, ca = tls(tmp_path, expired=False)
    known = Kube(kubeconfig(tmp_path, "https://127.0.0.1:1", ca)).authority()
    assert known == hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.read_text())).hexdigest()
    ca.write_text("no certificate")
    with pytest.raises(ProbeError, match="not a certificate"):
        Kube(kubeconfig(tmp_path, "https://127.0.0.1:1", ca)).authority()


def test_an_unusable_kubeconfig_is_an_error(tmp_path: Path) -> None:
    for text in ("", "{", "apiVersion: v1\nkind: Config\n", "- a\n", "\t", "[" * 1_500):
        (tmp_path / "kubeconfig").write_text(text)
        with pytest.raises(ProbeError, match="kubeconfig"):
            Kube(tmp_path / "kubeconfig").pods()


ANSWERS = {
    "admitted": ((201, {"kind": "Pod"}), True),
    "refused by a webhook": (
        says(400, 'admission webhook "policy.sigstore.dev" denied the request: no signatures found'),
        False,
    ),
    "refused by Pod Security": (
        says(403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'),
        False,
    ),
    "invalid": (says(422, "Pod is invalid"), False),
    "namespace gone": (says(404, 'namespaces "x" not found'), False),
}


@pytest.mark.parametrize(("reply", "admitted"), ANSWERS.values(), ids=ANSWERS)
def test_what_admission_says(tmp_path: Path, reply: Reply, admitted: bool) -> None:
    seen: list[str] = []

    def gate(method: str, path: str, query: dict[str, str], _sent: object) -> Reply:
        seen.append(f"{method} {path} {query.get('dryRun')}")
        return reply

    with served(tmp_path, gate) as kube:
        attempt = kube.dry_run(kube.apiservers[0], harmless_pod("shop", "image"), "Pod")
    assert seen == ["POST /api/v1/namespaces/shop/pods All"]
    assert (attempt.admitted, bool(attempt.reason)) == (admitted, not admitted)


@pytest.mark.parametrize(
    "reply",
    [
        says(401, "Unauthorized"),
        says(
            403,
            'pods is forbidden: User "x" cannot create resource "pods" in API group "" in namespace "shop"',
        ),
        says(429, "too many"),
        says(500, 'failed calling webhook "policy.sigstore.dev": connection refused'),
    ],
)
def test_what_says_nothing_about_admission_is_an_error(tmp_path: Path, reply: Reply) -> None:
    with served(tmp_path, lambda *_: reply) as kube, pytest.raises(ProbeError):
        kube.dry_run(kube.apiservers[0], harmless_pod("shop", "image"), "Pod")


def test_a_foreign_token_replaces_our_own(tmp_path: Path) -> None:
    seen: list[str] = []

    def who(_method: str, _path: str, query: dict[str, str], _sent: object) -> Reply:
        seen.append(query["auth"])
        if not query["auth"]:
            return says(401, "Unauthorized")
        return 201, {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "u", "groups": ["g"]}}}

    with served(tmp_path, who) as kube:
        server = kube.apiservers[0]
        assert kube.whoami(server).user == "u"
        assert kube.whoami(server, "theirs").groups == ("g",)
        assert kube.anonymous(server, "/version").status == 401
    assert seen == ["Bearer canary-token", "Bearer theirs", ""]
