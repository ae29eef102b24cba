"""Fetch PostgreSQL's data from the encrypted repository, then serve it once its log is replayed.

`fetch` is the init container, `serve` the server, `segment NAME PATH` its restore command. POINT is `latest`
or a time; LAST_SEGMENT the newest segment of the log that may be used: an old server that still runs goes on
archiving.
"""

import json
import os
import sys
from pathlib import Path


KIT = Path("/etc/restore/kit")
DATA = Path("/var/lib/postgresql/data/pgdata")
SERVER = "postgres"
TIMELINE = 8
SETTINGS = {
    "listen_addresses": "*",
    "unix_socket_directories": "/run/postgresql",
    "hba_file": "/etc/restore/files/pg_hba.conf",
    "ssl_cert_file": "/etc/restore/tls/tls.crt",
    "ssl_key_file": "/etc/restore/tls/tls.key",
    "ssl_ca_file": "",
    "archive_mode": "off",  # never into the repository it came from
    "synchronous_standby_names": "",
    "hot_standby": "off",  # nobody reads half of a log
    "logging_collector": "off",
}


def environment() -> dict[str, str]:
    """Return the environment of pgBackRest: the reader's key and the passphrase, from the escrow kit."""
    key = json.loads((KIT / "s3-reader.json").read_text())
    return {
        **os.environ,
        "PGBACKREST_REPO1_S3_KEY": key["access_key"],
        "PGBACKREST_REPO1_S3_KEY_SECRET": key["secret_key"],
        "PGBACKREST_REPO1_CIPHER_PASS": (KIT / "pgbackrest-passphrase").read_text().strip(),
    }


def become(*words: str) -> None:
    """Go on as another program."""
    os.execvpe(words[0], list(words), environment())


def fetch() -> None:
    """Become `pgbackrest restore` into an empty folder."""
    DATA.mkdir(mode=0o700)
    point = os.environ["POINT"]
    until = () if point == "latest" else ("--type=time", f"--target={point}", "--target-action=promote")
    command = f'/usr/bin/python3 {__file__} segment %f "%p"'
    become(
        "pgbackrest",
        "--stanza=platform",
        "--log-level-console=info",
        f"--recovery-option=restore_command={command}",
        *until,
        "restore",
    )


def segment(name: str, path: str) -> None:
    """Become `pgbackrest archive-get`, unless the file is younger than what may be used."""
    last = os.environ["LAST_SEGMENT"]
    if name[:TIMELINE] > last[:TIMELINE] or name[TIMELINE:] > last[TIMELINE:]:
        sys.exit(1)
    become("pgbackrest", "--stanza=platform", "archive-get", name, path)


def serve() -> None:
    """Become the server."""
    become(SERVER, "-D", str(DATA), *(word for item in SETTINGS.items() for word in ("-c", "=".join(item))))


if __name__ == "__main__":
    {"fetch": fetch, "segment": segment, "serve": serve}[sys.argv[1]](*sys.argv[2:])
