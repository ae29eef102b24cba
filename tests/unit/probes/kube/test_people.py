"""How API servers know people: by their flags, and by tokens that must and must not be accepted."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from assay.config.profile import Oidc, Profile
from assay.errors import ProbeError
from assay.probes.kube.people import IdentityFlags, flags_of, identity_flags
from assay.probes.net.oidc import Claims, People, PersonToken


KEY = ec.generate_private_key(ec.SECP256R1())
FLAGS = [
    "kube-apiserver",
    "--oidc-issuer-url=https://id.example",
    "--oidc-client-id",
    "kube",
    "--oidc-groups-claim=groups",
]


def token(**claims: object) -> str:
    now = datetime.datetime.now(datetime.UTC)
    end = claims.pop("exp", now + datetime.timedelta(minutes=5))
    return jwt.encode({"sub": "7", "email": "jo@example.com", **claims, "exp": end}, KEY, algorithm="ES256")


def profile(**oidc: Any) -> Profile:  # noqa: ANN401
    return Profile(Path("stack.toml"), "s", "staging", oidc=Oidc(**oidc))


def test_flags_are_read_in_both_ways_of_writing() -> None:
    flags = flags_of([*FLAGS, "--oidc-groups-prefix=oidc:", "--oidc-username-prefix=oidc:"])
    assert (flags.issuer, flags.client_id, flags.groups_claim) == ("https://id.example", "kube", "groups")
    assert not list(flags.faults())


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ([], "system:masters"),
        (["--oidc-groups-prefix=g:", "--oidc-username-prefix=-"], "names"),
        (["--oidc-groups-prefix=g:", "--oidc-username-claim=email"], "names"),
    ],
)
def test_flags_that_take_tokens_as_they_are(more: list[str], fault: str) -> None:
    (found,) = flags_of([*FLAGS, *more]).faults()
    assert fault in found


def test_without_an_issuer_or_groups_nobody_is_mapped() -> None:
    assert list(flags_of(["kube-apiserver"]).faults()) == ["knows no issuer of people's identities"]
    assert list(flags_of(FLAGS[:4]).faults()) == ["takes no groups from identity tokens"]
    assert not list(flags_of(["kube-apiserver", "--authentication-config=/etc/a.yaml"]).faults())


def test_a_name_without_a_prefix_flag_is_behind_its_issuer() -> None:
    assert flags_of(FLAGS).user_prefix == "https://id.example#"
    assert flags_of([*FLAGS, "--oidc-username-claim=email"]).user_prefix == ""


class Cluster:
    apiservers = ("https://192.0.2.1:6443", "https://192.0.2.2:6443")

    def objects(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        def pod(host: str, *words: str) -> dict[str, Any]:
            return {"spec": {"containers": [{"command": list(words)}]}, "status": {"hostIP": host}}

        assert (kind, namespace) == ("Pod", "kube-system")
        return [
            pod("192.0.2.1", "/usr/local/bin/kube-apiserver", *FLAGS[1:]),
            pod("192.0.2.2", "kube-scheduler"),
            pod("192.0.2.2"),
        ]


def test_flags_belong_to_the_server_whose_pod_shows_them() -> None:
    found = identity_flags(Cluster())  # type: ignore[arg-type]
    assert list(found) == ["https://192.0.2.1:6443"]
    assert found["https://192.0.2.1:6443"].issuer == "https://id.example"


def test_without_the_key_only_foreign_tokens_are_made() -> None:
    persons, bad = People(profile()).tokens("https://id.example", "kube")
    assert persons == []
    assert list(bad) == ["a foreign key"]
    claims = jwt.decode(bad["a foreign key"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == ("https://id.example", "kube")


def test_without_issuer_and_client_nothing_is_tried() -> None:
    with pytest.raises(ProbeError, match="issuer"):
        People(profile()).tokens()


def test_with_the_key_a_person_and_every_bad_token_are_made(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    known = profile(issuer="https://id.example", client_id="kube", signing_key=file)
    persons, bad = People(known).tokens(claims=Claims("login", "teams"))
    assert persons[0].names == {"assay-person"}
    said = jwt.decode(persons[0].token, KEY.public_key(), algorithms=["ES256"], audience="kube")
    assert (said["login"], said["teams"]) == ("assay-person", ["assay-group", "system:masters"])
    assert len(bad) == 3
    for why, made in bad.items():
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(made, KEY.public_key(), algorithms=["ES256"], audience="kube")
        assert why


def test_a_persons_token_from_a_file_and_the_same_altered(tmp_path: Path) -> None:
    file = tmp_path / "person.jwt"
    file.write_text(token(teams=["devs"], login="jo") + "\n")
    persons, bad = People(profile(issuer="i", client_id="c", user_token=file)).tokens(
        claims=Claims("login", "teams")
    )
    assert persons[0].names == {"7", "jo@example.com", "jo"}
    assert persons[0].groups == {"devs"}
    altered = jwt.decode(bad["an altered token"], options={"verify_signature": False})
    assert altered["teams"] == ["devs", "assay-altered"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(bad["an altered token"], KEY.public_key(), algorithms=["ES256"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (token(exp=1), "run out"),
        ("not a token", "not an identity token"),
        ("", "not an identity token"),
        ("\u00e4", "not an identity token"),
    ],
    ids=["run out", "words", "empty", "not ASCII"],
)
def test_a_token_that_cannot_be_used_is_one_line(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "person.jwt"
    file.write_text(content)
    with pytest.raises(ProbeError, match=says) as caught:
        PersonToken.read(file, Claims())
    assert content[:8] not in str(caught.value) or not content


def test_a_token_never_shows() -> None:
    person = PersonToken(frozenset({"jo"}), frozenset(), "secret-token")
    assert "secret-token" not in repr(person)
    assert dataclasses.asdict(IdentityFlags())["configured"] is False
