"""SEC-23: ConfigMaps with values that belong into a Secret, written, generated, wrapped, declared."""

import base64
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.sops_sample import PASSWORD
from assay.proof.violation import violation


FILE = "apps/planted.yaml"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: planted, namespace: planted}}\n{0}:\n  {1}: {2}\n"
PLACE = "name: planted, namespace: planted"
FOLDER = "apps/planted"
GENERATOR = "kind: Kustomization\nconfigMapGenerator:\n  - name: planted\n    {0}:\n      - {1}\n"


@contextmanager
def planted(plant: Plant, key: str, value: str, holder: str = "data") -> Iterator[Named]:
    """A ConfigMap with one value; named by its line."""
    with plant.added("gitops", FILE, MAP.format(holder, key, value)) as path:
        yield plant.located(path, 5)


@violation()
def dsn_with_password(plant: Plant) -> Iterator[Named]:
    """A database URL with a password."""
    with planted(plant, "DATABASE_URL", f"postgres://app:{PASSWORD}@pooler.data.svc:5432/app") as ref:
        yield ref


@violation()
def keyword_dsn(plant: Plant) -> Iterator[Named]:
    """A database connection string with a password, in libpq's keywords."""
    with planted(plant, "connection", f"host=pooler user=app password={PASSWORD} dbname=app") as ref:
        yield ref


@violation()
def password_by_name(plant: Plant) -> Iterator[Named]:
    """A password under a key that says so."""
    with planted(plant, "SMTP_PASSWORD", PASSWORD) as ref:
        yield ref


@violation()
def password_in_binary(plant: Plant) -> Iterator[Named]:
    """A password in a configuration file in binaryData."""
    inner = base64.b64encode(f"[smtp]\nuser = mailer\npassword = {PASSWORD}\n".encode()).decode()
    with planted(plant, "mail.ini", inner, "binaryData") as ref:
        yield ref


@violation()
def variable_of_a_tool(plant: Plant) -> Iterator[Named]:
    """A password under the variable that libpq reads, whose name is a single word."""
    with planted(plant, "PGPASSWORD", PASSWORD) as ref:
        yield ref


@violation()
def directive(plant: Plant) -> Iterator[Named]:
    """A password in a server's directive, with only a space between name and value."""
    with planted(plant, "redis.conf", f"|\n    maxmemory 64mb\n    requirepass {PASSWORD}") as ref:
        yield ref


@violation()
def compressed(plant: Plant) -> Iterator[Named]:
    """A password in JSON that was compressed and encoded, under a key that does not look secret."""
    inner = zlib.compress(f'{{"db": {{"password": "{PASSWORD}", "port": 5432}}}}'.encode())
    with planted(plant, "state", base64.b64encode(inner).decode()) as ref:
        yield ref


@violation()
def compressed_in_binary(plant: Plant) -> Iterator[Named]:
    """A password in TOML, in a gzip file in binaryData."""
    inner = gzip.compress(f'[db]\nport = 5432\npassword = "{PASSWORD}"\n'.encode())
    with planted(plant, "state.gz", base64.b64encode(inner).decode(), "binaryData") as ref:
        yield ref


@violation()
def declared_sensitive(plant: Plant) -> Iterator[Named]:
    """A ConfigMap whose name is declared sensitive, with a value that does not look secret."""
    glob = plant.profile.platform.sensitive_configmaps[0]
    space, _, name = glob.replace("*", "planted").partition("/")
    text = MAP.format("data", "limit", "'42'").replace(PLACE, f"name: {name}, namespace: {space}")
    with plant.added("gitops", FILE, text) as path:
        yield plant.located(path, 5)


@violation()
def says_it_is_sensitive(plant: Plant) -> Iterator[Named]:
    """A ConfigMap that is annotated as sensitive."""
    note = f'annotations: {{{plant.profile.platform.annotations.sensitive}: "true"}}, {PLACE}'
    text = MAP.format("data", "limit", "'42'").replace(PLACE, note)
    with plant.added("gitops", FILE, text) as path:
        yield plant.located(path, 5)


@violation()
def generated_from_a_literal(plant: Plant) -> Iterator[Named]:
    """A ConfigMap that kustomize generates from a literal."""
    text = GENERATOR.format("literals", f"REDIS_PASSWORD={PASSWORD}")
    with plant.added("gitops", f"{FOLDER}/kustomization.yaml", text) as path:
        yield plant.located(path, 5)


@violation()
def generated_from_a_file(plant: Plant) -> Iterator[Named]:
    """A ConfigMap that kustomize generates from a file that is not YAML."""
    text = GENERATOR.format("files", "app.conf")
    with plant.added("gitops", f"{FOLDER}/kustomization.yaml", text) as path:
        (path.parent / "app.conf").write_text(f"listen = 8080\napi_token = {PASSWORD}\n", encoding="utf-8")
        yield plant.located(path.parent / "app.conf")


@violation()
def generated_from_an_environment(plant: Plant) -> Iterator[Named]:
    """A ConfigMap that kustomize generates from an environment file."""
    text = GENERATOR.format("envs", "app.env")
    with plant.added("gitops", f"{FOLDER}/kustomization.yaml", text) as path:
        (path.parent / "app.env").write_text(f"PORT=8080\nDB_PASSWORD={PASSWORD}\n", encoding="utf-8")
        yield plant.located(path.parent / "app.env", 2)
