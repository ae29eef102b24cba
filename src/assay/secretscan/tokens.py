"""Texts that are secret by their own shape, no matter who holds them and what they are called."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assay.secretscan.naming import is_benign, is_mixed, is_strong


FREE, END = r"(?<![A-Za-z0-9+/=_.-])", r"(?![A-Za-z0-9+/=_-])"


# A line of nothing but 64 characters is a line of a certificate.
BESIDE = r"(?:(?<=\S[ \"'])|(?<=[\"'=:\[(,]))"


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret in a text: which rule says so, and where it starts. The secret itself is not kept."""

    rule: str
    start: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A rule: its name, its pattern (group `v` is the secret, where there is one), a last check of it.

    One of `signs`, in lower case, is in every text that the pattern matches: most texts are done after one look.
    """

    rule: str
    pattern: re.Pattern[str]
    signs: tuple[str, ...]
    check: Callable[[str], bool] = bool


def _holds_key(encoded: str) -> bool:
    try:
        clear = base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except binascii.Error:
        return True
    return b"PRIVATE KEY" in clear[:80]


def _holds_login(encoded: str) -> bool:
    try:
        clear = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, ValueError):
        return False
    _, colon, after = clear.partition(":")
    return bool(colon) and clear.isprintable() and not is_benign(after, "password")


def _given(value: str) -> bool:
    return len(value) >= 4 and not is_benign(value, "password")


def _header(value: str) -> bool:
    return not is_benign(value) and (is_strong(value) or _holds_login(value))


def _no_example(value: str) -> bool:
    return not value.endswith("EXAMPLE")


def _shape(rule: str, signs: str, pattern: str, check: Callable[[str], bool] = bool, flags: int = 0) -> Shape:
    return Shape(rule, re.compile(pattern, flags), tuple(signs.split()), check)


SHORTEST = 8
OPTION = r"(?:[a-z0-9]+[-_.])*(?:password|passwd|passphrase|token|secret|api-?key|secret-id)"
SHAPES: tuple[Shape, ...] = (
    _shape(
        "private key", "-----begin",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[\s\\nr\"'+,>|]|[A-Z][A-Za-z-]+: [^\n\\]*)*"
        r"(?P<v>[A-Za-z0-9+/]{20,})",
    ),
    _shape("encoded private key", "ls0tls1crudjti", r"(?P<v>LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,}={0,2})", _holds_key),
    _shape("age identity", "age-secret-key-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    _shape("Vault token", "hvs. hvb. hvr.", r"(?<![\w.])hv[sbr]\.(?P<v>[A-Za-z0-9_-]{24,})", is_mixed),
    _shape("Vault token, old form", "s. b.", r"(?<![\w./])[sb]\.(?P<v>[A-Za-z0-9]{24})(?![\w.])", is_mixed),
    _shape("Vault unseal key", "unseal", r"unseal key \d+\s*[:=]\s*(?P<v>[A-Za-z0-9+/]{40,}={0,2})", flags=re.I),
    _shape("64-character cloud token", "", rf"(?:{BESIDE}|\A\s*){FREE}(?P<v>[A-Za-z0-9]{{64}}){END}", is_mixed),
    _shape("web token", "eyj", r"(?<![\w.])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.(?P<v>[\w-]{10,})"),
    _shape("cloud access key", "akia asia", r"(?<![A-Z0-9])(?P<v>(?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Z0-9])", _no_example),
    _shape("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})"),
    _shape("GitLab token", "glpat- gldt- glrt- glft-", r"(?<!\w)gl(?:pat|dt|rt|ft)-(?P<v>[\w-]{20,})", is_strong),
    _shape("chat token", "xox", r"(?<!\w)xox[abposr]-(?P<v>[\w-]{20,})", is_strong),
    _shape("chat webhook", "hooks.slack", r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/(?P<v>\w{20,})", is_strong),
    _shape(
        "vendor token", "npm_ dckr_ nbp_ glsa_ hf_ _live_ dop_v1_ tskey- sk-",
        r"(?<!\w)(?:npm_|dckr_pat_|nbp_|glsa_|hf_|sk_live_|rk_live_|dop_v1_|tskey-auth-|sk-ant-api\d\d-|sk-proj-)"
        r"(?P<v>[\w-]{20,})",
        is_strong,
    ),
    _shape("password in a URL", "://", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,64}:(?P<v>[^\s/@\"'<>]{3,})@[\w.\[]",
           _given, re.I),
    _shape("join token in a URL", "jointoken=", r"[?&]jointoken=(?P<v>[^\s&\"']{8,})", _given, re.I),
    _shape("password in a connection string", "password= pwd=",
           r"\b(?:host|server|user|uid|user id|username|dbname|database|data source)=[^\s;&,\"'()]+[ ;&]"
           r"(?:[\w ]+=[^\s;&,\"'()]+[ ;&]+)*(?:password|pwd)=(?P<v>[^\s;&,\"'()]{4,})", _given, re.I),
    _shape("password in SQL", "password identified", r"\b(?:PASSWORD|IDENTIFIED BY)\s+'(?P<v>[^'\n]{4,})'", _given, re.I),
    _shape("password hash", "$2 $6$ $apr1$ $argon2", r"\$(?:2[aby]\$\d\d\$[./A-Za-z0-9]{53}|6\$[^\s$]{4,}\$[./A-Za-z0-9]{80,}"
           r"|apr1\$[^\s$]{4,}\$[./A-Za-z0-9]{20,}|argon2id?\$v=\d+\$\S{30,})"),
    _shape("authorization header", "authorization",
           r"\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)\s+(?P<v>[A-Za-z0-9+/=._~-]{12,})", _header, re.I),
    _shape("token header", "x-vault-token x-api-key private-token x-auth-token", r"\b(?:x-vault-token|x-api-key|private-token|x-auth-token)[\"']?\s*:\s*[\"']?"
           r"(?P<v>[A-Za-z0-9+/=._~-]{12,})", is_strong, re.I),
    _shape("command line option", "password passwd passphrase token secret apikey api-key", rf"(?:^|[\s\"'\[,])--?{OPTION}(?:=|\s+|[\"'],\s*)[\"']?(?P<v>[^\s\"',\]]{{4,}})",
           lambda value: _given(value) and is_strong(value, 6), re.I | re.M),
    _shape("login option", "-u --user", r"\b(?:curl|wget|http)\b[^\n]*\s(?:-u|--user)[ =][\"']?[^\s:\"']+:(?P<v>[^\s\"']{4,})", _given),
    _shape("netrc password", "machine", r"\bmachine\s+\S+\s+login\s+\S+\s+password\s+(?P<v>\S{4,})", _given),
    _shape("pgpass line", ":", r"^[\w.*-]+:(?:\d{4,5}|\*):[\w*-]+:[\w*-]+:(?P<v>[^\s:]{6,})$", _given, re.M),
    _shape("registry login", '"auth"', r"\"auth\"\s*:\s*\"(?P<v>[A-Za-z0-9+/]{8,}={0,2})\"", _holds_login),
    _shape("private web key", '"d"', r"\"d\"\s*:\s*\"(?P<v>[\w-]{40,})\"", is_mixed),
)  # fmt: skip


def hits(text: str) -> Iterator[Hit]:
    """Yield every secret that its own shape gives away."""
    if len(text) < SHORTEST:
        return
    lowered = text.lower()
    for shape in SHAPES:
        if shape.signs and not any(sign in lowered for sign in shape.signs):
            continue
        for match in shape.pattern.finditer(text):
            start = match.start("v") if "v" in shape.pattern.groupindex else match.start()
            if shape.check(match.group("v") if "v" in shape.pattern.groupindex else match.group()):
                yield Hit(shape.rule, start)
