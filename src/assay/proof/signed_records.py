"""Signed records of restores that a violation plants: any signer, any content."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from assay.drills.restore.signed import NAMESPACE
from assay.errors import GuardError
from assay.formats.signatures import signature_of
from assay.formats.tools import run_tool
from assay.proof.plant import Plant


PERSON = "planted@example.com"
PREFIX = "planted-"
SIGN_TIMEOUT_S = 20.0


@contextmanager
def signed_record(
    plant: Plant, service: str, *, listed: bool, took_s: float = 300.0, changed: tuple[str, str] = ("", "")
) -> Iterator[Path]:
    """Yield a record of a restore, the newest of its service; it is removed on the way out.

    Args:
        plant: the lab.
        service: what it says was restored.
        listed: the person who signs is on the list of allowed signers.
        took_s: how long it says the restore took, seconds.
        changed: (old, new), replaced in the record after it was signed.

    Raises:
        ProbeError: the profile names no folder of records or no list of signers, or ssh-keygen fails.
    """
    profile = plant.profile
    folder, signers = profile.need_path("drill.records"), profile.need_path("drill.allowed_signers")
    for left in folder.glob(f"{PREFIX}*"):
        left.unlink()
    file = folder / f"{PREFIX}{plant.run}.toml"
    with ExitStack() as stack:
        key = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-signer-"))) / "key"
        _keygen("-q", "-t", "ed25519", "-N", "", "-C", PERSON, "-f", key)
        if listed:
            line = f"{PERSON} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n"
            stack.enter_context(plant.talos_api.replaced(signers, signers.read_text() + line))
        stack.callback(signature_of(file, PERSON).unlink, missing_ok=True)
        stack.callback(file.unlink, missing_ok=True)
        content = _text(profile.name, profile.cluster_uid, service, took_s).encode()
        signed = _keygen("-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, stdin=content)
        signature_of(file, PERSON).write_bytes(signed)
        file.write_bytes(content.replace(changed[0].encode(), changed[1].encode()) if changed[0] else content)
        yield file


def _keygen(*words: object, stdin: bytes = b"") -> bytes:
    program = shutil.which("ssh-keygen") or "ssh-keygen"
    done = run_tool([program, *words], SIGN_TIMEOUT_S, "sign a record", stdin=stdin)
    if done.code:
        raise GuardError("ssh-keygen does not sign, nothing planted", "install OpenSSH's client")
    return done.out


def _text(stack: str, cluster_uid: str, service: str, took_s: float) -> str:
    end = dt.datetime.now(dt.UTC)
    start = end - dt.timedelta(seconds=took_s)
    said = {
        "service": service, "stack": stack, "cluster_uid": cluster_uid, "ledger": "0" * 64, "rows": 100,
        "data_bytes": 1_000_000, "tool": "a violation", "place": "nowhere", "by": PERSON,
    }  # fmt: skip
    times = {"start": start, "end": end, "point": start - dt.timedelta(seconds=10)}
    rows = [f"{key} = {json.dumps(value)}" for key, value in said.items()]
    rows += [f"{key} = {value.isoformat()}" for key, value in times.items()]
    return "\n".join(["[restore]", *rows, ""])
