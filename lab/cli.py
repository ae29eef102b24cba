"""The lab's command line: up, down, status, logs, env, fill, part, node, prune."""

from __future__ import annotations

import os
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

from lab import build, cluster, fill_data, names, nodes, onboard, parts, process, services, teardown
from lab.layout import CACHE, NAME, NAMES, NODES, STATE, node
from lab.up import Up, complete


LOCK = Path(f"/run/{NAME}-lab.lock")
PLANTED = STATE / "planted.json"  # a proof keeps it there while its violation stands


@click.group()
def main() -> None:
    """A real Talos/Kubernetes platform on one machine."""


@contextmanager
def alone(patience: float = 0) -> Iterator[None]:
    """Let one process at a time change the lab; a failure becomes a one-line message."""
    try:
        with FileLock(LOCK, timeout=patience):
            yield
    except Timeout:
        raise click.ClickException("another `lab up` is running: wait for it, or run `lab down`") from None
    except RuntimeError as failed:
        raise click.ClickException(str(failed)) from None


@main.command(
    epilog="\b\nExamples:\n  python -m lab up\n  python -m lab up --without postgres\n"
    "  ASSAY_LAB_INSTANCE=x python -m lab up --names other"
)
@click.option(
    "--without",
    "unwanted",
    default="",
    metavar="PART,...",
    help=f"Leave out parts, and those that need them: {', '.join(p.name for p in parts.every())}; or all.",
)
@click.option(
    "--names",
    "title",
    type=click.Choice(names.TITLES),
    default=names.DEFAULT,
    show_default=True,
    help="What the platform calls its things; see lab/names.",
)
def up(unwanted: str, title: str) -> None:
    """Build what is missing and start the platform, after removing what is left of another lab."""
    if title != NAMES.title:
        _again(title)
    console = Console(width=120, log_path=False)
    if PLANTED.exists():
        console.print("A killed proof left what it had planted: `assay doctor` and the next run sweep it.")
    began = time.monotonic()
    with alone():
        absent = [name for name in unwanted.split(",") if name]
        Up(console, () if absent == ["all"] else parts.without(absent)).run()
    console.print(f"The lab is up after {time.monotonic() - began:.0f} s. Profile: {STATE / 'stack.toml'}")


def _again(title: str) -> None:
    """Run this command in a process with other names: they are read once, when the lab's code is loaded."""
    env = {**os.environ, names.VARIABLE: title}
    argv = [sys.executable, "-m", "lab", *sys.argv[1:]]
    sys.exit(subprocess.run(argv, env=env, check=False).returncode)


@main.command(name="onboard", epilog="Example: ASSAY_LAB_INSTANCE=other python -m lab onboard")
@click.option("--keep", is_flag=True, help="Leave the lab up; else it is stopped, and its state deleted.")
def onboard_command(*, keep: bool) -> None:
    """Bring up the platform with other names, let `assay init` write its profile, complete it, judge it.

    The exit code is that of the check. reports/other has the profile that init wrote, both platforms'
    profiles side by side, and the evidence.
    """
    if NAMES.title != names.OTHER:
        _again(names.OTHER)
    console = Console(width=120, log_path=False, soft_wrap=True)
    with alone():
        Up(console, parts.without([])).run()
    try:
        code = onboard.prove(lambda line: console.log(line, markup=False, highlight=False))
    except onboard.NotProvenError as failed:
        raise click.ClickException(str(failed)) from None
    finally:
        if not keep:
            teardown.clear()
            teardown.wipe()
    sys.exit(code)


@main.command()
@click.option("--wipe", is_flag=True, help="Also delete volumes, configurations and logs.")
def down(wipe: bool) -> None:
    """Stop every process of the lab and remove its network namespaces, cgroups and links."""
    began = time.monotonic()
    teardown.clear()
    if wipe:
        teardown.wipe()
    if left := teardown.leftovers():
        raise click.ClickException(f"{len(left)} things are left over: {', '.join(left[:5])}")
    click.echo(f"The lab is down after {time.monotonic() - began:.1f} s; nothing is left over.")


@main.command()
def status() -> None:
    """Show programs and nodes: running, processes, memory, mounts. Exit 1 unless everything runs."""
    table = Table("part", "running", "processes", "MiB", "mounts")
    started = parts.remembered()
    for name in (*services.NAMES, *(program for part in started for program in part.programs)):
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
    click.echo(f"nodes use {total >> 20} MiB resident (shared pages count once per process)")
    sys.exit(0 if complete(started) else 1)


@main.command(epilog="Example: python -m lab logs haproxy --lines 20")
@click.argument("name")
@click.option("--lines", default=100, show_default=True)
def logs(name: str, lines: int) -> None:
    """Print the last lines of the log of a node or a program, such as registry, dns, web, haproxy."""
    for path in (process.LOGS / f"node-{name}.log", process.LOGS / f"{name}.log"):
        if path.exists():
            click.echo("\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
            return
    raise click.ClickException(
        f"no log of {name}; known: {', '.join(p.stem for p in process.LOGS.glob('*.log'))}"
    )


@main.command()
def env() -> None:
    """Print the environment for the lab's own talosctl, kubectl and cosign: `eval "$(python -m lab env)"`."""
    click.echo(f"export PATH={build.BINARIES}:$PATH")
    click.echo(f"export KUBECONFIG={cluster.KUBECONFIG} TALOSCONFIG={cluster.TALOSCONFIG}")
    click.echo(f"export ASSAY_STACK={STATE / 'stack.toml'}")


@main.command(epilog="Example: python -m lab fill postgres 64")
@click.argument("service", type=click.Choice(sorted(fill_data.FILLS)))
@click.argument("mebibytes", type=click.IntRange(0, 1024))
def fill(service: str, mebibytes: int) -> None:
    """Fill a service with random data, so that its restore is timed at another size."""
    with alone():
        fill_data.fill(service, mebibytes)


@main.group(name="part")
def part_group() -> None:
    """Manage single parts of the platform."""


@part_group.command(name="deploy", epilog="Example: python -m lab part deploy vault")
@click.argument("name")
def deploy_part(name: str) -> None:
    """Add a part, and what it needs, to the running lab, or roll it out again."""
    with alone(patience=900):
        wanted = parts.extended(name)
        Up(Console(width=120, log_path=False), wanted).again({p.name: p for p in wanted}[name])
        parts.remember(wanted)


@main.group(name="node")
def node_group() -> None:
    """Stop and start single nodes, run a program in a node's network."""


@node_group.command()
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def kill(name: str) -> None:
    """Kill a node at once, as a power cut would; its volumes stay."""
    nodes.kill(node(name))


@node_group.command()
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def start(name: str) -> None:
    """Start a killed node on its volumes."""
    nodes.start(node(name), build.BINARIES)


@node_group.command()
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def reimage(name: str) -> None:
    """Restart a node from another image: an older release with an extension. Undo: kill, then start."""
    nodes.reimage(node(name), build.BINARIES)


@node_group.command(name="lose-disk")
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def lose_disk(name: str) -> None:
    """Kill a node and take its disks away; they are kept aside until restore-disk or forget-disk."""
    nodes.lose_disk(node(name))


@node_group.command(name="restore-disk")
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def restore_disk(name: str) -> None:
    """Start a node on the disks that lose-disk took away, or as it is if none were."""
    nodes.restore_disk(node(name), build.BINARIES)


@node_group.command(name="forget-disk")
@click.argument("name", type=click.Choice([n.name for n in NODES]))
def forget_disk(name: str) -> None:
    """Delete the disks that lose-disk took away: the node stays on its new ones."""
    nodes.forget_disk(node(name))


@node_group.command(
    name="exec",
    context_settings={"ignore_unknown_options": True},
    epilog="Example: python -m lab node exec cp-1 ss -ltn",
)
@click.argument("name", type=click.Choice([n.name for n in NODES]))
@click.argument("command", nargs=-1, required=True)
def execute(name: str, command: tuple[str, ...]) -> None:
    """Run a program of this machine inside a node's network namespace."""
    done = subprocess.run(["nsenter", f"--net=/run/netns/{node(name).netns}", *command], check=False)
    sys.exit(done.returncode)


@main.command()
def prune() -> None:
    """Delete cached binaries and images. The next `lab up` builds them again."""
    if complete(parts.remembered()):
        raise click.ClickException("the lab is up: run `lab down` first")
    click.echo(
        f"{build.prune() >> 20} MiB of {CACHE} freed; for Go's own caches run `go clean -cache -modcache`"
    )
