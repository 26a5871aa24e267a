"""Photos at the video's size, and the squares around their faces."""

import numpy as np
import pytest

from app.errors import TooLarge
from app.observability.stages import StageTimes
from app.serving.sitting import Sat, sit
from app.serving.take import Session
from app.settings import AppArgs
from app.topology import NOSE_TIP
from app.values import FaceMesh, Portrait
from tests.fake_face import fake_mesh, fake_portrait


class Faces:
    """Stands for the models: every photo shows one known face."""

    def __init__(self, mesh: FaceMesh) -> None:
        self.mesh = mesh

    async def faces(self, photo: Portrait) -> list[FaceMesh]:
        return [self.mesh]


async def sat(
    height: int, width: int, face_px: float, size: int | None, *, roll_deg: float = 0.0
) -> Sat:
    mesh = fake_mesh((0.4 * width, height / 2), face_px, roll_deg)
    session = Session(AppArgs(), Faces(mesh), None, StageTimes())  # type: ignore[arg-type]
    return await sit(session, fake_portrait(mesh, height, width), size, None, crop=True)


async def test_a_crop_shows_the_face_where_its_mesh_says_however_the_head_leans() -> None:
    angles = []
    for roll_deg in (0.0, 30.0):
        found = await sat(600, 900, 200, 512, roll_deg=roll_deg)
        pixels, points = found.portrait.pixels, found.mesh.points
        assert pixels.shape == (512, 512, 3)
        x, y = points[NOSE_TIP, :2].round().astype(int)
        red, green, blue = pixels[y, x].astype(int)
        assert red > 150 > 80 > max(green, blue)  # the painted nose
        across = points[263, :2] - points[33, :2]
        angles.append(np.degrees(np.arctan2(across[1], across[0])))
    assert abs(angles[1] - angles[0]) < 0.5


async def test_a_small_face_in_a_large_photo_takes_no_more_than_the_crop() -> None:
    """The photo itself is never enlarged: 70 px of 3000 would make it 44,000 px wide."""
    found = await sat(1000, 3000, 70, 1024)
    assert found.portrait.pixels.shape == (1024, 1024, 3)


async def test_the_crops_own_size_counts_and_not_the_photos() -> None:
    assert (await sat(1000, 4000, 150, None)).portrait.pixels.shape[0] < 600
    with pytest.raises(TooLarge):
        await sat(2048, 2048, 1500, None)
