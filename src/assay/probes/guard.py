"""The guard that every request passes before it is sent, and the count of what was sent.

It stands in the transport of each system (the connection, the client, the tool that is run), so that a test
that was handed a stack of a small effect cannot send a request of a bigger one, by whatever way it got there.
A transport starts with the smallest effect; only writers, drills and the stack open one with more.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from assay.effect import Effect
from assay.errors import GuardError


RequestCounts = tuple[tuple[str, str, str, str, int], ...]


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One kind of request, in the words of the system that receives it; names of single things are left out.

    Attributes:
        system: `kubernetes`, `vault`, `s3`, `talos`, `etcd`, `postgres` or `http`.
        verb: for example `list`, `create`, `read`, `GetObject`, `select`.
        resource: for example `apps/deployments`, `auth/kubernetes/role/*`, `MachineService/Version`.
        effect: what it does.
    """

    system: str
    verb: str
    resource: str
    effect: Effect = Effect.READS

    def __str__(self) -> str:
        """Return `system: verb resource`."""
        return f"{self.system}: {self.verb} {self.resource}"


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets through what `effect` includes.

    `decoys` are the places of the suite's own: what would be a write elsewhere is a decoy's there. A place
    that ends in `-` stands for every name that begins so.
    """

    effect: Effect = Effect.READS
    decoys: tuple[str, ...] = ("assay-decoy-",)

    def place(self, name: str) -> Effect:
        """Return what a change in the place called `name` (a namespace, a bucket) is: decoy or writes."""
        own = any(name.startswith(one) if one.endswith("-") else name == one for one in self.decoys)
        return Effect.DECOY if own and name else Effect.WRITES

    def admit(self, request: Request) -> None:
        """Count `request`, which is about to be sent.

        Raises:
            GuardError: it does more than is allowed here; nothing is sent.
        """
        if not self.effect.includes(request.effect):
            raise GuardError(
                f"{request}: {request.effect}, where only {self.effect} is allowed; not sent",
                "declare the effect in the policy and take the stack of that effect in the test",
            )
        SENT.add(request)


READING = Guard()


@dataclass(slots=True)
class Sent:
    """What this process has sent and was not yet taken to the evidence, by kind of request.

    `run` is the run that sends; it stands in the user agent, so that a platform's own logs tell it apart.
    """

    counts: Counter[Request] = field(default_factory=Counter)
    run: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def agent(self) -> str:
        """Return how the suite calls itself to the systems that it asks."""
        return f"assay/{self.run}" if self.run else "assay"

    def begin(self, run: str) -> None:
        """Count for `run` from now on; what was sent before it is not its own."""
        self.take()
        self.run = run

    def add(self, request: Request) -> None:
        """Count one request."""
        with self.lock:
            self.counts[request] += 1

    def take(self) -> RequestCounts:
        """Return what was counted, as (system, verb, resource, effect, how often), and start anew."""
        with self.lock:
            taken, self.counts = self.counts, Counter()
        return tuple(
            (one.system, one.verb, one.resource, str(one.effect), count)
            for one, count in sorted(taken.items())
        )


SENT = Sent()
