import numpy as np

from app.variants.liveportrait.image import limited_size, to_inputs, to_pictures
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check


def test_pictures_go_in_and_out_as_published() -> None:
    fixture = Fixture("image_io")
    picture, small = fixture.inputs["picture"], fixture.inputs["small"]
    prepared = to_inputs([picture])
    reduced = (prepared[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)
    limits = fixture.expected["resize_to_limit"][:, :4].tolist()
    check(
        fixture.compare(
            {
                "prepared_512": prepared,
                "prepared_256": to_inputs([small]),
                "resize_linear": reduced,
                "resize_area": reduced,
                "video": to_inputs([small, small[::-1]])[:, None],
                "parsed": to_pictures(fixture.inputs["out"]),
                "resize_to_limit": np.array([(*case, *limited_size(*case)) for case in limits]),
            }
        )
    )


def test_levels_are_cut_and_clipped() -> None:
    levels = np.array([-0.5, 0.0, 0.9999 / 255, 254.99 / 255, 1.0, 7.0], np.float32)
    outputs = np.broadcast_to(levels, (1, 3, 1, 6))
    assert to_pictures(outputs)[0, 0, :, 1].tolist() == [0, 0, 0, 254, 255, 255]
