"""How API servers know people: their flags for identity tokens, as their own pods show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from assay.probes.kube.client import Kube
from assay.probes.kube.fields import Object, mapping_at, mappings_at


SYSTEM, PROGRAM = "kube-system", "kube-apiserver"


@dataclass(frozen=True, slots=True)
class IdentityFlags:
    """The flags of one API server for identity tokens; `configured`: a file that is not shown decides."""

    issuer: str = ""
    client_id: str = ""
    username_claim: str = "sub"
    username_prefix: str = ""
    groups_claim: str = ""
    groups_prefix: str = ""
    configured: bool = False

    @property
    def user_prefix(self) -> str:
        """Return what stands before a name: without a flag the issuer, but nothing before an e-mail."""
        if self.username_prefix == "-" or (not self.username_prefix and self.username_claim == "email"):
            return ""
        return self.username_prefix or f"{self.issuer}#"

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the flags alone; nothing where a file decides."""
        if self.configured:
            return
        if not self.issuer:
            yield "knows no issuer of people's identities"
            return
        if not self.groups_claim:
            yield "takes no groups from identity tokens"
        if not self.user_prefix:
            yield "takes names from identity tokens as they are"
        if self.groups_claim and not self.groups_prefix:
            yield "takes groups from identity tokens as they are, system:masters too"


def identity_flags(kube: Kube) -> dict[str, IdentityFlags]:
    """Return address of an API server -> its flags, as far as they run as pods that the cluster shows.

    Raises:
        ProbeError: the pods of kube-system cannot be read.
    """
    by_host = {}
    for item in kube.objects("Pod", SYSTEM):
        for words in _programs(item):
            by_host[str(mapping_at(item, "status").get("hostIP", ""))] = flags_of(words)
    return {
        server: by_host[host] for server in kube.apiservers if (host := urlsplit(server).hostname) in by_host
    }


def _programs(pod: Object) -> Iterator[list[str]]:
    """Yield the command lines of API servers among a pod's containers."""
    for container in mappings_at(mapping_at(pod, "spec"), "containers"):
        words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
        if words and words[0].rpartition("/")[2] == PROGRAM:
            yield words


def flags_of(words: list[str]) -> IdentityFlags:
    """Return the flags of a command line; a flag's value stands behind `=` or is the next word."""
    given: dict[str, str] = {}
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        given[name.lstrip("-")] = value if equals else after
    return IdentityFlags(
        issuer=given.get("oidc-issuer-url", ""),
        client_id=given.get("oidc-client-id", ""),
        username_claim=given.get("oidc-username-claim", "sub"),
        username_prefix=given.get("oidc-username-prefix", ""),
        groups_claim=given.get("oidc-groups-claim", ""),
        groups_prefix=given.get("oidc-groups-prefix", ""),
        configured="authentication-config" in given,
    )
