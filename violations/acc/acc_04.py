"""ACC-04: Secrets that come from nowhere, Secrets that only look kept, and secrets where no Secret is.

In the cluster, in the machines' own configuration, in Terraform's files.
"""

import base64
import gzip
import json
import secrets
import zlib
from collections.abc import Callable, Iterator

from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.targets import EXTERNAL
from assay.proof.violation import violation


SPACE = "assay-planted"
FORGED = {
    "labels": {"reconcile.external-secrets.io/managed": "true"},
    "annotations": {"reconcile.external-secrets.io/data-hash": "5084766c232ee532f2322e0b5fdd58d131baaacf"},
}


ASKS = {"annotations": {"cert-manager.io/cluster-issuer": "public"}}


def _value() -> str:
    return f"k{secrets.token_urlsafe(20)}7aQ"  # what begins with a hyphen is an option, not its value


def _short() -> str:
    return f"Summer{secrets.randbelow(9000) + 1000}!"


def _canary(plant: Plant) -> tuple[str, str]:
    """Return a property of the rotated login in Vault and its value, which a Secret of the platform holds."""
    with plant.vault.root() as vault:
        path = f"{plant.profile.vault.mount}/data/{plant.profile.platform.rotation.canary_path}"
        found = vault.need("get", path)["data"]["data"]
    return max(((str(key), str(value)) for key, value in found.items()), key=lambda one: len(one[1]))


def _coded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _settings() -> str:
    return f'[db]\nport = 5\nsmtppass = "{_value()}"\n'


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _object(kind: str, name: str, more: Manifest, meta: Manifest | None = None) -> Manifest:
    about = {**(meta or {}), "namespace": SPACE, "name": name}
    return {"apiVersion": "v1", "kind": kind, "metadata": about, **more}


def _applied(name: str, what: str, make: Callable[[], Manifest]) -> None:
    """Register a violation that applies one object, which is named."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.apply(make()) as ref:
            yield ref


def _in_pod(name: str, what: str, make: Callable[[], Manifest]) -> None:
    """Register a violation that starts a pod whose only container is made so."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.pod(f"{SPACE}/{name.replace('_', '-')}", container=make()) as ref:
            yield ref


def _external(name: str, what: str, spec: Manifest, target: Manifest | None = None) -> None:
    """Register a violation that has the operator make a Secret from the canary, which is then named."""
    secret = f"planted-{name.replace('_', '-')}"

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        canary = plant.targets.canary()
        space, source = canary["metadata"]["namespace"], plant.profile.platform.rotation.canary_path
        entry = {"key": source, "property": _canary(plant)[0]}
        body = {
            "apiVersion": EXTERNAL,
            "kind": "ExternalSecret",
            "metadata": {"namespace": space, "name": secret},
            "spec": {
                "refreshInterval": "10s",
                "secretStoreRef": canary["spec"]["secretStoreRef"],
                "target": {"name": secret, "creationPolicy": "Owner", **(target or {})},
                "data": [{"secretKey": "value", "remoteRef": entry}],
                **spec,
            },
        }
        with plant.apply(body):
            plant.await_object("v1", "Secret", space, secret, ready=lambda found: bool(found.get("data")))
            yield Named(f"Secret {space}/{secret}")


def _renamed(name: str, what: str, pattern: str) -> None:
    """Register a violation in which the first manifest that matches takes a Secret that nobody declares."""

    @violation(name=name, what=what, tier="static")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.substituted("gitops", pattern, r"\1handmade-\2", "*.yaml") as path:
            yield plant.located(path, "handmade-")


@violation(tier="live")
def foreign_key(plant: Plant) -> Iterator[Named]:
    """A key added by hand to a Secret that comes from Git."""
    secret = plant.targets.encrypted_secret()
    with plant.patched(*secret.key[1:], {"data": {"mine": _coded(_value())}}) as ref:
        yield ref


@violation(tier="live")
def copied_value(plant: Plant) -> Iterator[Named]:
    """A value of Vault copied into a ConfigMap, under a key that does not look secret."""
    with plant.apply(
        _object("ConfigMap", "notes", {"data": {"note": f"for later: {_canary(plant)[1]} (old)"}})
    ) as ref:
        yield ref


@violation(tier="live")
def copied_in_base64(plant: Plant) -> Iterator[Named]:
    """A value of Vault, in base64, in the middle of an annotation."""
    meta = {"annotations": {"example.com/note": f"see {_coded(_canary(plant)[1])} there"}}
    with plant.apply(_object("ConfigMap", "annotated", {"data": {}}, meta)) as ref:
        yield ref


@violation(tier="live")
def applied_secret(plant: Plant) -> Iterator[Named]:
    """Kubectl's own copy of a Secret, in an annotation of another Secret."""
    copy = json.dumps({"kind": "Secret", "stringData": {"password": _value()}})
    meta = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": copy}}
    secret = plant.targets.encrypted_secret()
    with plant.patched(*secret.key[1:], {"metadata": meta}) as ref:
        yield ref


@violation(tier="live")
def asked_for_by_a_controller(plant: Plant) -> Iterator[Named]:
    """A Secret that an Ingress asks cert-manager for, made by hand before cert-manager could."""
    rule = {"hosts": ["planted.example"], "secretName": "planted-tls"}
    backend = {"service": {"name": "none", "port": {"number": 80}}}
    asked = _object("Ingress", "planted", {"spec": {"tls": [rule], "defaultBackend": backend}}, ASKS)
    made = _object("Secret", "planted-tls", {"stringData": {"tls.key": _value()}})
    with plant.apply({**asked, "apiVersion": "networking.k8s.io/v1"}), plant.apply(made) as ref:
        yield ref


@violation(tier="live")
def compressed_copy(plant: Plant) -> Iterator[Named]:
    """A value of Vault in a compressed file, in the binaryData of a ConfigMap."""
    text = f"# kept for later\nline: {_canary(plant)} (old)\n"
    packed = base64.b64encode(gzip.compress(text.encode())).decode()
    with plant.apply(_object("ConfigMap", "packed", {"binaryData": {"notes.gz": packed}})) as ref:
        yield ref


def _machine(name: str, what: str, make: Callable[[], Manifest]) -> None:
    """Register a violation that patches the configuration of a worker, live; the machine is named."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        machine = list(plant.profile.talos.workers)[-1]
        with plant.talos_api.patched(machine, make()):
            yield Named(f"Machine {machine}")


def _login() -> Manifest:
    auth = {"username": "ci", "password": _value()}
    return {"machine": {"registries": {"config": {"registry.planted.example": {"auth": auth}}}}}


def _annotated() -> Manifest:
    text = f"postgres://app:{_value()}@db:5432/app"
    return {"machine": {"nodeAnnotations": {"assay.dev/planted": text}}}


def _in_file(name: str, what: str, tree: str, ref: str | int, make: Callable[[], str], file: str) -> None:
    """Register a violation that adds a file beside those of Terraform; `ref` is named, or its line `ref`."""

    @violation(name=name, what=what, tier="static")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.added(tree, file, make()) as path:
            yield plant.located(path, ref) if isinstance(ref, int) else Named(ref)


@violation(tier="static")
def sensitive_variable(plant: Plant) -> Iterator[Named]:
    """A variables file sets a variable that Terraform treats as sensitive and whose name does not show it."""
    declared = 'variable "pin" {\n  type      = string\n  sensitive = true\n}\n'
    with plant.added("infra", "planted.tf", declared), plant.added(
        "infra", "planted.tfvars", f'size = 3\npin  = "{_short()}"\n'
    ) as path:  # fmt: skip
        yield plant.located(path, 2)


def _state() -> str:
    attributes = {"id": "none", "length": 20, "result": _value()}
    made = {"mode": "managed", "type": "random_password", "name": "planted"}
    return json.dumps(
        {"version": 4, "outputs": {}, "resources": [{**made, "instances": [{"attributes": attributes}]}]}
    )


def _plan() -> str:
    """Return a plan in which only Terraform's own mark says that a value is secret."""
    about = {"address": "vendor_thing.planted", "mode": "managed", "type": "vendor_thing", "name": "planted"}
    values = {"line": _value()}
    change = {"actions": ["create"], "before": None, "after": values, "after_unknown": {}}
    return json.dumps(
        {
            "format_version": "1.2",
            "planned_values": {"root_module": {"resources": [{**about, "values": values}]}},
            "resource_changes": [{**about, "change": {**change, "after_sensitive": {"line": True}}}],
        }
    )


def _record() -> str:
    """Return Helm's record of a release, as a driver keeps it: gzip in base64."""
    record = {
        "name": "db", "version": 1, "config": {"auth": {"password": _value()}},
        "chart": {"metadata": {"name": "db"}, "values": {}}, "manifest": "",
    }  # fmt: skip
    return base64.b64encode(gzip.compress(json.dumps(record).encode())).decode()


def _event() -> Manifest:
    about = {"involvedObject": {"kind": "Pod", "namespace": SPACE, "name": "planted"}, "type": "Normal"}
    return _object("Event", "told", {**about, "reason": "Started", "message": f"--db-password={_value()}"})


def _last_applied() -> Manifest:
    data = {"password": _coded(_value())}
    copy = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": data})
    meta = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": copy}}
    return _object("ServiceAccount", "applied", {}, meta)


_renamed(
    "undeclared_volume",
    "A pod mounts a Secret that no manifest declares.",
    r"(secretName: )([\w.-]+)",
)
_renamed(
    "undeclared_variable",
    "An environment variable comes from a Secret that no manifest declares.",
    r"(secretKeyRef: ?\{?\s*name: )([\w.-]+)",
)
_applied(
    "by_hand",
    "A Secret made by hand.",
    lambda: _object("Secret", "by-hand", {"stringData": {"password": _value()}}),
)
_applied(
    "forged_marks",
    "A Secret made by hand, with the label and annotation of the secrets operator.",
    lambda: _object("Secret", "forged", {"stringData": {"password": _value()}}, FORGED),
)
_applied(
    "helm_release",
    "A Helm release record in a Secret, whose values hold a password.",
    lambda: _object(
        "Secret",
        "sh.helm.release.v1.db.v1",
        {
            "type": "helm.sh/release.v1",
            "stringData": {"release": _record()},
        },
    ),
)
_applied(
    "helm_config_map",
    "A Helm release record in a ConfigMap, whose values hold a password.",
    lambda: _object("ConfigMap", "sh.helm.release.v1.db.v1", {"data": {"release": _record()}}),
)
_external(
    "never_refreshed", "An ExternalSecret that is synced once and never again.", {"refreshInterval": "0s"}
)
_external(
    "text_of_its_own",
    "The template of an ExternalSecret adds a password that is not in Vault.",
    {},
    {"template": {"engineVersion": "v2", "data": {"conf": "user={{ .value }} pass=Xy7-kQ93vLmZ0pWt"}}},
)
_in_pod(
    "literal_variable",
    "A password as the literal value of an environment variable.",
    lambda: {"env": [{"name": "DB_PASSWORD", "value": _value()}]},
)
_in_pod(
    "argument", "A password in an argument of a container.", lambda: {"args": [f"--db-password={_value()}"]}
)
_applied(
    "config_map",
    "A token in a ConfigMap, under a key that does not look secret.",
    lambda: _object("ConfigMap", "settings", {"data": {"line": f"hvs.{secrets.token_urlsafe(24)}9Zb"}}),
)
_applied(
    "in_a_file_of_a_config_map",
    "A password in one line of a configuration file in a ConfigMap.",
    lambda: _object("ConfigMap", "file", {"data": {"app.conf": f"host=db\npassword={_value()}\n"}}),
)
_in_pod(
    "variable_of_a_tool",
    "A password in the environment variable that libpq reads, whose name is a single word.",
    lambda: {"env": [{"name": "PGPASSWORD", "value": _value()}]},
)
_applied(
    "compressed_settings",
    "A password in TOML, compressed with zlib and encoded in base64, under a key that does not look secret.",
    lambda: _object("ConfigMap", "blob", {"data": {"state": _packed(_settings())}}),
)
_applied(
    "release_with_a_key_of_its_own",
    "A Secret made by hand that looks like a Helm release record, with a password beside the record.",
    lambda: _object(
        "Secret",
        "sh.helm.release.v1.own.v1",
        {"type": "helm.sh/release.v1", "stringData": {"password": _value()}},
    ),
)
_applied(
    "last_applied", "kubectl's own copy of a Secret, in an annotation of a ServiceAccount.", _last_applied
)
_applied("event", "A password in the message of an event.", _event)
_in_pod(
    "two_arguments",
    "A password as the argument that follows its option.",
    lambda: {"args": ["--db-password", _value()]},
)
_external(
    "short_text_of_its_own",
    "The template of an ExternalSecret adds a short password beside the one from Vault.",
    {},
    {"template": {"engineVersion": "v2", "data": {"conf": f"a:{{{{ .value }}}}:{_short()}"}}},
)
_machine(
    "secret_of_another_cluster",
    "A machine whose cluster secret is not that of the secrets bundle.",
    lambda: {"cluster": {"secret": base64.b64encode(secrets.token_bytes(32)).decode()}},
)
_machine(
    "registry_login",
    "A machine that logs in to a registry with a password from neither Vault nor SOPS.",
    _login,
)
_machine("machine_annotation", "A password in free text of a machine's configuration.", _annotated)
_in_file(
    "terraform_literal",
    "A password as a literal in Terraform's sources.",
    "infra",
    2,
    lambda: f'locals {{\n  db_password = "{_value()}"\n}}\n',
    "planted.tf",
)
_in_file(
    "plan",
    "A value that a Terraform plan marks as sensitive.",
    "plan",
    "vendor_thing.planted",
    _plan,
    "planted.json",
)
_in_file(
    "state",
    "A generated password in a Terraform state.",
    "state",
    "random_password.planted",
    _state,
    "planted.tfstate",
)
