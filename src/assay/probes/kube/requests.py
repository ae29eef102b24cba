"""What a request to the Kubernetes API is, in the words of its audit log: verb, resource, effect."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from assay.effect import Effect
from assay.probes.guard import Guard, Request


VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "HEAD": "get"}
# The API server answers these and keeps nothing: they count as reads.
REVIEWS = {
    "authentication.k8s.io/selfsubjectreviews",
    "authorization.k8s.io/selfsubjectaccessreviews",
    "authorization.k8s.io/subjectaccessreviews",
    "authorization.k8s.io/selfsubjectrulesreviews",
}
# A connection into a pod, a node or a service: what goes through it, nobody sees.
CONNECTIONS = {"exec", "attach", "portforward", "proxy"}
OF_NAMESPACE = {"finalize", "status"}


def kube_request(method: str, path: str, guard: Guard, body: object = None) -> Request:
    """Return what `method` on `path` is.

    A review of rights is a read, `dryRun=All` a dry run, a change in a place of the suite's own a decoy's.
    """
    split = urlsplit(path)
    resource, space, name = _parts(split.path)
    if not resource:
        effect = Effect.READS if method in ("GET", "HEAD") else Effect.WRITES
        return Request("kubernetes", method.lower(), split.path, effect)
    verb = VERBS.get(method, "list" if not name else "get")
    verb = "deletecollection" if verb == "delete" and not name else verb
    return Request("kubernetes", verb, resource, _effect(verb, resource, split.query, space, guard, body))


def _effect(verb: str, resource: str, query: str, space: str, guard: Guard, body: object) -> Effect:
    if CONNECTIONS & set(resource.split("/")):
        return Effect.WRITES
    if verb in ("get", "list") or (verb == "create" and resource in REVIEWS):
        return Effect.READS
    if parse_qs(query).get("dryRun") == ["All"]:
        return Effect.DRY_RUN
    return guard.place(space or (_made(body) if resource == "namespaces" else ""))


def _made(body: object) -> str:
    meta = body.get("metadata") if isinstance(body, Mapping) else None
    return str(meta.get("name", "")) if isinstance(meta, Mapping) else ""


def _parts(path: str) -> tuple[str, str, str]:
    """Return (`group/resource/subresource`, namespace, name); the resource is empty for any other path."""
    words = [unquote(word) for word in path.strip("/").split("/")]
    if words[0] == "api" and len(words) > 2:
        group, rest = "", words[2:]
    elif words[0] == "apis" and len(words) > 3:
        group, rest = words[1], words[3:]
    else:
        return "", "", ""
    space = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        space = rest[1]
        if len(rest) > 2 and rest[2] not in OF_NAMESPACE:
            rest = rest[2:]
    resource, name, *sub = [*rest, ""] if len(rest) == 1 else rest
    return "/".join(word for word in (group, resource, *sub) if word), space, name
