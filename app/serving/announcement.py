"""The line of the log in which a model replica says, once, what it serves under which licence."""

import logging

from app.values import ModelCard
from app.weights.manifest import MANIFEST

logger = logging.getLogger("ray.serve")  # Ray adds deployment and replica


SLOW = (
    "On a CPU, liveportrait takes seconds a frame: give session.group_frames 1 and "
    "session.call_deadline_s 120, or videos end in the error `deadline`."
)


def announce(deployment: str, card: ModelCard) -> None:
    """Write what a replica serves; for when its model was just loaded."""
    logger.info(announcement(deployment, card))
    if card.variant == "liveportrait" and card.device == "cpu":
        logger.warning(SLOW)


def announcement(deployment: str, card: ModelCard) -> str:
    """Return which variant runs where, with which weights, under which licence and terms."""
    line = (
        f"{deployment} serves {card.variant} on {card.device}, weights {card.weights}, "
        f"licence {card.licence}"
    )
    if card.weights != "published":
        return line
    # Groups are named after what their files serve: a variant, or the face role.
    groups = {card.variant, card.role}
    file = next(file for file in MANIFEST if file.group in groups)
    return f"{line}: {file.author}. {file.terms}".rstrip()
