"""`assay samples`: make the five images by which the signature gate is tried."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from assay.errors import AssayError
from assay.writers.samples import SampleMaker, check_globs


@click.command(
    name="samples",
    epilog="Example: assay samples registry.example.com/assay --key env://COSIGN_PRIVATE_KEY",
)
@click.argument("prefix")
@click.option("--key", default="", help="release key as cosign takes it: file, env://NAME, KMS; else keyless")
@click.option("--glob", "globs", multiple=True, help="what the gate's policy covers, to check PREFIX against")
@click.option("--cosign", type=click.Path(path_type=Path), help="default: the one on PATH")
@click.option("--transparent", is_flag=True, help="use the transparency log; keyless always does")
@click.option("--bundles", is_flag=True, help="sign in the bundle format; otherdigest then bears none")
@click.option("--plain-http", is_flag=True, help="the registry speaks plain HTTP")
def samples_command(
    prefix: str, key: str, globs: tuple[str, ...], cosign: Path | None, *,
    transparent: bool, bundles: bool, plain_http: bool,
) -> None:  # fmt: skip
    """Push five small images below PREFIX, sign them, and print [samples] for the profile.

    PREFIX is host[:port]/path. The registry's login is Docker's, the key's password is in COSIGN_PASSWORD.
    Nothing secret is printed or kept.

    Without --key cosign signs keyless and needs Fulcio, Rekor and an identity token (SIGSTORE_ID_TOKEN), by
    the network or by SIGSTORE_* of an own deployment; with --key it talks to the registry alone.
    """
    program = cosign or shutil.which("cosign")
    if not program:
        raise click.ClickException("cosign is not on PATH - install it, or name it by --cosign")
    try:
        check_globs(prefix, globs)
        maker = SampleMaker(Path(program), prefix, key, transparent, bundles, plain_http)
        refs = maker.make()
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo("[samples]")
    for name, ref in refs.items():
        click.echo(f'{name} = "{ref}"')
