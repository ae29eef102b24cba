"""The lab's command line: up, down, status, logs, env, fill, part, node, prune."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from lab import build, cluster, fill_data, nodes, parts, process, services, teardown
from lab.layout import CACHE, NAME, NODES, STATE, node
from lab.up import Up, complete


LOCK = Path(f"/run/{NAME}-lab.lock")


@click.group()
def main() -> None:
    """A real Talos/Kubernetes platform on one machine."""


@contextmanager
def alone(patience: float = 0) -> Iterator[None]:
    """Let one process at a time change the lab; a failure becomes one line."""
    try:
        with FileLock(LOCK, timeout=patience):
            yield
    except Timeout:
        raise click.ClickException("another `lab up` is running: wait for it, or `lab down`") from None
    except RuntimeError as failed:
        raise click.ClickException(str(failed)) from None


@main.command()
@click.option(
    "--without",
    "unwanted",
    default="",
    metavar="PART,...",
    help=f"Leave parts out, and what needs them: {', '.join(p.name for p in parts.every())}; or all.",
)
def up(unwanted: str) -> None:
    """Build what is missing and start the platform; clears what a dead lab left first."""
    console = Console(width=120, log_path=False)
    began = time.monotonic()
    with alone():
        names = [name for name in unwanted.split(",") if name]
        Up(console, () if names == ["all"] else parts.without(names)).run()
    console.print(f"The lab is up after {time.monotonic() - began:.0f} s. Profile: {STATE / 'stack.toml'}")


@main.command()
@click.option("--wipe", is_flag=True, help="Throw volumes, configurations and logs away too.")
def down(wipe: bool) -> None:
    """End every process of the lab and remove its namespaces, cgroups, links."""
    began = time.monotonic()
    teardown.clear()
    if wipe:
        teardown.wipe()
    if left := teardown.leftovers():
        raise click.ClickException(f"{len(left)} things are left: {', '.join(left[:5])}")
    click.echo(f"The lab is down after {time.monotonic() - began:.1f} s; nothing is left.")


@main.command()
def status() -> None:
    """Show programs and nodes: running, processes, memory, mounts. Exit 1 unless all of it runs."""
    table = Table("part", "running", "processes", "MiB", "mounts")
    there = parts.remembered()
    for name in (*services.NAMES, *(program for part in there for program in part.programs)):
        table.add_row(name, "yes" if process.process(name) else "no", "1", "", "")
    total = 0
    for each in NODES:
        seen = nodes.state(each)
        total += seen.resident
        table.add_row(
            each.name,
            "yes" if seen.running else "no",
            str(seen.processes),
            str(seen.resident >> 20),
            str(seen.mounts),
        )
    Console().print(table)
    click.echo(f"nodes use {total >> 20} MiB resident (shared pages counted once a process)")
    sys.exit(0 if complete(there) else 1)


@main.command()
@click.argument("name")
@click.option("--lines", default=100, show_default=True)
def logs(name: str, lines: int) -> None:
    """Print the end of the log of a node or of registry, dns, web, haproxy."""
    for path in (process.LOGS / f"node-{name}.log", process.LOGS / f"{name}.log"):
        if path.exists():
            click.echo("\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
            return
    raise click.ClickException(
        f"no log of {name}: known are {', '.join(p.stem for p in process.LOGS.glob('*.log'))}"
    )


@main.command()
def env() -> None:
    """Print the environment for the lab's own talosctl, kubectl and cosign: `eval "$(python -m lab env)"`."""
    click.echo(f"export PATH={build.BINARIES}:$PATH")
    click.echo(f"export KUBECONFIG={cluster.KUBECONFIG} TALOSCONFIG={cluster.TALOSCONFIG}")
    click.echo(f"export ASSAY_STACK={STATE / 'stack.toml'}")


@main.command()
@click.argument("service", type=click.Choice(sorted(fill_data.FILLS)))
@click.argument("mebibytes", type=click.IntRange(0, 1024))
def fill(service: str, mebibytes: int) -> None:
    """Let a service hold so many MiB of meaningless data, so that its restore is timed at another size."""
    with alone():
        fill_data.fill(service, mebibytes)


@main.group(name="part")
def part_group() -> None:
    """Single parts of the platform."""


@part_group.command(name="deploy")
@click.argument("name")
def deploy_part(name: str) -> None:
    """Add a part to the running lab, with what it needs, or roll it out again."""
    with alone(patience=900):
        wanted = parts.extended(name)
        Up(Console(width=120, log_path=False), wanted).again({p.name: p for p in wanted}[name])
        parts.remember(wanted)


@main.group(name="node")
def node_group() -> None:
    """Lose and return single nodes, run a host program in a node's network."""


@node_group.command()
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def kill(name: str) -> None:
    """Lose a node at once, as by a power cut; its volumes stay."""
    nodes.kill(node(name))


@node_group.command()
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def start(name: str) -> None:
    """Return a lost node on its volumes."""
    nodes.start(node(name), build.BINARIES)


@node_group.command()
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def reimage(name: str) -> None:
    """Start a node from another image: an older release, with an extension; kill and start undo it."""
    nodes.reimage(node(name), build.BINARIES)


@node_group.command(name="lose-disk")
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def lose_disk(name: str) -> None:
    """Lose a node with its disks; they are kept aside until restore-disk or forget-disk."""
    nodes.lose_disk(node(name))


@node_group.command(name="restore-disk")
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def restore_disk(name: str) -> None:
    """Return a node on the disks it lost; one that lost none is started as it is."""
    nodes.restore_disk(node(name), build.BINARIES)


@node_group.command(name="forget-disk")
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def forget_disk(name: str) -> None:
    """Throw the disks away that a node lost: it lives on new ones."""
    nodes.forget_disk(node(name))


@node_group.command(name="exec", context_settings={"ignore_unknown_options": True})
@click.argument("name", type=click.Choice([n.name for n in NODES]))
@click.argument("command", nargs=-1, required=True)
def execute(name: str, command: tuple[str, ...]) -> None:
    """Run a program of the host inside the node's network namespace."""
    done = subprocess.run(["nsenter", f"--net=/run/netns/{node(name).netns}", *command], check=False)
    sys.exit(done.returncode)


@main.command()
def prune() -> None:
    """Free the disk: cached binaries and images. The next `lab up` builds again."""
    if complete(parts.remembered()):
        raise click.ClickException("the lab is up: `lab down` first")
    click.echo(
        f"{build.prune() >> 20} MiB of {CACHE} freed; Go's own caches go with `go clean -cache -modcache`"
    )
