"""A photo and the face in it, at the video's size and upright."""

import asyncio
from dataclasses import dataclass

from app.face.choice import check_size, choose
from app.face.turns import turn, upright_turns
from app.media.image import fit
from app.serving.take import Session
from app.values import FaceMesh, Portrait
from app.variants.liveportrait.crop import SOURCE, cut, squares
from app.variants.liveportrait.driving import in_crop
from app.variants.liveportrait.landmarks import mesh_points


@dataclass(frozen=True, slots=True, eq=False)
class Sat:
    """A photo as it is animated.

    Attributes:
        portrait: at the video's size.
        mesh: of the chosen face, in its pixels.
        faces: how many the photo shows.
    """

    portrait: Portrait
    mesh: FaceMesh
    faces: int


async def sit(
    session: Session,
    photo: Portrait,
    size: int | None,
    face_index: int | None,
    *,
    crop: bool = False,
) -> Sat:
    """Return a photo ready to be animated.

    Args:
        session: of the request.
        photo: as it was decoded.
        size: longer side of the video, px; None keeps the photo's.
        face_index: which face; None takes the largest.
        crop: whether the square around the face is all that is left of it.

    Raises:
        AppError: the photo is too large, or its face cannot be animated.
    """
    height, width = photo.pixels.shape[:2]
    session.check_size(size, width, height)
    with session.times.measure("face"):
        meshes = await session.models.faces(photo)
    config = session.args.face
    mesh = choose(meshes, face_index, config)
    with session.times.measure("layout"):
        staged = asyncio.to_thread(_cropped if crop else _staged, photo, mesh, size)
        portrait, mesh = await staged
        check_size(mesh, config)
    return Sat(portrait, mesh, len(meshes))


def _staged(photo: Portrait, mesh: FaceMesh, size: int | None) -> tuple[Portrait, FaceMesh]:
    """Return photo and mesh at the video's size, and upright."""
    fitted = fit(photo, size)
    mesh = mesh.scaled(fitted.x_factor, fitted.y_factor)
    return turn(fitted.portrait, mesh, upright_turns(mesh))


def _cropped(photo: Portrait, mesh: FaceMesh, size: int | None) -> tuple[Portrait, FaceMesh]:
    """Return the square around the face as LivePortrait frames it, upright, and the mesh in it."""
    side = float(squares(mesh_points(mesh.points)[None], SOURCE).side[0])
    crop_px = 2 * round((size or side) / 2)
    fitted = fit(photo, max(1, round(max(photo.pixels.shape) * crop_px / side)))
    mesh = mesh.scaled(fitted.x_factor, fitted.y_factor)
    # Of what remains of the size, which was rounded, the matrix takes care.
    matrices = squares(mesh_points(mesh.points)[None], SOURCE).matrices(crop_px)
    pixels = cut([fitted.portrait.pixels], matrices, crop_px)[0]
    points = in_crop(mesh.points[None], matrices)[0]
    return Portrait(pixels), FaceMesh(points, mesh.blendshapes, mesh.score)
