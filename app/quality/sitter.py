"""A photo as the judge renders it: at the video's size, upright, measured for the puppet."""

from dataclasses import dataclass

from app.face.analyzer import FaceAnalyzer
from app.face.choice import choose
from app.face.config import FaceConfig
from app.face.turns import turn, upright_turns
from app.media.config import MediaConfig
from app.media.image import decode_portrait, fit
from app.values import FaceMesh, Portrait
from app.variants.puppet import Prepared, Puppet


@dataclass(frozen=True, slots=True, eq=False)
class Sitter:
    """A photo and the face in it.

    Attributes:
        name: of the photo.
        portrait: at the video's size.
        mesh: of the largest face, in its px.
        prepared: what the puppet measured.
    """

    name: str
    portrait: Portrait
    mesh: FaceMesh
    prepared: Prepared


def sit(name: str, photo: bytes, size_px: int, analyzer: FaceAnalyzer, puppet: Puppet) -> Sitter:
    """Return a photo ready to be rendered, as the server would make it.

    Args:
        name: of the photo.
        photo: an image file.
        size_px: longer side of the video.
        analyzer: finds the face.
        puppet: measures it.

    Raises:
        AppError: the photo is refused, or its face cannot be animated.
    """
    decoded = decode_portrait(photo, MediaConfig()).portrait
    mesh = choose(analyzer.analyze(decoded.pixels), None, FaceConfig())
    fitted = fit(decoded, size_px)
    mesh = mesh.scaled(fitted.x_factor, fitted.y_factor)
    portrait, mesh = turn(fitted.portrait, mesh, upright_turns(mesh))
    return Sitter(name, portrait, mesh, puppet.prepare(portrait, mesh))
