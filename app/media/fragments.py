"""How many pictures a piece of a fragmented MP4 brings, read from its boxes."""

from app.media.boxes import samples_in, within

PICTURE_TRACK = 1
"""`app.media.mp4` writes the pictures as the first track."""


def pictures_in(data: bytes) -> int:
    """Return how many pictures the fragments in `data` hold.

    Args:
        data: whole boxes, as `Mp4Writer` returns them.
    """
    return sum(samples_in(moof, PICTURE_TRACK) for moof in within(memoryview(data), b"moof"))
