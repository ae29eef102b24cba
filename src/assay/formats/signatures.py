"""Detached SSH signatures: who signed a file, by `ssh-keygen -Y verify` and a list of allowed signers.

A signature is made with `ssh-keygen -Y sign -n NAMESPACE -f KEY < FILE > FILE.PRINCIPAL.sig`. The format of
the list is in ssh-keygen(1), ALLOWED SIGNERS; it may limit a key to namespaces and times.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.tools import run_tool


PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")
GOOD = re.compile(r'^Good "(?P<namespace>[^"]+)" signature for (?P<principal>\S+) with \S+ key (?P<key>\S+)$')
VERIFY_TIMEOUT_S = 20.0


def signature_of(file: Path, principal: str) -> Path:
    """Return where the signature of `principal` under `file` lies: beside it."""
    return file.with_name(f"{file.name}.{principal}.sig")


def sign_command(file: Path, principal: str, namespace: str) -> str:
    """Return the command with which `principal` signs `file`."""
    return f"ssh-keygen -Y sign -n {namespace} -f KEY < {file} > {signature_of(file, principal)}"


def signing_key(content: bytes, signature: Path, principal: str, namespace: str, signers: Path) -> str:
    """Return the fingerprint of the key with which `principal` signed `content`, empty where it did not.

    Args:
        content: what was signed.
        signature: the detached signature's file.
        principal: who signed, as the list of allowed signers names it.
        namespace: what the signature is for.
        signers: the list of allowed signers.

    Raises:
        ProbeError: ssh-keygen is not there or does not end, or the list cannot be read.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise ProbeError("ssh-keygen is not there to verify a signature", "install OpenSSH's client")
    try:
        signers.read_bytes()
    except OSError as why:
        raise ProbeError(
            f"{signers.name}: {why.strerror}", "name the list of allowed signers under [drill]"
        ) from None
    if not PRINCIPAL.fullmatch(principal) or not signature.is_file():
        return ""
    words = ["-Y", "verify", "-f", signers, "-I", principal, "-n", namespace, "-s", signature]
    done = run_tool([program, *words], VERIFY_TIMEOUT_S, f"verify {signature.name}", stdin=content)
    found = GOOD.match(done.text.strip())
    if done.code or found is None or (found["namespace"], found["principal"]) != (namespace, principal):
        return ""
    return found["key"]
