"""SEC-22: rules with a gap, with strangers, with other keys; files that do not follow their rule."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.sops_sample import encrypted_sample
from assay.proof.violation import violation


STRANGER = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
FILE = "apps/planted.sops.yaml"
RULES = ".sops.yaml"
FIELD = "    encrypted_regex: ^(data|stringData|binaryData)$\n"


@contextmanager
def rule(plant: Plant, new: str) -> Iterator[Named]:
    """The options of the rule for manifests became `new`; named by its line."""
    with plant.edited("gitops", RULES, FIELD, new) as path:
        yield plant.located(path, "  - path_regex: (^|/)[^/]+\\.sops\\.ya?ml$")


@violation()
def path_without_rule(plant: Plant) -> Iterator[Named]:
    """An encrypted file whose name no rule knows."""
    with plant.added("gitops", "apps/planted.enc.yaml", encrypted_sample(plant)):
        yield Named("File gitops/apps/planted.enc.yaml")


@violation()
def stranger_in_the_rule(plant: Plant) -> Iterator[Named]:
    """A recipient nobody declared, beside the declared ones."""
    own = ",".join(plant.profile.sops.recipients)
    with rule(plant, f"{FIELD}    age: {own},{STRANGER}\n") as ref:
        yield ref


@violation()
def declared_one_left_out(plant: Plant) -> Iterator[Named]:
    """The rule encrypts to somebody else only."""
    with rule(plant, f"{FIELD}    age: {STRANGER}\n") as ref:
        yield ref


@violation()
def stranger_in_the_file(plant: Plant) -> Iterator[Named]:
    """A leaver's key is still in a file: updatekeys was not run."""
    block = (
        f"        - recipient: {STRANGER}\n          enc: |\n"
        "            -----BEGIN AGE ENCRYPTED FILE-----\n            -----END AGE ENCRYPTED FILE-----\n"
    )
    with plant.added("gitops", FILE, encrypted_sample(plant).replace("    age:\n", f"    age:\n{block}")):
        yield Named(f"File gitops/{FILE}")


@violation()
def file_of_somebody_else(plant: Plant) -> Iterator[Named]:
    """A file that only a stranger can open."""
    text = encrypted_sample(plant)
    for own in plant.profile.sops.recipients:
        text = text.replace(own, STRANGER)
    with plant.added("gitops", FILE, text):
        yield Named(f"File gitops/{FILE}")


@violation()
def pgp_beside_age(plant: Plant) -> Iterator[Named]:
    """A PGP key where age is claimed."""
    with rule(plant, f"{FIELD}    pgp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n") as ref:
        yield ref


@violation()
def key_management_beside_age(plant: Plant) -> Iterator[Named]:
    """A cloud's key where age is claimed, inside of a key group."""
    key = "{arn: 'arn:aws:kms:eu-central-1:1:key/x'}"
    groups = f"    key_groups:\n      - age: [{STRANGER}]\n        kms: [{key}]\n"
    with rule(plant, FIELD + groups) as ref:
        yield ref


@violation()
def threshold(plant: Plant) -> Iterator[Named]:
    """A threshold of one makes two key groups an either-or."""
    own = ", ".join(plant.profile.sops.recipients)
    groups = f"    shamir_threshold: 1\n    key_groups:\n      - age: [{own}]\n      - age: [{STRANGER}]\n"
    with rule(plant, FIELD + groups) as ref:
        yield ref


@violation()
def narrow_regex(plant: Plant) -> Iterator[Named]:
    """`data` stays in clear."""
    with rule(plant, "    encrypted_regex: ^stringData$\n") as ref:
        yield ref


@violation()
def clear_by_suffix(plant: Plant) -> Iterator[Named]:
    """A name decides that a value stays in clear."""
    with rule(plant, "    unencrypted_suffix: _plain\n") as ref:
        yield ref


@violation()
def catch_all_first(plant: Plant) -> Iterator[Named]:
    """A rule for everything stands first: the rules after it never count."""
    with plant.edited("gitops", RULES, "creation_rules:\n", "creation_rules:\n  - path_regex: ''\n") as path:
        yield plant.located(path, "  - path_regex: ''")


@violation()
def rule_lost(plant: Plant) -> Iterator[Named]:
    """Git no longer has a rule that is in force."""
    old = "  - path_regex: (^|/)[^/]+\\.sops\\.(json|env|ini|txt)$\n"
    with plant.edited("gitops", RULES, old, ""):
        yield Named(f"File gitops/{RULES}")
