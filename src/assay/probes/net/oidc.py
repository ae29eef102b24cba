"""Tokens as the stack's own identity provider would sign them.

For trying how API servers map people and groups.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from assay.config.profile import Profile
from assay.errors import ProbeError


LIFE = datetime.timedelta(minutes=5)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """The issuer's signing key and what its tokens say. The key and the tokens never appear in any output."""

    issuer: str
    client_id: str
    key: Key

    @classmethod
    def from_profile(cls, profile: Profile) -> TokenIssuer:
        """Return the issuer of `profile`.

        Raises:
            ProbeError: the profile names no issuer, client or signing key, or the key is not usable.
        """
        path = profile.need_path("oidc.signing_key")
        return cls(profile.need_text("oidc.issuer"), profile.need_text("oidc.client_id"), private_key(path))

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
        end = now - datetime.timedelta(minutes=1) if late else now + LIFE
        claims = {
            "iss": self.issuer,
            "aud": audience or self.client_id,
            "sub": user,
            "preferred_username": user,
            "email": user,
            "groups": list(groups),
            "iat": end - LIFE,
            "exp": end,
        }
        key = _another(self.key) if foreign else self.key
        return jwt.encode(claims, key, algorithm="RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")


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
