"""Patroni's callback: on the leader, make roles, database and schema what Git and the secret store say.

Safe to repeat: it runs at every start and every change of roles. The archive's stanza is made last, because
object storage may be late. Called with the action, the role of this member and the name of the cluster.

Called with `follow` it stays, beside the server, and sets the passwords again when a mounted file has another.
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
from psycopg2 import sql


CREDENTIALS = Path("/etc/platform/credentials")
SCHEMA = Path("/etc/platform/schema/schema.sql")
SOCKET = "/run/postgresql"
DATABASE, OWNER = "shop", "shop_owner"
LOGINS = {"app": "shop", "auditor": "auditor", "canary": "canary"}
PATIENCE_S = 120
FOLLOW_S = 5
# Both ways of being called may want to set the same role at once; PostgreSQL refuses the second of two that do.
LOCK = 20260101


def connect(database: str):
    """Return an autocommitting connection of the superuser; what it does needs no standby to be there."""
    found = psycopg2.connect(host=SOCKET, dbname=database, user="postgres", options="-c synchronous_commit=local")
    found.autocommit = True
    return found


def leading() -> bool:
    """Return True once this member takes writes."""
    try:
        with connect("postgres") as session, session.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            return not cursor.fetchone()[0]
    except psycopg2.OperationalError:
        return False


def said() -> dict[str, str]:
    """Return the password of each login that the secret store delivered; the others keep what they have."""
    files = {role: CREDENTIALS / name / "password" for name, role in LOGINS.items()}
    return {role: file.read_text().strip() for role, file in files.items() if file.is_file()}


def accounts(passwords: dict[str, str]) -> None:
    """Make the roles, one caller at a time; no password reaches the server's log."""
    with contextlib.closing(connect("postgres")) as session, session.cursor() as cursor:
        cursor.execute("SET log_statement = 'none'")
        cursor.execute("SET log_min_error_statement = 'panic'")
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        logins(cursor, passwords)


def logins(cursor, passwords: dict[str, str]) -> None:
    """Make the roles that are not there, and give every login its password."""
    for role in (OWNER, *LOGINS.values()):
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    for role, secret in passwords.items():
        cursor.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(secret)))


def database(cursor) -> None:
    """Make the shop's database if it is not there."""
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
    if cursor.fetchone() is None:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
        )


def archive(command: str) -> bool:
    """Return True if pgBackRest could do `command` for the platform's stanza."""
    return subprocess.run(["pgbackrest", "--stanza=platform", command], check=False).returncode == 0


def stanza() -> None:
    """Make the archive's stanza, or tell it of a cluster made anew; object storage may be late."""
    end = time.monotonic() + PATIENCE_S
    while not (archive("stanza-create") or archive("stanza-upgrade")):
        if time.monotonic() > end:
            sys.exit("pgbackrest stanza-create keeps failing: object storage")
        time.sleep(5)


def follow() -> None:
    """Set the passwords whenever the files have others than were set last; a standby leaves it to the leader."""
    known: dict[str, str] = {}
    while True:
        now = said()
        if now != known and leading():
            try:
                accounts(now)
            except psycopg2.Error as error:
                print(f"accounts: not set, SQLSTATE {error.pgcode or 'unknown'}", flush=True)
            else:
                known = now
                print("accounts: as the secret store says", flush=True)
        time.sleep(FOLLOW_S)


def main() -> None:
    """Do it all if this member leads, or is about to."""
    if sys.argv[1] == "follow":
        follow()
    if sys.argv[2] not in ("master", "primary"):
        return
    end = time.monotonic() + PATIENCE_S
    while not leading():
        if time.monotonic() > end:
            sys.exit("not the leader after all")
        time.sleep(0.5)
    accounts(said())
    session = connect("postgres")
    database(session.cursor())
    session.close()
    with connect(DATABASE) as session, session.cursor() as cursor:
        cursor.execute(SCHEMA.read_text())
    stanza()


if __name__ == "__main__":
    main()
