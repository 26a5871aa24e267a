import numpy as np

from app.variants.liveportrait.retargeting import Retargeting
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check


def test_retargeting_equals_the_published(retargeting: Retargeting) -> None:
    fixture = Fixture("retargeting")
    source, driving = fixture.inputs["kp_source"], fixture.inputs["kp_driving"]
    both = np.concatenate([source.reshape(2, 63), driving.reshape(2, 63)], axis=1)
    check(
        fixture.compare(
            {
                "stitch_delta": retargeting.stitching(both),
                "stitched": retargeting.stitched(source, driving),
                "eye_delta": retargeting.eye_changes(source, fixture.inputs["eye_ratio"]),
                "lip_delta": retargeting.lip_changes(source, fixture.inputs["lip_ratio"]),
            }
        )
    )


def test_one_source_serves_every_frame(retargeting: Retargeting) -> None:
    source = Fixture("retargeting").inputs["kp_source"][:1]
    driving = np.random.default_rng(0).normal(0, 0.3, (4, 21, 3)).astype(np.float32)
    together = retargeting.stitched(source, driving)
    alone = [retargeting.stitched(source, driving[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert driving.shape == together.shape
