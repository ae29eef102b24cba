"""What a name promises and what a value is: names of secrets, references, placeholders, random texts."""

from __future__ import annotations

import base64
import enum
import fnmatch
import math
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache

from assay.secretscan.words import word_list


WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
HARD, SOFT = word_list("names", "hard"), word_list("names", "soft")
VARIABLES = tuple(word_list("names", "variables"))
GLUED = tuple(sorted(word_list("names", "glued"), key=len, reverse=True))
WHOLE, IGNORED = word_list("names", "whole"), word_list("names", "ignored")
PUBLIC, PUBLIC_BEFORE_KEY = word_list("names", "public"), word_list("names", "public_before_key")
UUID_SECRET, VERDICTS = word_list("names", "uuid_secret"), word_list("names", "verdicts")
PROSE, NAMING_SECRETS = word_list("values", "prose"), word_list("values", "naming_secrets")
BESIDE_KEY = word_list("structures", "beside_key")
BESIDE_SECRET_KEY = word_list("structures", "beside_secret_key")
FACTS, FACT_ENDINGS = word_list("structures", "facts"), word_list("structures", "fact_endings")
PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3,}|-+|_+|0+|<.*>|\[.*\]|(?:your|my|insert|enter|fill|replace|change|put|set)[-_ ].*"
    r"|changeme!?|changeit|redacted.*|\(?redacted\)?|placeholder.*|.*placeholder|example.*|.*[-_.]example|dummy.*|fake.*"
    r"|sample.*|todo.*|tbd|none|null|nil|n/a|unset|undefined|empty|default|true|false|yes|no|on|off|enabled|disabled|~"
    r"|passphrase|required|optional|str|string|text|bytes|int|integer|object|any|password|passwort|contraseña|mot de passe|secret"
    r"|token|key|hidden|masked|sensitive.*|\(?sensitive value\)?|known after apply|generated|auto|random|test|foo|bar|baz",
    re.IGNORECASE,
)
REFERENCE = re.compile(
    r"\$\{|\$\(|\{\{|\{%|<%|%\(|ENC\[|!vault|vault:|ref\+|op://|secret://|secretsmanager:|arn:|projects/|file:"
    r"|aws-sm:|gcp-sm:|sops:|doppler:|env:|@Microsoft\.KeyVault|\$ANSIBLE_VAULT|-----BEGIN (?:CERTIFICATE|PUBLIC"
    r"|RSA PUBLIC|PGP MESSAGE|AGE ENCRYPTED|PGP PUBLIC)|age1[a-z0-9]{50}|ssh-(?:rsa|ed25519) AAAA|sha(?:1|256|512)[:-]"
)
# A variable as shells, templates and programs write it; `$secret:key` and `$oidc.x.y` are Argo CD's.
VARIABLE = re.compile(
    r"\$+[A-Za-z_][\w.-]*(?::[\w.-]+)?|\$__\w+(?:\{[^}]*\})?|%[A-Za-z_]\w*%|@[A-Za-z_.]+@|__[A-Z_]+__|\$\d|#\{.*\}#?|%[sdvq]|:\w+|\?"
)
PATH = re.compile(
    r"(?:/|\./|\.\./|~/|[A-Za-z]:\\)[\w./@:~\\ -]*|[\w.-]+(?:/[\w.-]+)+|[a-z][a-z0-9+.-]*://[^@\s]*"
)
CODE = re.compile(
    r"(?:var|local|module|data|each|self|this|os|env|process|config|settings|secrets|random_\w+|vault_\w+|args|opts|"
    r"params|values|github|inputs|steps|cls|req|request|ctx|cfg|conf|input)\.[A-Za-z_][\w.\[\]\"'()*-]*"
    r"|\w[\w.]*\(.*\)?;?|[\w.]+\[[^\]]*\]?"
)
# An image by its digest, written out or shortened.
IMAGE = re.compile(r"[\w.-]+(?::\d+)?(?:/[\w.-]+)*(?::[\w.-]+)?@sha256:[0-9a-f.]*")
FILLED_IN = re.compile(
    r"<[A-Za-z_][\w./:#@ -]*>|\$\{\w+(?::?\?[^}]*)?\}|\$\w[\w-]*[.:][\w.-]+|\{\{[^{}]*\}\}|(?:ref\+|vault:|op://)\S+"
)
# A version, or a range of versions.
RELEASE = re.compile(r"[\^~<>=v]*\d+(?:\.\d+)+(?:[-+][\w.]+)?")
# What stands for a variable that is not set: `${DB_PASSWORD:-..}`.
DEFAULTED = re.compile(r"\$\{(?P<key>\w+):?[-=](?P<value>[^}\n]*)\}")
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


RSA_BYTES, GCM_TAG_BYTES = (256, 384, 512, 1024), 16


class Weight(enum.IntEnum):
    """What a name promises: nothing, a secret if the value looks random, a secret."""

    NONE = 0
    SOFT = 1
    HARD = 2


@lru_cache(maxsize=65536)
def weight(name: str) -> Weight:
    """Return what the name of a field, variable, option or key promises about its value."""
    said = name_words(name)
    if not said or (said[-1] == "pass" and len(said) > 1 and said[-2] in VERDICTS):
        return Weight.NONE
    hard = any(" ".join(said[-length:]) in HARD for length in (1, 2, 3))
    if hard or any(fnmatch.fnmatchcase(name.upper(), one) for one in VARIABLES):
        return Weight.NONE if {"public", "pub"} & set(said) else Weight.HARD
    is_public_name = PUBLIC if said[-1].startswith("key") else PUBLIC - PUBLIC_BEFORE_KEY
    if said[-1] in SOFT and not is_public_name & set(said):
        return Weight.SOFT
    return Weight.NONE


def name_words(name: str) -> list[str]:
    """Return the words of a name in lower case, without endings that say nothing.

    `dbPasswordValue` is db, password; `PGPASSWORD` is pg, password; `2ndKey` is 2, nd, key.
    """
    said = [part for word in WORD.findall(name) for part in _unglued(word.lower())]
    while len(said) > 1 and (said[-1] in IGNORED or said[-1].isdigit()):
        said.pop()
    return said


def _unglued(word: str) -> list[str]:
    """Return the two words that one is made of, if its end is a word of `glued`."""
    if word in WHOLE or word in HARD or word in SOFT:
        return [word]
    end = next((one for one in GLUED if word.endswith(one) and len(word) > len(one) + 1), "")
    return [word.removesuffix(end), end] if end else [word]


def is_benign(value: str, name: str = "") -> bool:
    """Return True for what is no secret: references, placeholders, paths, public material.

    A UUID is none either, unless `name` promises a secret, token or password.
    """
    text = value.strip().strip("\"'")
    if len(text) < 3 or PLACEHOLDER.fullmatch(text) or VARIABLE.fullmatch(text) or REFERENCE.match(text):
        return True
    if BRACED.fullmatch(text) or "${" in text or "{{" in text or "$(" in text:
        return True
    if UUID.fullmatch(text):
        return weight(name) is not Weight.HARD and _last(name) not in UUID_SECRET
    known = any(one.fullmatch(text) for one in (CODE, RELEASE, IMAGE))
    return known or _path(text) or _prose(text)


def refers_elsewhere(text: str) -> bool:
    """Return True for a text that only says where a value comes from, and holds none: what a deployer fills in.

    `<path:kv/data/app#password>`, `${DB_PASSWORD}` without a default, `$oidc.sso.clientSecret`, `ref+vault://kv/app`.
    """
    return FILLED_IN.fullmatch(text.strip()) is not None


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
    parts = VARIABLE.sub("", text.rstrip(";")).split("/") if "://" in text else text.split("/")
    strong = (part for part in parts if is_strong(part, least))
    return bool(PATH.fullmatch(text)) and all("://" in text and HOST.fullmatch(part) for part in strong)


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
    return named_like(text) and bool(NAMING_SECRETS.intersection(re.split(r"[-_.]", text)))


def names_something(key: str, keys: Collection[object], parent: str = "") -> bool:
    """Return True if the value of `key` is the name of something, not a secret, by what surrounds it.

    Args:
        key: of a value in a mapping.
        keys: all keys of that mapping.
        parent: the key that the mapping stands under.
    """
    if key == "secretKey":
        return not BESIDE_SECRET_KEY.isdisjoint(keys)
    chosen = len(keys) > 1 and BESIDE_KEY.issuperset(keys)
    return key == "key" and (chosen or parent.lower().endswith("ref"))


def is_fact(key: str) -> bool:
    """Return True for a key of a Secret that holds no secret: `username`, `ca.crt`, `admin-user`."""
    last = next(reversed(name_words(key)), "")
    return key.lower() in FACTS or last in FACT_ENDINGS


def is_sealed(text: str) -> bool:
    """Return True if a text has the shape of a SealedSecret's value: an RSA-wrapped key, then ciphertext."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    wrapped = int.from_bytes(raw[:2], "big")
    return wrapped in RSA_BYTES and len(raw) > 2 + wrapped + GCM_TAG_BYTES


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
    if default := DEFAULTED.fullmatch(value.strip()):
        value = default.group("value")
    if promise is Weight.NONE or is_benign(value, name):
        return False
    text = value.strip()
    if promise is Weight.HARD:
        return len(text) >= 4 and not is_name(text) and text.lower() != name.lower()
    if UUID.fullmatch(text):
        return True  # it is benign under the other names
    return is_strong(text, 16) and not DIGEST.fullmatch(text) if _last(name) == "key" else is_strong(text)


def _last(name: str) -> str:
    said = name_words(name)
    return said[-1] if said and weight(name) is not Weight.NONE else ""
