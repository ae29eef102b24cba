"""SEC-22: rules with gaps, undeclared recipients or other keys; files that do not follow their rule."""

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
    """An encrypted file whose path matches no rule."""
    with plant.added("gitops", "apps/planted.enc.yaml", encrypted_sample(plant)) as path:
        yield plant.located(path)


@violation()
def stranger_in_the_rule(plant: Plant) -> Iterator[Named]:
    """A rule with a recipient that was not declared, beside the declared ones."""
    own = ",".join(plant.profile.sops.recipients)
    with rule(plant, f"{FIELD}    age: {own},{STRANGER}\n") as ref:
        yield ref


@violation()
def declared_one_left_out(plant: Plant) -> Iterator[Named]:
    """A rule that encrypts only to a recipient that was not declared."""
    with rule(plant, f"{FIELD}    age: {STRANGER}\n") as ref:
        yield ref


@violation()
def stranger_in_the_file(plant: Plant) -> Iterator[Named]:
    """A file that a former recipient can still decrypt: updatekeys was not run."""
    block = (
        f"        - recipient: {STRANGER}\n          enc: |\n"
        "            -----BEGIN AGE ENCRYPTED FILE-----\n            -----END AGE ENCRYPTED FILE-----\n"
    )
    with plant.added(
        "gitops", FILE, encrypted_sample(plant).replace("    age:\n", f"    age:\n{block}")
    ) as path:
        yield plant.located(path)


@violation()
def file_of_somebody_else(plant: Plant) -> Iterator[Named]:
    """A file that only an undeclared recipient can decrypt."""
    text = encrypted_sample(plant)
    for own in plant.profile.sops.recipients:
        text = text.replace(own, STRANGER)
    with plant.added("gitops", FILE, text) as path:
        yield plant.located(path)


@violation()
def pgp_beside_age(plant: Plant) -> Iterator[Named]:
    """A rule with a PGP key beside age."""
    with rule(plant, f"{FIELD}    pgp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n") as ref:
        yield ref


@violation()
def key_management_beside_age(plant: Plant) -> Iterator[Named]:
    """A rule with a cloud KMS key beside age, in a key group."""
    key = "{arn: 'arn:aws:kms:eu-central-1:1:key/x'}"
    groups = f"    key_groups:\n      - age: [{STRANGER}]\n        kms: [{key}]\n"
    with rule(plant, FIELD + groups) as ref:
        yield ref


@violation()
def threshold(plant: Plant) -> Iterator[Named]:
    """A Shamir threshold of one: either of two key groups is enough."""
    own = ", ".join(plant.profile.sops.recipients)
    groups = f"    shamir_threshold: 1\n    key_groups:\n      - age: [{own}]\n      - age: [{STRANGER}]\n"
    with rule(plant, FIELD + groups) as ref:
        yield ref


@violation()
def narrow_regex(plant: Plant) -> Iterator[Named]:
    """A rule that leaves `data` in clear."""
    with rule(plant, "    encrypted_regex: ^stringData$\n") as ref:
        yield ref


@violation()
def clear_by_suffix(plant: Plant) -> Iterator[Named]:
    """A rule that leaves values in clear by the suffix of their key."""
    with rule(plant, "    unencrypted_suffix: _plain\n") as ref:
        yield ref


@violation()
def catch_all_first(plant: Plant) -> Iterator[Named]:
    """A rule that matches everything stands first, so the others never apply."""
    with plant.edited("gitops", RULES, "creation_rules:\n", "creation_rules:\n  - path_regex: ''\n") as path:
        yield plant.located(path, "  - path_regex: ''")


@violation()
def rule_lost(plant: Plant) -> Iterator[Named]:
    """A rule that is in force is missing in Git."""
    old = "  - path_regex: (^|/)[^/]+\\.sops\\.(json|env|ini|txt)$\n"
    with plant.edited("gitops", RULES, old, "") as path:
        yield plant.located(path)
