"""What a name promises and what a value is: UUIDs, names with numbers. Offline."""

from __future__ import annotations

import base64

import pytest

from assay.secretscan.naming import (
    HARD,
    SOFT,
    Weight,
    is_fact,
    is_sealed,
    is_strong,
    looks_like_secret,
    name_words,
    named_like,
    weight,
)
from assay.secretscan.text import TELLING, looks_secret, secrets_in_text


# Made at run time, so that no file of this repository holds one.
W = base64.b64encode(bytes(range(90, 103))).decode().strip("=")


@pytest.mark.parametrize(("name", "found"), [
    ("VAULT_SECRET_ID", True), ("password", True), ("CONSUL_HTTP_TOKEN", True), ("token", True),
    ("uid", False), ("client_id", False), ("key", False), ("credentials", False), ("requestToken", False),
])  # fmt: skip
def test_a_uuid_is_a_secret_under_a_name_that_says_so(name: str, found: bool) -> None:
    text = "0b87ff3c-3dd1-4a5c-9a3a-2f6a1b1c2d3e"
    assert looks_like_secret(name, text) == found
    assert bool(looks_secret("line", f"postgres://shop:{text}@db/app"))


@pytest.mark.parametrize("name", ["gcp-sa-key-2024.json", "argocd-eu1-cluster", "s3.eu-central-1.aws.com"])
def test_a_name_with_numbers_is_a_name(name: str) -> None:
    assert not is_strong(name)
    assert not looks_like_secret("key", name)


@pytest.mark.parametrize("text", ["ab1-cd2-ef3-gh4", "abcdef.0123456789abcdef", "kq93vlmz-0pwt"])
def test_a_random_text_with_hyphens_is_no_name(text: str) -> None:
    assert not named_like(text)


@pytest.mark.parametrize(("name", "words"), [
    ("PGPASSWORD", ["pg", "password"]), ("dbPasswordValue", ["db", "password"]), ("rootpw", ["root", "pw"]),
    ("smtppass", ["smtp", "pass"]), ("BYPASS", ["bypass"]), ("apikey", ["api", "key"]), ("token", ["token"]),
    ("DB_PASSWORD_2", ["db", "password"]), ("monkey", ["monkey"]), ("spassword", ["spassword"]),
])  # fmt: skip
def test_a_name_is_read_as_words(name: str, words: list[str]) -> None:
    assert name_words(name) == words


@pytest.mark.parametrize("name", [
    "PGPASSWORD", "MYSQL_PWD", "SSHPASS", "RESTIC_PASSWORD", "BORG_PASSPHRASE", "RCLONE_CONFIG_PASS", "KOPIA_PASSWORD",
    "LDAP_BIND_PW", "ldapbindpw", "requirepass", "masterauth", "REDISCLI_AUTH", "AWS_SECRET_ACCESS_KEY", "DBPASSWD",
    "SECRET_KEY_BASE", "RABBITMQ_ERLANG_COOKIE", "TF_TOKEN_app_example_com", "CONSUL_HTTP_TOKEN", "postgresqlPassword",
    "OPENAI_APIKEY", "clientsecret", "AUTHTOKEN", "secretboxEncryptionSecret", "motDePasse_mdp", "db.contrasena",
])  # fmt: skip
def test_a_name_that_a_tool_defines_promises_a_secret(name: str) -> None:
    assert weight(name) is Weight.HARD


@pytest.mark.parametrize("name", [
    "BYPASS", "compass", "PGPASSFILE", "GIT_ASKPASS", "public_key", "cacheKey", "continueToken", "publickey", "monkey",
    "PASSWORD_FILE", "keyboard", "tokenizer", "author", "must_pass", "OLDPWD", "sshKey", "partitionkey",
])  # fmt: skip
def test_a_name_that_only_sounds_so_promises_nothing(name: str) -> None:
    assert weight(name) is Weight.NONE


def test_every_name_that_promises_a_secret_is_seen_by_the_first_look() -> None:
    assert [one for one in HARD | SOFT if not any(sign in one for sign in TELLING)] == []


@pytest.mark.parametrize("value", [
    "${DB_PASSWORD}", "${DB_PASSWORD:?the password is required}", "${DB_PASSWORD:-unset}", "$oidc.sso.clientSecret",
    "$argocd-sso:oidc.clientSecret", "$__file{/etc/secrets/x}", "^4.0.0", "<path:kv/data/shop#password>", "%s",
])  # fmt: skip
def test_a_reference_is_not_a_secret(value: str) -> None:
    assert not looks_secret("password", value)
    assert not secrets_in_text("app.env", f"DB_PASSWORD={value}\n")


def test_the_default_of_a_variable_is_a_value() -> None:
    assert looks_secret("password", f"${{DB_PASSWORD:-{W}}}")
    assert secrets_in_text("run.sh", f"psql -h ${{DB_PASSWORD:={W}}}\n")
    assert not secrets_in_text("run.sh", "X_APIKEY=${X_APIKEY:-unset}\n: ${APP_APIKEY:?API key required}\n")


@pytest.mark.parametrize(("key", "fact"), [
    ("username", True), ("admin-user", True), ("smtpHost", True), ("ca.crt", True), ("password", False), ("url2", False),
])  # fmt: skip
def test_a_key_of_a_secret_that_holds_none(key: str, fact: bool) -> None:
    assert is_fact(key) is fact


def test_the_value_of_a_sealed_secret_is_known_by_its_shape() -> None:
    sealed = base64.b64encode((512).to_bytes(2, "big") + bytes(range(256)) * 2 + b"x" * 40).decode()
    assert is_sealed(sealed)
    assert not is_sealed(base64.b64encode(W.encode()).decode())
    text = "kind: SealedSecret\nspec:\n  encryptedData:\n    password: {}\n"
    assert not secrets_in_text("s.yaml", text.format(sealed))
    assert secrets_in_text("s.yaml", text.format(f"{W}"))


@pytest.mark.parametrize(("path", "text"), [
    (".env", "GITEA_TOKEN=0a1b2c3d4e5f60718293a4b5c6d7e8f901234567\n"), ("Dockerfile", f"ARG NPM_TOKEN={W}ab\n"),
    ("Makefile", f"export AWS_SECRET_ACCESS_KEY := {W}abcd\n"), ("credentials", f"aws_secret_access_key = {W}\n"),
    ("unit.conf", f"Environment=X_PASSWORD={W}\n"), ("make.sh", f"kubectl create x --from-literal=password={W}\n"),
    ("kustomization.yaml", f"secretGenerator:\n- name: s\n  literals:\n  - password={W}\n"),
    ("main.tf", f"resource x y {{\n  user_data = <<-EOT\n    export DB_PASSWORD={W}\n  EOT\n}}\n"),
    ("flake.nix", f'{{ adminPassword = "{W}"; }}\n'), ("redis.conf", f"maxmemory 64mb\nrequirepass {W}\n"),
    ("dump.sh", f"PGPASSWORD={W} pg_dump shop\n"),
])  # fmt: skip
def test_a_secret_is_found_in_every_kind_of_file(path: str, text: str) -> None:
    assert secrets_in_text(path, text)


@pytest.mark.parametrize(("path", "text"), [
    ("es.yaml", "kind: ExternalSecret\nspec:\n  data:\n  - secretKey: MQTT2_CONFIG_USER1\n    remoteRef: {key: shop/mqtt1}\n"),
    ("c.yaml", "api_key: !env_var SONARR_API_KEY_2\n"), ("package.json", '{"registry-auth-token": "^4.0.0"}\n'),
    ("README", "The password: ask the on-call engineer for it.\n"), ("x.sh", 'printf "become_pass: %s" "$1"\n'),
    ("g.ini", "client_secret = $__file{/etc/secrets/client2}\n"),
])  # fmt: skip
def test_a_name_of_something_is_not_a_secret(path: str, text: str) -> None:
    assert not secrets_in_text(path, text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("proxy_pass  http://logs-read.monitoring.svc.cluster.local:3100$request_uri;", False),
        ("proxy_pass  http://backend-2.internal.example.com:8080;", False),
        ("proxy_pass = Xk3-9pQzL7vRt2Wb", True),
        ("api_password = https://hooks.example.com/T02/Xk39pQzL7vRt2WbYh4Nd", True),
    ],
)
def test_an_address_that_requests_are_passed_to_is_no_secret(line: str, found: bool) -> None:
    assert bool(secrets_in_text("nginx.conf", f"{line}\n")) is found
