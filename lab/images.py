"""The images of the lab's platform: recipes from built programs and a few Debian packages.

Repository names are those in the platform's manifests: nodes reach them through a mirror.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lab import ldd
from lab.layout import KUBERNETES, REGISTRY, name_of
from lab.oci import Entry, Image, Layout, Registry


ETCD = "v3.6.10"
COREDNS = "v1.14.2"
PAUSE = "3.10.1"
POLICY_CONTROLLER = "v0.15.1"
CADDY = "v2.11.9"
NOBODY = "65532:65532"
LOCAL = "usr/local/bin"
PASSWD = b"root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
GROUP = b"root:x:0:\nnobody:x:65534:\n"
DEBIAN_PROXY_TOOLS = (Path("/usr/sbin/nft"), Path("/usr/sbin/conntrack"), Path("/usr/sbin/xtables-nft-multi"))
XTABLES = tuple(f"{f}tables{s}" for f in ("ip", "ip6") for s in ("", "-save", "-restore"))
BUSYBOX = Path("/bin/busybox")
PROTOCOLS = Path("/etc/protocols")

Recipe = Callable[[Path], Image]


class MissingBinaryError(RuntimeError):
    """Files that an image is made of do not exist; the message names all of them."""


def libraries(programs: Iterable[Path]) -> list[Entry]:
    """Return the shared libraries and the loader that `programs` need, at the paths the loader searches.

    Raises:
        MissingLibraryError: a program or a library is not installed.
    """
    found = dict.fromkeys(library for program in programs for library in ldd.needed(program))
    return [Entry(str(library).lstrip("/"), 0o755, library.resolve()) for library in found]


def _program(name: str, repository: str, tag: str, user: str = "", binary: str = "") -> Recipe:
    """Return the recipe of an image that is one static program in /usr/local/bin."""

    def recipe(binaries: Path) -> Image:
        entry = Entry(f"{LOCAL}/{name}", 0o755, binaries / (binary or name))
        return Image(repository, tag, (entry, *_accounts()), (f"/{LOCAL}/{name}",), user)

    return recipe


def _accounts() -> tuple[Entry, ...]:
    return (
        Entry("etc/passwd", 0o644, data=PASSWD),
        Entry("etc/group", 0o644, data=GROUP),
        Entry("tmp", 0o1777),
        Entry("etc/nsswitch.conf", 0o644, data=b"hosts: files dns\n"),
    )


def _kube_proxy(binaries: Path) -> Image:
    """Return kube-proxy's image, with the names of protocols, which nft needs to list `tcp` instead of `6`.

    Otherwise kube-proxy takes its own rules for leftovers and deletes them, hourly and at every start.
    """
    tools = [Entry(f"usr/sbin/{p.name}", 0o755, p) for p in DEBIAN_PROXY_TOOLS]
    links = [Entry(f"usr/sbin/{name}", link="xtables-nft-multi") for name in XTABLES]
    plugins = Path("/usr/lib/x86_64-linux-gnu/xtables")
    modules = [
        Entry(str(p).lstrip("/"), 0o644, p) for p in sorted(plugins.glob("*.so")) if not p.is_symlink()
    ]
    own = Entry(f"{LOCAL}/kube-proxy", 0o755, binaries / "kube-proxy")
    names = Entry(str(PROTOCOLS).lstrip("/"), 0o644, PROTOCOLS)
    entries = (own, names, *tools, *links, *modules, *libraries(DEBIAN_PROXY_TOOLS), *_accounts())
    return Image("kube-proxy", KUBERNETES, entries, (f"/{LOCAL}/kube-proxy",))


def _kubelet(binaries: Path) -> Image:
    """Return the kubelet's image; Talos binds /run at /var/run, but containerd's socket must be in /run."""
    links = [Entry(f"bin/{name}", link="busybox") for name in ("mount", "umount", "sh")]
    entries = (
        Entry(f"{LOCAL}/kubelet", 0o755, binaries / "kubelet"),
        Entry("bin/busybox", 0o755, BUSYBOX),
        *links,
        Entry("run", link="var/run"),
        Entry("var/run"),
        Entry("usr/bin/mount", link="/bin/busybox"),
        Entry("usr/bin/umount", link="/bin/busybox"),
        Entry("etc/ssl/certs"),
        *_accounts(),
    )
    return Image("siderolabs/kubelet", KUBERNETES, entries, (f"/{LOCAL}/kubelet",))


def _pause(binaries: Path) -> Image:
    return Image("pause", PAUSE, (Entry("pause", 0o755, binaries / "pause"),), ("/pause",), "65535:65535")


def _platform(name: str, repository: str, tag: str) -> Recipe:
    return _program(name, name_of("Image", repository), tag, NOBODY)


SYSTEM: dict[str, Recipe] = {
    "kube-apiserver": _program("kube-apiserver", "kube-apiserver", KUBERNETES),
    "kube-controller-manager": _program("kube-controller-manager", "kube-controller-manager", KUBERNETES),
    "kube-scheduler": _program("kube-scheduler", "kube-scheduler", KUBERNETES),
    "kube-proxy": _kube_proxy,
    "kubelet": _kubelet,
    "etcd": _program("etcd", "etcd", ETCD),
    "coredns": _program("coredns", "coredns/coredns", COREDNS),
    "pause": _pause,
}
PLATFORM: dict[str, Recipe] = {
    "policy-controller": _platform("policy-webhook", "platform/policy-controller", POLICY_CONTROLLER),
    "gateway": _platform("caddy", "platform/gateway", CADDY),
    "public-api": _platform("public-api", "shop/public-api", "1.0.0"),
}
ALL: dict[str, Recipe] = {**SYSTEM, **PLATFORM}


def sample(binaries: Path, name: str, tag: str = "1.0.0", content: str = "") -> Image:
    """Return a sample image: a program that waits, and a file whose `content` makes its digest unique."""
    entries = (
        Entry("pause", 0o755, binaries / "pause"),
        Entry("sample", 0o644, data=f"{content or name}\n".encode()),
    )
    return Image(f"samples/{name}", tag, entries, ("/pause",), NOBODY)


def _missing(images: Iterable[Image]) -> list[str]:
    return sorted({str(e.source) for i in images for e in i.entries if e.source and not e.source.is_file()})


def build(bin: Path, work: Path, recipes: Mapping[str, Recipe], address: str = REGISTRY) -> dict[str, str]:
    """Build and push images; what the layout and the registry already hold is not built again.

    Args:
        bin: the folder of the built programs.
        work: the folder of the OCI layout.
        recipes: by image name; `ALL` are those of every lab.
        address: `host:port` of the registry.

    Returns:
        name -> `host:port/repository@sha256:<hex>`.

    Raises:
        MissingBinaryError: some files do not exist.
        PushError: the registry refused a blob or a manifest.
    """
    images = {name: recipe(bin) for name, recipe in recipes.items()}
    if gone := _missing(images.values()):
        raise MissingBinaryError(
            f"missing: {', '.join(gone)}; build the components and install the packages first"
        )
    layout, registry = Layout(work), Registry(address)
    return {name: registry.push(layout, image, layout.build(image)) for name, image in images.items()}
