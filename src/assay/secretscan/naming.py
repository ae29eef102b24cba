"""What a name promises and what a value is: names of secrets, references, placeholders, random texts."""

from __future__ import annotations

import enum
import math
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache


WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
NOISE = frozenset(
    [
        "value",
        "values",
        "data",
        "b64",
        "base64",
        "default",
        "literal",
        "plain",
        "plaintext",
        "raw",
        "string",
        "str",
        "text",
        "new",
        "old",
        "current",
        "hex",
        "encoded",
        "clear",
    ]
)
LAST_HARD = frozenset(
    [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "passcode",
        "pass",
        "pw",
        "psk",
        "passwort",
        "apikey",
        "privatekey",
        "clientsecret",
        "authtoken",
        "accesstoken",
        "presharedkey",
        "bootstraptoken",
        "apitoken",
        "userpassword",
        "rootpassword",
        "adminpassword",
        "dbpassword",
        "secretaccesskey",
        "secretboxencryptionsecret",
        "aescbcencryptionsecret",
        "identitytoken",
    ]
)
PAIRS_HARD = frozenset(
    {
        *(f"{word} key" for word in ["api", "private", "encryption", "signing", "master", "auth", "account", "client", "unseal", "hmac", "shared", "license", "storage", "accesskey", "cipher"]),
        *(f"{word} secret" for word in ["client", "shared", "app", "consumer", "cookie", "session", "jwt", "webhook", "encryption"]),
        *(f"{word} token" for word in ["root", "bearer", "auth", "access", "refresh", "api", "bot", "bootstrap", "identity", "vault"]),
        "unseal keys", "secret id", "connection string", "encryption password", "secret access",
    }
)  # fmt: skip
LAST_SOFT = frozenset(
    ["token", "tokens", "secret", "secrets", "key", "credential", "credentials", "auth", "dsn"]
)
PUBLIC = frozenset(
    [
        "public",
        "pub",
        "authorized",
        "foreign",
        "primary",
        "sort",
        "partition",
        "cache",
        "label",
        "labels",
        "annotation",
        "digest",
        "sha",
        "sha256",
        "hash",
        "checksum",
        "fingerprint",
        "revision",
        "commit",
        "etag",
        "known",
        "host",
        "map",
        "json",
        "object",
        "field",
        "config",
        "ssh",
        "deploy",
        "tag",
        "keyid",
    ]
)
# Public only before the word key: a deploy key is shown to others, a deploy token is not.
FOR_KEYS = frozenset(["deploy", "ssh"])
PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3,}|-+|_+|0+|<.*>|\[.*\]|(?:your|my|insert|enter|fill|replace|change|put|set)[-_ ].*"
    r"|changeme!?|changeit|redacted.*|\(?redacted\)?|placeholder.*|.*placeholder|example.*|.*[-_.]example|dummy.*|fake.*"
    r"|sample.*|todo.*|tbd|none|null|nil|n/a|unset|undefined|empty|default|true|false|yes|no|on|off|enabled|disabled|~"
    r"|required|optional|str|string|text|bytes|int|integer|object|any|password|passwort|contraseña|mot de passe|secret"
    r"|token|key|hidden|masked|sensitive.*|\(?sensitive value\)?|known after apply|generated|auto|random|test|foo|bar|baz",
    re.IGNORECASE,
)
REFERENCE = re.compile(
    r"\$\{|\$\(|\{\{|\{%|<%|%\(|ENC\[|!vault|vault:|ref\+|op://|secret://|secretsmanager:|arn:|projects/|file:"
    r"|aws-sm:|gcp-sm:|sops:|doppler:|env:|@Microsoft\.KeyVault|\$ANSIBLE_VAULT|-----BEGIN (?:CERTIFICATE|PUBLIC"
    r"|RSA PUBLIC|PGP MESSAGE|AGE ENCRYPTED|PGP PUBLIC)|age1[a-z0-9]{50}|ssh-(?:rsa|ed25519) AAAA|sha(?:1|256|512)[:-]"
)
VARIABLE = re.compile(
    r"\$+[A-Za-z_]\w*|%[A-Za-z_]\w*%|@[A-Za-z_.]+@|__[A-Z_]+__|\$\d|#\{.*\}#?|%[sdvq]|:\w+|\?"
)
PATH = re.compile(
    r"(?:/|\./|\.\./|~/|[A-Za-z]:\\)[\w./@:~\\ -]*|[\w.-]+(?:/[\w.-]+)+|[a-z][a-z0-9+.-]*://[^@\s]*"
)
CODE = re.compile(
    r"(?:var|local|module|data|each|self|this|os|env|process|config|settings|secrets|random_\w+|vault_\w+|args|opts|"
    r"params|values|github|inputs|steps|cls|req|request|ctx|cfg|conf|input)\.[A-Za-z_][\w.\[\]\"'()*-]*"
    r"|\w[\w.]*\(.*\)?;?|[\w.]+\[[^\]]*\]?"
)
# What a template or an f-string puts in.
BRACED = re.compile(r"\{[^{}]*\}")
UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
DIGEST = re.compile(r"(?:h1:)?[A-Za-z0-9+/]{43}=|(?:sha\d+[-:])\S+")
# A name as clusters have them, words and short numbers: `eu-central-1`, `argocd-eu1-cluster`.
DNS = re.compile(r"[a-z]+\d{0,3}(?:[-_.](?:[a-z]+\d{0,3}|\d{1,4}))*")
RUN = re.compile(r"[a-z]{3,}")
# The name of an algorithm or a version: `SCRAM-SHA-256`, `TLSv1.2`.
ACRONYM = re.compile(
    r"[A-Z]{2,8}v?\d{0,3}(?:[-_.][A-Z]{1,8}\d{0,3})*(?:[-_.]\d{1,4})?(?:[-_.][A-Z]{1,8}\d{0,3})*"
)
HOST = re.compile(r"(?:(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?")
PORT = re.compile(r":\d{1,5}$")
EMAIL = re.compile(r"[\w.+-]+@[a-z0-9.-]+\.[a-z]{2,}")
URL = re.compile(r"(?:[a-z]+:)?[a-z][a-z0-9+.-]*://(?P<rest>[^\s@]*)")
SETTING = re.compile(r"[?&;]([\w.-]+)=")
PROSE = frozenset(
    [
        "password",
        "passphrase",
        "enter",
        "your",
        "the",
        "must",
        "invalid",
        "required",
        "forgot",
        "reset",
        "a",
        "is",
        "to",
        "for",
        "of",
        "from",
        "in",
        "with",
        "an",
        "or",
        "not",
        "no",
        "at",
        "by",
        "token",
        "secret",
        "set",
        "use",
        "used",
        "key",
        "if",
        "when",
        "please",
        "and",
        "be",
        "should",
        "this",
        "that",
        "it",
        "on",
        "are",
        "was",
        "has",
    ]
)
SECRET_WORDS = frozenset(
    [
        "password",
        "passwd",
        "secret",
        "secrets",
        "token",
        "tokens",
        "key",
        "keys",
        "credential",
        "credentials",
        "auth",
        "tls",
        "cert",
    ]
)


# What stands beside `key` where that only says which: references, tolerations, selectors.
REFERRING = frozenset(
    "name key path mode optional operator values value effect tolerationSeconds".split()  # noqa: SIM905
)
VERDICTS = frozenset(
    {"verdict", "result", "status", "outcome", "test", "first", "second", "must", "all", "on"}
)


class Weight(enum.IntEnum):
    """What a name promises: nothing, a secret if the value looks random, a secret."""

    NONE = 0
    SOFT = 1
    HARD = 2


@lru_cache(maxsize=65536)
def weight(name: str) -> Weight:
    """Return what the name of a field, variable, option or key promises about its value."""
    words = [word.lower() for word in WORD.findall(name)]
    while len(words) > 1 and (words[-1] in NOISE or words[-1].isdigit()):
        words.pop()
    if not words or (words[-1] == "pass" and len(words) > 1 and words[-2] in VERDICTS):
        return Weight.NONE
    if words[-1] in LAST_HARD or " ".join(words[-2:]) in PAIRS_HARD or "".join(words[-2:]) in LAST_HARD:
        return Weight.NONE if PUBLIC & {"public", "pub"} & set(words) else Weight.HARD
    is_public_name = PUBLIC if words[-1].startswith("key") else PUBLIC - FOR_KEYS
    if words[-1] in LAST_SOFT and not is_public_name & set(words):
        return Weight.SOFT
    return Weight.NONE


def is_benign(value: str, name: str = "") -> bool:
    """Return True for what is no secret: references, placeholders, paths, public material.

    A UUID is none either, unless `name` promises a secret.
    """
    text = value.strip().strip("\"'")
    if len(text) < 3 or PLACEHOLDER.fullmatch(text) or VARIABLE.fullmatch(text) or REFERENCE.match(text):
        return True
    if BRACED.fullmatch(text) or "${" in text or "{{" in text or "$(" in text:
        return True
    if UUID.fullmatch(text):
        return weight(name) is not Weight.HARD
    return _path(text) or bool(CODE.fullmatch(text)) or _prose(text)


def is_public_name(text: str) -> bool:
    """Return True for what everybody may know: names, hosts, addresses, e-mails, URLs without a login."""
    url = URL.fullmatch(text)
    if url is None:
        return all(_shown(word) for word in text.split(",")) or bool(EMAIL.fullmatch(text))
    ref = any(weight(name) for name in SETTING.findall(text))
    return not ref and all(
        _shown(part) or not is_strong(part, 8) for part in re.split(r"[/?&;=,]+", url["rest"])
    )


def _shown(word: str) -> bool:
    return bool(HOST.fullmatch(word) or ACRONYM.fullmatch(word)) or named_like(PORT.sub("", word))


def _path(text: str) -> bool:
    least = 20 if text.startswith(("/", ".", "~")) else 12
    return bool(PATH.fullmatch(text)) and not any(is_strong(part, least) for part in text.split("/"))


def _prose(text: str) -> bool:
    words = re.findall(r"[a-zäöüß]+", text.lower())
    return " " in text and (len(PROSE.intersection(words)) > 0 or len(words) > 8)


def named_like(text: str) -> bool:
    """Return True for the name of an object, for example `app-db-credentials` or `prod-eu1-monitoring`."""
    if not DNS.fullmatch(text) or not ("-" in text or "." in text or "_" in text):
        return False
    numbered = any(map(str.isdigit, text))
    return not numbered or 2 * sum(map(len, RUN.findall(text))) >= len(text)


def is_name(text: str) -> bool:
    """Return True for a name that says itself that it names a secret, for example `app-db-password`."""
    return named_like(text) and bool(SECRET_WORDS.intersection(re.split(r"[-_.]", text)))


def is_reference(keys: Collection[object]) -> bool:
    """Return True for the keys of a mapping whose `key` is the name of something, not a secret."""
    return "key" in keys and len(keys) > 1 and REFERRING.issuperset(keys)


def is_mixed(value: str) -> bool:
    """Return True if upper case, lower case and digits all occur, none of them by chance only."""
    return (
        any(c.isupper() for c in value)
        and any(c.islower() for c in value)
        and any(c.isdigit() for c in value)
        and entropy(value) > 3.0
    )


def is_strong(value: str, least: int = 12) -> bool:
    """Return True for a text that nobody writes as a word: long enough, several kinds of characters, random."""
    text = value.strip()
    if len(text) < least or " " in text or UUID.fullmatch(text) or named_like(text):
        return False
    digits = any(map(str.isdigit, text))
    kinds = any(map(str.isupper, text)) + any(map(str.islower, text)) + digits + (not text.isalnum())
    if not digits and text.isidentifier():
        return len(text) >= 20 and kinds > 1 and entropy(text) > 4.0 and "_" not in text
    return kinds > 1 and digits and entropy(text) > (2.5 if least < 12 else 2.9)


def entropy(value: str | bytes) -> float:
    """Return Shannon's entropy in bits per character or byte."""
    if not value:
        return 0.0
    size = len(value)
    return math.log2(size) - sum(n * math.log2(n) for n in Counter(value).values() if n > 1) / size


def looks_like_secret(name: str, value: str) -> bool:
    """Return True if `value` is a secret because of the name it is written under."""
    promise = weight(name)
    if promise is Weight.NONE or is_benign(value, name):
        return False
    text = value.strip()
    if promise is Weight.HARD:
        return len(text) >= 4 and not is_name(text) and text.lower() != name.lower()
    return is_strong(text, 16) and not DIGEST.fullmatch(text) if _last(name) == "key" else is_strong(text)


def _last(name: str) -> str:
    words = WORD.findall(name)
    return words[-1].lower() if words else ""
