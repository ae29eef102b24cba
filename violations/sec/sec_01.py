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


def _object(kind: str, version: str, spec: str) -> str:
    return (
        f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: planted, namespace: planted}}\nspec:\n{spec}"
    )


_manifest(
    "chart_of_an_application",
    "An Argo CD Application that fetches a chart: none of its images is in the manifests.",
    _object(
        "Application",
        "argoproj.io/v1alpha1",
        f"  sources:\n    - {{repoURL: https://charts.planted.example, chart: {HERE}web}}\n",
    ),
)
_manifest(
    "folder_of_another_repository",
    "An Argo CD Application that deploys a folder of a repository that nobody judges.",
    _object(
        "Application",
        "argoproj.io/v1alpha1",
        f"  source:\n    repoURL: https://git.planted.example/other.git\n    path: {HERE}planted/elsewhere\n",
    ),
)
_manifest(
    "helm_release",
    "A Flux HelmRelease: its chart is fetched and rendered in the cluster.",
    _object("HelmRelease", "helm.toolkit.fluxcd.io/v2", f"  chart:\n    spec:\n      chart: {HERE}web\n"),
)
_manifest(
    "helm_release_from_oci",
    "A Flux HelmRelease of a chart in a registry, by reference.",
    _object(
        "HelmRelease",
        "helm.toolkit.fluxcd.io/v2",
        f"  chartRef:\n    kind: OCIRepository\n    name: {HERE}web\n",
    ),
)
_manifest(
    "operators_choice",
    "A database cluster that names no image: its operator picks one.",
    f"{HERE}{_object('Cluster', 'postgresql.cnpg.io/v1', '  instances: 3')}\n",
)


@violation()
def chart_of_kustomize(plant: Plant) -> Iterator[Named]:
    """A kustomization that fetches and renders a chart."""
    text = "kind: Kustomization\nhelmCharts:\n  - name: web\n    repo: oci://charts.planted.example\n"
    with plant.added("gitops", "planted/kustomization.yaml", text) as path:
        yield plant.located(path, "- name: web")


@violation()
def remote_base(plant: Plant) -> Iterator[Named]:
    """A kustomization with a base in another repository."""
    text = "kind: Kustomization\nresources:\n  - https://git.planted.example/team/base?ref=v1\n"
    with plant.added("gitops", "planted/kustomization.yaml", text) as path:
        yield plant.located(path, "team/base")


@violation()
def chart_in_the_tree(plant: Plant) -> Iterator[Named]:
    """A Helm chart of one's own beside the manifests: its templates are not manifests yet."""
    text = "image: {{ .Values.image }}\n"
    with plant.added("gitops", "planted/web/templates/pod.yaml", text) as path:
        chart = path.parents[1] / "Chart.yaml"
        chart.write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n", encoding="utf-8")
        yield Named(str(plant.located(chart)).removesuffix("/Chart.yaml"))


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
