"""`assay rights`: what to grant, and no more, so that the selected controls can be judged."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from assay.cli.loading import load_or_exit
from assay.effect import Effect
from assay.model import Tier
from assay.rights.files import rights_files
from assay.rights.kubernetes import AccountName
from assay.rights.needed import needed_rights
from assay.run.allowance import allowance_of
from assay.run.gate import select


@click.command(
    "rights", epilog="Example: assay rights --stack stacks/mine.local.toml --tier live --to rights/"
)
@click.option("--stack", help="stack profile; else ASSAY_STACK, else the running lab's")
@click.option("--control", "controls", multiple=True, metavar="ID", help="for these only, e.g. SEC-27")
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice([str(one) for one in Tier]),
    help="for these only [default: static and live]",
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice([str(one) for one in Effect]),
    help="with the rights of this effect; else what the profile allows",
)
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="a folder; else standard output")
@click.option("--account", default="assay/nightly", show_default=True, help="NAMESPACE/NAME of the account")
@click.option(
    "--s3-reader",
    default="arn:aws:iam:::user/READER",
    show_default=True,
    help="the reader, as the object store calls it",
)
def rights_command(
    stack: str | None,
    controls: tuple[str, ...],
    tiers: tuple[str, ...],
    allow: tuple[str, ...],
    to: Path | None,
    account: str,
    s3_reader: str,
) -> None:
    """Write the smallest rights that the selected controls need, in the words of each system.

    RBAC for Kubernetes, a policy for Vault, roles for Talos, a policy for each bucket, GRANTs for PostgreSQL.
    Each line names the controls that need it. Nothing is asked of the platform, and nothing is granted.
    """
    namespace, _, name = account.partition("/")
    catalogue, profile = load_or_exit(stack)
    unknown = [one for one in controls if one not in catalogue.controls]
    if unknown or not (namespace and name):
        wrong = f"no such control: {', '.join(unknown)}" if unknown else "--account: write NAMESPACE/NAME"
        raise click.UsageError(wrong)
    chosen = select(catalogue, profile, tiers or (Tier.STATIC, Tier.LIVE), controls)
    effects = allowance_of(profile, allow, datetime.datetime.now(datetime.UTC)).effects
    needed = needed_rights(catalogue, profile, chosen.pairs, effects)
    for file, text in rights_files(needed, profile, AccountName(name, namespace), s3_reader).items():
        if to is None:
            click.echo(f"# --- {file}\n{text}")
        else:
            to.mkdir(parents=True, exist_ok=True)
            (to / file).write_text(text, encoding="utf-8")
            click.echo(f"written: {to / file}")
