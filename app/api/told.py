"""What the headers of an answer tell."""

from collections.abc import Iterable

from app.values import ModelCard

TICKET = "x-digital-human-ticket"
"""Of a refusal and of the request that follows it: keeps a place for a live stream."""


def models_header(cards: Iterable[ModelCard]) -> str:
    """Return `role=variant` pairs, such as `portrait=puppet, lips=viseme`.

    Made-up weights are marked: `lips=wav2lip;weights=seeded`.
    """
    return ", ".join(
        f"{card.role}={card.variant}" + (";weights=seeded" if card.weights == "seeded" else "")
        for card in cards
    )
