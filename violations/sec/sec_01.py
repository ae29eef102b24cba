"""SEC-01.

Images that are named by no digest, or come from anywhere, in every place where one can be named.
"""

import re
from collections.abc import Iterator

from assay.errors import GuardError
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.source_trees import line_of
from assay.proof.violation import violation


FILE = "planted/planted.yaml"
HERE, REGISTRY = "<HERE>", "<REGISTRY>"
WRONG = "<REGISTRY>/team/planted:latest"
PINNED = re.compile(r"image: (\S+)@sha256:")
DIGEST = "0123456789abcdef" * 4
ONE = "  containers:\n    - name: a\n"


def _manifest(name: str, what: str, text: str) -> None:
    """Register a violation that adds a file; the line that holds HERE must be named."""

    @violation(name=name, what=what)
    def planted(plant: Plant) -> Iterator[Named]:
        registry = plant.profile.allowlist.registries[0]
        with plant.added("gitops", FILE, text.replace(HERE, "").replace(REGISTRY, registry)) as path:
            yield Named(f"{plant.located(path)}:{line_of(text, HERE)}")


def _pod(inner: str) -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: planted, namespace: planted}}\nspec:\n{inner}"


_manifest(
    "latest_tag",
    "An image with a moving tag.",
    _pod(f"  containers:\n    - name: a\n      image: {WRONG}{HERE}\n"),
)
_manifest(
    "no_tag",
    "An image with neither tag nor digest.",
    _pod(f"{ONE}      image: {HERE}<REGISTRY>/a\n"),
)
_manifest(
    "half_a_digest",
    "An image with a tag and a digest that is too short.",
    _pod(f"{ONE}      image: {HERE}<REGISTRY>/a:v1@sha256:{DIGEST[:40]}\n"),
)
_manifest(
    "made_up_digest",
    "An image with a digest of zeros.",
    _pod(f"{ONE}      image: {HERE}<REGISTRY>/a@sha256:{'0' * 64}\n"),
)
_manifest(
    "foreign_registry",
    "An image by digest, from a registry that was not declared.",
    _pod(f"{ONE}      image: {HERE}docker.io/library/nginx@sha256:{DIGEST}\n"),
)
_manifest(
    "look_alike_registry",
    "A registry whose name begins like a declared one.",
    _pod(f"{ONE}      image: {HERE}<REGISTRY>.evil.example/a@sha256:{DIGEST}\n"),
)
_manifest(
    "init_container",
    "An image with a moving tag, in an init container.",
    _pod(f"  initContainers:\n    - name: a\n      image: {WRONG}{HERE}\n"),
)
_manifest(
    "ephemeral_container",
    "An image with a moving tag, in an ephemeral container.",
    _pod(f"  ephemeralContainers:\n    - name: a\n      image: {WRONG}{HERE}\n"),
)
_manifest(
    "image_volume",
    "An image with a moving tag, mounted as a volume.",
    _pod(f"  volumes:\n    - name: a\n      image:\n        reference: {WRONG}{HERE}\n"),
)
_manifest(
    "cron_job",
    "An image with a moving tag, in a CronJob.",
    "apiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate:\n    spec:\n"
    f"      template:\n        spec:\n          containers:\n            - image: {WRONG}{HERE}\n",
)
_manifest(
    "custom_resource",
    "An image with a moving tag, in a field of a custom resource.",
    f"apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec:\n  imageName: {WRONG}{HERE}\n",
)
_manifest(
    "operand_in_environment",
    "An image that an operator starts, named in an environment variable.",
    _pod(f"{ONE}      env:\n        - name: RELATED_IMAGE_AGENT\n          value: {WRONG}{HERE}\n"),
)
_manifest(
    "operand_in_argument",
    "An image that an operator starts, named in an argument.",
    _pod(f"{ONE}      args:\n        - --reloader={HERE}quay.io/example/reloader:v1\n"),
)
_manifest(
    "helm_values",
    "Helm values with registry, repository and tag apart.",
    f"app:\n  image:\n    repository: {HERE}<REGISTRY>/team/api\n    tag: v1.2.3\n",
)
_manifest(
    "values_of_an_application",
    "Helm values in a text of an Argo CD Application.",
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      values: |\n"
    f"        image: {WRONG}{HERE}\n",
)
_manifest(
    "helm_parameter",
    "An image tag as a Helm parameter.",
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n"
    "  source:\n    helm:\n      parameters:\n"
    f"        - name: image.tag\n          value: {HERE}v1.2.3\n",
)


@violation()
def tag_by_kustomize(plant: Plant) -> Iterator[Named]:
    """A kustomize entry that replaces the digest of a pinned image by a tag."""
    with plant.copied("gitops") as tree:
        for path in sorted(tree.rglob("kustomization.yaml")):
            beside = "".join(file.read_text(encoding="utf-8") for file in sorted(path.parent.glob("*.yaml")))
            pinned, text = PINNED.search(beside), path.read_text(encoding="utf-8")
            if pinned and "\nimages:" not in text:
                entry = f"images:\n  - name: {pinned[1]}\n    newTag: latest\n"
                path.write_text(text + entry, encoding="utf-8")
                yield plant.located(path, "newTag: latest")
                return
    raise GuardError("no kustomization with a pinned image, nothing planted", "fix the violation")
