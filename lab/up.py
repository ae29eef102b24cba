"""`lab up`, step by step.

Each step says what it does and how long that takes, and ends only when its effect is observed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lab import (
    build,
    cluster,
    images,
    logs,
    machineconfig,
    names,
    network,
    nodes,
    parts,
    pki,
    preflight,
    process,
    profile,
    rootfs,
    services,
    teardown,
)
from lab.deploy import Cluster
from lab.layout import CACHE, NAMES, NODES, PROJECT, SOURCES, STATE, TALOS, here
from lab.names import tree
from lab.parts import Context, Part
from lab.rollout import Rollout


TIMES = STATE / "times.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its title, the seconds it is expected to take, its action."""

    says: str
    expected: float
    act: Callable[[], None]


class Up:
    """One run of `lab up`; its attributes carry what a later step needs from an earlier one."""

    def __init__(self, console: Console, chosen: tuple[Part, ...], work: Path = build.BINARIES) -> None:
        """Prepare a run with the chosen parts; progress goes to `console`, binaries are in `work`."""
        self.console = console
        self.parts = chosen
        self.binaries = work
        self.refs: dict[str, str] = {}
        self.samples: dict[str, str] = {}
        self.times: dict[str, float] = {}

    def run(self) -> None:
        """Bring the lab up; returns at once if it is.

        Raises:
            RuntimeError: a requirement, a build or a step failed; the message has the remedy.
        """
        if complete(self.parts):
            self.console.print("The lab is up already.")
            return
        if missing := preflight.problems():
            raise RuntimeError("; ".join(missing))
        self._packages()
        teardown.clear()
        process.join_group()
        self._build()
        teardown.wipe()
        STATE.mkdir(parents=True, mode=0o755)
        parts.remember(self.parts)
        names.remember(STATE, NAMES)
        for step in self.steps():
            self._do(step)
        TIMES.write_text(json.dumps(self.times, indent=1))

    def _packages(self) -> None:
        wanted = {name: proof for part in self.parts for name, proof in part.packages.items()}
        if absent := preflight.absent_packages(wanted):
            self._do(
                Step(f"install Debian packages: {', '.join(absent)}", 60, lambda: preflight.install(absent))
            )

    def _build(self) -> None:
        for component in build.missing(c for part in self.parts for c in part.components):

            def act(component: build.Component = component) -> None:
                build.build(component, lambda text: self.console.log(f"  go build {text}"))

            self._do(Step(f"build {component.folder}", component.seconds, act))

    def steps(self) -> list[Step]:
        """Return the steps from built binaries to a serving platform, in order."""
        b = self.binaries
        other = NAMES.title != names.DEFAULT
        render = Step(
            "platform's sources with other names", 2, lambda: tree.write(PROJECT, SOURCES, NAMES, here)
        )
        return [
            *([render] if other else []),
            Step("network namespaces, bridge, registry, DNS, issuer", 3, self._services),
            Step(
                "root file system of the nodes",
                4,
                lambda: rootfs.assemble(nodes.ROOTFS, b, build.talos_source(), TALOS),
            ),
            Step("images into the registry", 15, self._images),
            Step("machine configurations from talos/", 6, self._configs),
            Step(f"start {len(NODES)} Talos nodes", 3, self._nodes),
            Step("bootstrap etcd", 20, lambda: cluster.bootstrap(b)),
            Step("credentials", 5, lambda: cluster.credentials(b)),
            Step("API through the load balancer", 30, lambda: cluster.api(b)),
            Step("all nodes Ready", 30, lambda: cluster.nodes_ready(b)),
            Step("deploy gitops/: signature admission", 20, self._admission),
            Step("deploy gitops/: secrets, workload, gateway", 20, self._workloads),
            Step("services from every node", 2, lambda: cluster.services(b)),
            *(self._step(part) for part in self.parts),
            Step("three etcd voters", 90, lambda: cluster.voters(b)),
            Step("talosctl health", 30, lambda: cluster.healthy(b)),
            Step("mark of the lab, list of its logs", 1, self._marked),
            Step("stack profile", 1, lambda: profile.write(b, self.samples, self._rollout())),
        ]

    def again(self, part: Part) -> None:
        """Roll one part out again on the running lab and rewrite the profile.

        Raises:
            RuntimeError: a build or a step failed; the message has the remedy.
        """
        self._packages()
        process.join_group()
        self._build()
        self._images()
        self._do(Step("programs beside the nodes", 5, lambda: part.before(self._early())))
        self._do(Step("sign", 5, self._sign))
        rollout = self._rollout()
        self._do(Step("namespaces, CRDs, secrets", 5, lambda: self._prepared(rollout)))
        self._do(self._step(part))
        self._do(Step("stack profile", 1, lambda: profile.write(self.binaries, self.samples, rollout)))

    def _marked(self) -> None:
        cluster.mark(self.binaries)
        logs.write()

    def _prepared(self, rollout: Rollout) -> None:
        rollout.admission(self.samples)
        rollout.secrets()

    def _step(self, part: Part) -> Step:
        return Step(f"deploy gitops/: {part.name}", part.expected, lambda: self._rollout().deploy(part))

    def _do(self, step: Step) -> None:
        began = time.monotonic()
        self.console.log(f"{step.says} (expect about {step.expected:.0f} s)")
        try:
            step.act()
        except cluster.NotYetError as late:
            raise RuntimeError(f"{step.says}: {late}") from late
        self.times[step.says] = round(time.monotonic() - began, 1)
        self.console.log(f"  done in {self.times[step.says]} s")

    def _services(self) -> None:
        network.create()
        authority = pki.authority("platform lab CA")
        authority.write(STATE / "ca.crt", STATE / "ca.key")
        services.start_registry(self.binaries)
        services.start_dns(self.binaries)
        services.start_web(authority)
        services.listening("registry", "dns", "web")
        for part in self.parts:
            part.before(self._early())

    def _early(self) -> Context:
        authority = pki.Pair((STATE / "ca.crt").read_bytes(), (STATE / "ca.key").read_bytes())
        return Context(
            self.binaries, STATE, Cluster(self.binaries / "kubectl", cluster.KUBECONFIG), authority
        )

    def _images(self) -> None:
        recipes = {name: recipe for part in self.parts for name, recipe in part.images.items()}
        self.refs = images.build(self.binaries, CACHE / "images", {**images.ALL, **recipes})

    def _configs(self) -> None:
        machineconfig.render(self.binaries, (STATE / "ca.crt").read_bytes())
        services.start_load_balancer()
        services.listening("haproxy")

    def _nodes(self) -> None:
        for node in NODES:
            nodes.start(node, self.binaries)

    def _rollout(self) -> Rollout:
        return Rollout(STATE, self.refs, self.binaries, cluster.KUBECONFIG, self.parts)

    def _sign(self) -> None:
        self.samples = self._rollout().sign()

    def _admission(self) -> None:
        self._sign()
        self._rollout().admission(self.samples)

    def _workloads(self) -> None:
        rollout = self._rollout()
        rollout.secrets()
        rollout.workloads()


def complete(chosen: tuple[Part, ...]) -> bool:
    """Return whether the lab is up with these parts: every program and node runs, the profile exists."""
    running = [*services.NAMES, *(f"node-{n.name}" for n in NODES)]
    running += [program for part in chosen for program in part.programs]
    same = parts.remembered() == chosen
    return same and profile.PATH.exists() and all(process.process(name) for name in running)
