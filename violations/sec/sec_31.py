"""SEC-31: a plain backup, a compressed one, a header that covers readable bytes, the key beside its lock."""

import base64
import gzip
import json
import secrets
from collections.abc import Callable, Iterator

from assay.backups.ciphertext import kept_secrets
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


AGE = b"age-encryption.org/v1\n-> X25519 c29tZWJvZHkncyBzaGFyZQ\n--- bWFj\n"
SALTED = b"Salted__"
CLEAR = b"INSERT INTO orders VALUES (1, 'a customer', 'an address'); " * 400
ROWS = "INSERT INTO orders VALUES (1, 'Müller'); ".encode() * 20
RECORD = b"/registry/secrets/planted/app"
ARMOUR = b"-----BEGIN AGE ENCRYPTED FILE-----\n%s-----END AGE ENCRYPTED FILE-----\n"


def _uploaded(name: str, what: str, body: Callable[[Plant], bytes], key: str = "backup") -> None:
    """Register a violation that uploads one object to a bucket of its own."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.s3.bucket(name.replace("_", "-")) as bucket:
            yield Named(plant.s3.upload(bucket, key, body(plant)))


def _parts() -> bytes:
    """Return small encrypted parts as pgBackRest bundles them."""
    return b"".join(SALTED + secrets.token_bytes(40) for _ in range(20))


def _key(plant: Plant) -> bytes:
    """Return random bytes with one of the escrowed secrets in their middle."""
    kept = kept_secrets(plant.profile.need_path("escrow.folder"))
    return SALTED + secrets.token_bytes(9000) + kept[0] + secrets.token_bytes(9000)


_uploaded("plain", "A database dump in clear.", lambda _: CLEAR)
_uploaded(
    "compressed",
    "A compressed dump, which looks random but is not encrypted.",
    lambda _: gzip.compress(CLEAR),
)
_uploaded("age_in_name_only", "The header of age, followed by a dump in clear.", lambda _: AGE + CLEAR)
_uploaded(
    "half_encrypted",
    "An object that begins as ciphertext and continues in clear.",
    lambda _: SALTED + secrets.token_bytes(8000) + CLEAR * 4,
)
_uploaded(
    "readable_inside",
    "One readable record in the middle of random bytes.",
    lambda _: SALTED + secrets.token_bytes(60000) + RECORD + secrets.token_bytes(60000),
)
_uploaded(
    "archive_behind",
    "The header of a cipher, followed by a compressed archive.",
    lambda _: SALTED + secrets.token_bytes(8) + gzip.compress(secrets.token_bytes(9000)),
)
_uploaded(
    "endless_header",
    "An object that begins as age does, with a header that never ends.",
    lambda _: AGE.partition(b"\n---")[0] + secrets.token_bytes(9000),
)
_uploaded(
    "small_dump",
    "The header of a cipher, followed by one readable line.",
    lambda _: SALTED + secrets.token_bytes(8) + CLEAR[:200],
)
_uploaded(
    "small_rows",
    "The header of a cipher, followed by readable rows that are not all ASCII.",
    lambda _: SALTED + secrets.token_bytes(8) + ROWS,
)
_uploaded(
    "kopia_in_name_only",
    "An object that is called as kopia calls its configuration, and holds a dump.",
    lambda _: CLEAR,
    key="kopia.repository",
)
_uploaded("key_beside", "A secret of the escrow in a bucket beside the backups.", _key)
_uploaded(
    "rclone_in_name_only",
    "The header of rclone's crypt, followed by a dump in clear.",
    lambda _: b"RCLONE\0\0" + CLEAR,
)
_uploaded(
    "armour_over_clear",
    "A dump in clear, as text in the armour of age.",
    lambda _: ARMOUR % base64.encodebytes(CLEAR),
)
_uploaded(
    "clear_part_in_a_bundle",
    "A bundle of many encrypted parts, one of them in clear.",
    lambda _: _parts() + CLEAR + _parts(),
)


@violation(tier="live")
def volume_in_clear(plant: Plant) -> Iterator[Named]:
    """A block of a Longhorn volume that is not encrypted, compressed as Longhorn does."""
    root = "backupstore/volumes/0a/1b/pvc-planted"
    with plant.s3.bucket("volume-in-clear") as bucket:
        plant.s3.upload(
            bucket, f"{root}/volume.cfg", json.dumps({"Name": "pvc-planted", "Size": "1"}).encode()
        )
        yield Named(plant.s3.upload(bucket, f"{root}/blocks/0c/2d/0c2d.blk", gzip.compress(CLEAR)))
