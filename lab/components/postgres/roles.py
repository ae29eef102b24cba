"""Patroni's callback: on the leader, bring roles, database and schema to the state that Git and Vault declare.

Idempotent: it runs at every start and every role change. The archive's stanza is created last, because object storage
may be late. Arguments: the action, this member's role, the name of the cluster.

With the argument `follow` it keeps running beside the server and sets a password again whenever its mounted file changes.
"""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
from psycopg2 import sql


CREDENTIALS = Path("/etc/platform/credentials")
DECLARED = Path("/etc/platform/schema")
SCHEMA = DECLARED / "schema.sql"
ROLES = json.loads((DECLARED / "roles.json").read_text())
SOCKET = "/run/postgresql"
DATABASE, OWNER, LOGINS, STANZA = (ROLES[key] for key in ("database", "owner", "logins", "stanza"))
PATIENCE_S = 120
FOLLOW_S = 5
# Callback and follower may set the same role at the same time; PostgreSQL refuses the second of two such statements.
LOCK = 20260101


def connect(database: str):
    """Return an autocommit connection of the superuser that does not wait for the standby."""
    found = psycopg2.connect(host=SOCKET, dbname=database, user="postgres", options="-c synchronous_commit=local")
    found.autocommit = True
    return found


def leading() -> bool:
    """Return True once this member accepts writes."""
    try:
        with connect("postgres") as session, session.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            return not cursor.fetchone()[0]
    except psycopg2.OperationalError:
        return False


def delivered() -> dict[str, str]:
    """Return the password of each login that the secret store delivered; other logins keep theirs."""
    files = {role: CREDENTIALS / name / "password" for name, role in LOGINS.items()}
    return {role: file.read_text().strip() for role, file in files.items() if file.is_file()}


def accounts(passwords: dict[str, str]) -> None:
    """Create the roles, one caller at a time; no password reaches the server's log."""
    with contextlib.closing(connect("postgres")) as session, session.cursor() as cursor:
        cursor.execute("SET log_statement = 'none'")
        cursor.execute("SET log_min_error_statement = 'panic'")
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        logins(cursor, passwords)


def logins(cursor, passwords: dict[str, str]) -> None:
    """Create missing roles and set the password of every login."""
    for role in (OWNER, *LOGINS.values()):
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    for role, secret in passwords.items():
        cursor.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(secret)))


def database(cursor) -> None:
    """Create the application's database if it does not exist."""
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
    if cursor.fetchone() is None:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
        )


def archive(command: str) -> bool:
    """Return True if pgBackRest succeeded with `command` for the stanza."""
    return subprocess.run(["pgbackrest", f"--stanza={STANZA}", command], check=False).returncode == 0


def stanza() -> None:
    """Create the archive's stanza, or upgrade it for a recreated cluster; object storage may be late."""
    end = time.monotonic() + PATIENCE_S
    while not (archive("stanza-create") or archive("stanza-upgrade")):
        if time.monotonic() > end:
            sys.exit("pgbackrest stanza-create keeps failing: object storage")
        time.sleep(5)


def follow() -> None:
    """Set the passwords whenever their files change; only the leader does."""
    known: dict[str, str] = {}
    while True:
        now = delivered()
        if now != known and leading():
            try:
                accounts(now)
            except psycopg2.Error as error:
                print(f"accounts: not set, SQLSTATE {error.pgcode or 'unknown'}", flush=True)
            else:
                known = now
                print("accounts: set from the secret store", flush=True)
        time.sleep(FOLLOW_S)


def main() -> None:
    """Do everything if this member leads or is being promoted."""
    if sys.argv[1] == "follow":
        follow()
    if sys.argv[2] not in ("master", "primary"):
        return
    end = time.monotonic() + PATIENCE_S
    while not leading():
        if time.monotonic() > end:
            sys.exit("not the leader after all")
        time.sleep(0.5)
    accounts(delivered())
    session = connect("postgres")
    database(session.cursor())
    session.close()
    with connect(DATABASE) as session, session.cursor() as cursor:
        cursor.execute(SCHEMA.read_text())
    stanza()


if __name__ == "__main__":
    main()
