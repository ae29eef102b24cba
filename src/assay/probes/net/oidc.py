"""Tokens as the stack's own identity provider would sign them.

For trying how API servers map people and groups.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from assay.config.profile import Profile
from assay.errors import ProbeError


PERSON = "assay-person"
NAMES = ("sub", "email", "preferred_username", "upn", "name")
TOKEN_LIFE = datetime.timedelta(minutes=5)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token that an API server takes a person's name and groups from."""

    name: str = "sub"
    groups: str = "groups"


@dataclass(frozen=True, slots=True)
class PersonToken:
    """One person's valid token, the names that the person may go by, and the groups that it claims."""

    names: frozenset[str]
    groups: frozenset[str]
    token: str = field(repr=False)
    claims: Claims = Claims()

    @classmethod
    def read(cls, path: Path, known: Claims) -> PersonToken:
        """Return the token in a file, as its issuer wrote it.

        Raises:
            ProbeError: not readable, not an identity token, or it has run out.
        """
        try:
            token = path.read_text(encoding="ascii").strip()
            claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": True})
        except jwt.ExpiredSignatureError as problem:
            raise ProbeError(f"{path.name}: the token has run out", "get a new one for [oidc]") from problem
        except (OSError, UnicodeError, jwt.InvalidTokenError) as problem:
            message = f"{path.name}: not an identity token: {type(problem).__name__}"
            raise ProbeError(message, "check user_token under [oidc]") from problem
        names = frozenset(str(claims[key]) for key in (*NAMES, known.name) if claims.get(key))
        return cls(names, frozenset(map(str, claims.get(known.groups) or ())), token, known)

    def altered(self) -> str:
        """Return the token with a group more than was signed, which must not be accepted."""
        head, body, signature = self.token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(f"{body}==="))
        claims[self.claims.groups] = [*claims.get(self.claims.groups, ()), "assay-altered"]
        made = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"{head}.{made}.{signature}"


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """The issuer's signing key and what its tokens say. The key and the tokens never appear in any output.

    Without the issuer's own key it has one that nobody trusts: all its tokens are foreign.
    """

    issuer: str
    client_id: str
    key: Key
    trusted: bool = True
    claims: Claims = Claims()

    @classmethod
    def from_profile(
        cls, profile: Profile, issuer: str = "", client_id: str = "", claims: Claims = Claims()
    ) -> TokenIssuer:
        """Return the issuer of `profile`.

        Args:
            profile: of the stack.
            issuer: where the profile does not name it.
            client_id: the same.
            claims: what its tokens say a person's name and groups in.

        Raises:
            ProbeError: issuer or client are not known, or the key that the profile names is not usable.
        """
        path = profile.oidc.signing_key
        names = (profile.oidc.issuer or issuer or profile.need_text("oidc.issuer"),
                 profile.oidc.client_id or client_id or profile.need_text("oidc.client_id"))  # fmt: skip
        if path is None:
            return cls(*names, rsa.generate_private_key(65537, 2048), trusted=False, claims=claims)
        return cls(*names, private_key(profile.need_path("oidc.signing_key")), claims=claims)

    def person(self) -> PersonToken | None:
        """Return a valid token of somebody who claims to be an administrator; None without the key."""
        groups = ("assay-group", "system:masters")
        token = self.token(PERSON, groups)
        return (
            PersonToken(frozenset({PERSON}), frozenset(groups), token, self.claims) if self.trusted else None
        )

    def bad(self) -> dict[str, str]:
        """Return what is wrong with a token -> that token, as many as can be made."""
        found = {"a foreign key": self.token(PERSON, [], foreign=True)}
        if self.trusted:
            found["an expired token"] = self.token(PERSON, [], late=True)
            found["another client's token"] = self.token(PERSON, [], audience="another")
        return found

    def token(
        self, user: str, groups: Sequence[str], audience: str = "", late: bool = False, foreign: bool = False
    ) -> str:
        """Return a signed identity token.

        Args:
            user: the person.
            groups: what the token claims the person is in.
            audience: default: the stack's client.
            late: True: it ran out a minute ago.
            foreign: True: signed by a key made a moment ago, which nobody trusts.
        """
        now = datetime.datetime.now(datetime.UTC)
        end = now - datetime.timedelta(minutes=1) if late else now + TOKEN_LIFE
        claims = {
            "iss": self.issuer,
            "aud": audience or self.client_id,
            **dict.fromkeys((*NAMES, self.claims.name), user),
            self.claims.groups: list(groups),
            "iat": end - TOKEN_LIFE,
            "exp": end,
        }
        key = _another(self.key) if foreign else self.key
        return jwt.encode(claims, key, algorithm="RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")


@dataclass(frozen=True, slots=True)
class People:
    """Tokens of people for the stack of `profile`."""

    profile: Profile

    def tokens(
        self, issuer: str = "", client_id: str = "", claims: Claims = Claims()
    ) -> tuple[list[PersonToken], dict[str, str]]:
        """Return valid tokens, and bad ones by what is wrong with them, for an API server so set up.

        Raises:
            ProbeError: issuer or client are not known, or what the profile names is not usable.
        """
        made = TokenIssuer.from_profile(self.profile, issuer, client_id, claims)
        persons, bad = [person for person in (made.person(),) if person], made.bad()
        if self.profile.oidc.user_token:
            persons.append(PersonToken.read(self.profile.need_path("oidc.user_token"), claims))
            bad["an altered token"] = persons[-1].altered()
        return persons, bad


def _another(key: Key) -> Key:
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa.generate_private_key(65537, key.key_size)
    return ec.generate_private_key(key.curve)


def private_key(path: Path) -> Key:
    """Return the RSA or P-256 private key in a PEM file.

    Raises:
        ProbeError: not readable, or another kind of key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as problem:
        raise ProbeError(f"{path.name}: no usable private key", "check signing_key under [oidc]") from problem
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ProbeError(f"{path.name}: neither an RSA nor an EC key", "check signing_key under [oidc]")
    return key
