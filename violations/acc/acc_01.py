"""ACC-01: one reply in eight of the public API comes a quarter of a second late."""

from collections.abc import Iterator

from assay.model import Breach
from assay.proof.plant import Plant
from assay.proof.rollouts import pod_spec_of, rolled, with_variables
from assay.proof.violation import violation


DELAY = [{"name": "ASSAY_DELAY_MS", "value": "250"}, {"name": "ASSAY_DELAY_SHARE", "value": "0.12"}]


@violation()
def late_replies(plant: Plant) -> Iterator[Breach]:
    """12 % of the replies come 250 ms late: so far above 5 % that the verdict cannot be doubtful."""
    api = plant.targets.declared("api")
    with rolled(plant, api, with_variables(pod_spec_of(plant, api), DELAY)):
        yield Breach("share_over", "above", 0.05)
