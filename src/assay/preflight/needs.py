"""What a control needs of the profile before it can be judged, read from its test.

A test reaches every system through `stack`, so the attributes that it asks for say which systems those are,
and each system says here which keys it cannot do without. Nothing is declared twice, and none is forgotten.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from assay.catalogue import Case, Catalogue
from assay.config.profile import Profile
from assay.model import Tier


KUBE = ("kube.kubeconfig",)
TALOS = ("talos.config or talos.reader_config", "tools.talosctl")
VAULT = ("vault.addresses", "vault.token")
SOPS = ("sops.binary", "sops.age_key", "paths.gitops")
S3 = ("s3.endpoint", "s3.reader_key", "s3.buckets")
SQL = ("sql.host", "sql.dbname", "sql.user", "sql.password")
RESTORE = ("escrow.folder", "paths.runbook", *KUBE, *S3)
# Attribute of `stack` that a test asks for -> keys of the profile that it cannot do without.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "kube": KUBE,
    "decoy": KUBE,
    "talos": (*TALOS, *KUBE),
    "etcd": (),  # asked beside Talos, where the profile has a certificate for it
    "vault": VAULT,
    "vault_files": ("platform.vault.config or paths.plan or paths.state or paths.gitops",),
    "http": ("api.url",),
    "transactions": ("api.url", *SQL),
    "load": ("api.url", "api.paths"),
    "drill": ("drill.launcher", *KUBE),
    "drills": RESTORE,
    "restored": RESTORE,
    "restores": ("drill.allowed_signers",),
    "lock_trials": S3,
    "rotation": ("drill.launcher", "escrow.folder", *KUBE, *VAULT),
    "s3": S3,
    "hcl": ("paths.infra",),
    "declared": (
        "paths.infra or paths.plan or paths.state or paths.machineconfigs or paths.talos or paths.gitops",
    ),
    "rendered_if_any": (),  # used where the profile gives them
    "rendered": ("paths.machineconfigs or paths.state or paths.plan",),
    "runbook": ("paths.runbook",),
    "manifests": ("paths.gitops",),
    "repositories": ("paths.repositories",),
    "secret_scans": ("paths.repositories", "tools.gitleaks"),
    "sops": SOPS,
    "origins": (*KUBE, *VAULT, *SOPS),
    "sql": SQL,
    "samples": ("samples.signed",),
    "restorable": ("escrow.folder", "tools.age", "tools.etcdutl", "tools.openssl", *S3),
    "points": ("escrow.folder", "tools.age", "tools.etcdutl", *S3),
    "restore_keys": ("escrow.folder", "tools.age", "tools.openssl", *S3),
    "people": ("oidc.issuer", "oidc.client_id"),
}
# Attribute of the stack's paths that looks into a tree -> the tree.
WITHIN = {"in_gitops": "gitops"}
OR = " or "  # between keys of which one is enough
# Length of `profile.section.key`.
SECTION_AND_KEY = 3
# Names that say nothing of the platform by themselves.
NEUTRAL = frozenset({"platform", "profile", "paths", "due", "plan", "state", "if_allowed", "planted"})
# Sources that a judgement uses where the profile gives them, and does without otherwise.
OPTIONAL = frozenset({"paths.plan", "paths.state", "etcd.endpoints", "oidc.issuer", "oidc.client_id"})


@dataclass(frozen=True, slots=True)
class Needs:
    """What one case of a control needs.

    Attributes:
        control: its id.
        tier: the tier of the case.
        systems: attributes of `stack` that the test asks for.
        keys: keys of the profile, `section.key`.
        numbers: metrics that neither specification nor suite has a number for.
    """

    control: str
    tier: Tier
    systems: frozenset[str]
    keys: frozenset[str]
    numbers: frozenset[str]

    def missing(self, profile: Profile) -> list[str]:
        """Return the keys and numbers that the profile does not give, keys first, each once."""
        keys = lacking(profile, self.keys)
        given = profile.override(self.control).numbers
        numbers = sorted(f'controls."{self.control}".{one}' for one in self.numbers if one not in given)
        return [*keys, *numbers]


def needs_of(catalogue: Catalogue) -> list[Needs]:
    """Return what each case of the catalogue needs, in the catalogue's order."""
    return [_needs(case, catalogue) for case in catalogue.cases]


def lacking(profile: Profile, keys: Iterable[str]) -> list[str]:
    """Return those of `keys`, sorted, that the profile does not give; of `one or other` either is enough."""
    return sorted(key for key in keys if not any(value_at(profile, one) for one in key.split(OR)))


def value_at(profile: Profile, dotted: str) -> object:
    """Return the profile's value at `section.key` or `section.sub.key`, None where there is no such key."""
    value: object = profile
    for name in dotted.removeprefix("stack.").split("."):
        value = getattr(value, name, None)
    return value


def _needs(case: Case, catalogue: Catalogue) -> Needs:
    tree = ast.parse(case.path.read_text(encoding="utf-8"))
    function = next(
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == case.function
    )
    asked = _asked(function)
    systems = {chain[0] for chain in asked} & ATTRIBUTES.keys()
    keys = {key for name in systems for key in ATTRIBUTES[name]}
    paths = {chain[1] for chain in asked if chain[0] == "paths" and len(chain) > 1} - {"declared"}
    keys |= {f"paths.{WITHIN.get(one, one)}" for one in paths}
    keys |= {
        ".".join(chain[1:]) for chain in asked if chain[0] == "profile" and len(chain) == SECTION_AND_KEY
    }
    keys |= {"stack.cluster_uid"} if ("profile", "cluster_uid") in asked else set()
    keys = (keys | set(_named_keys(function))) - OPTIONAL
    open_numbers = {one.metric for one in catalogue.controls[case.control].limits if one.value is None}
    numbers = open_numbers & set(_first_words(function, "limit"))
    return Needs(case.control, case.tier, frozenset(systems), frozenset(keys), frozenset(numbers))


def _asked(function: ast.FunctionDef) -> set[tuple[str, ...]]:
    """Return every chain of attributes that is asked of `stack`: ("profile", "allowlist", "admin")."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(function):
        chain: list[str] = []
        inner: ast.expr | ast.AST = node
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner.attr)
            inner = inner.value
        if chain and isinstance(inner, ast.Name) and inner.id == "stack":
            found.add(tuple(chain))
    return found


def _named_keys(function: ast.FunctionDef) -> Iterator[str]:
    yield from _first_words(function, "need_text")
    yield from _first_words(function, "need_path")


def _first_words(function: ast.FunctionDef, method: str) -> Iterator[str]:
    """Yield the first argument of each call of a method, where it is a literal text."""
    for node in ast.walk(function):
        called = (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
        )
        if isinstance(node, ast.Call) and called and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
