"""ACC-01: one reply in eight of the public API comes a quarter of a second late."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.model import Breach
from assay.plant import Plant

NAMESPACE, DEPLOYMENT, CONTAINER = "shop", "public-api", "public-api"


@contextmanager
def late_replies(plant: Plant) -> Iterator[Breach]:
    """Delay 12 % of the replies by 250 ms; clearly more than 5 %, so that the run must end in FAIL and not in doubt."""
    delay = [{"name": "ASSAY_DELAY_MS", "value": "250"}, {"name": "ASSAY_DELAY_SHARE", "value": "0.12"}]
    containers = [{"name": CONTAINER, "env": delay}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    with plant.patched("Deployment", NAMESPACE, DEPLOYMENT, patch):
        yield Breach("share_over", "above", 0.05)


PLANTED = [late_replies]
