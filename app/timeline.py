"""Exact media time: rational frame rates, and how many frames a recording takes."""

import math
import re
from fractions import Fraction

from app.errors import BadRequest

MIN_FPS = 1
MAX_FPS = 60
_MAX_DENOMINATOR = 1001
_NTSC = tuple(Fraction(whole * 1000, 1001) for whole in (12, 15, 24, 30, 48, 60))
# 23.98 is 0.004 away from 24000/1001, 23.99 is not meant as NTSC.
_NTSC_TOLERANCE = Fraction(1, 200)
_DECIMAL = re.compile(r"\d{1,3}(?:\.\d{0,12})?", re.ASCII)
_RATIO = re.compile(r"\d{1,7}/\d{1,7}", re.ASCII)


def frame_count(duration_s: Fraction, fps: Fraction) -> int:
    """Return the frames that cover `duration_s` at `fps`: the product rounded half up, >= 1."""
    return max(1, math.floor(duration_s * fps + Fraction(1, 2)))


def ping_pong(index: int, length: int) -> int:
    """Return where a clip of `length` frames is after `index` steps to and fro.

    Neither end is shown twice: 0, 1, .., n-1, n-2, .., 1, 0, 1, ..; a single frame stays.

    Args:
        index: >= 0.
        length: n, > 0.
    """
    period = max(1, 2 * (length - 1))
    step = index % period
    return min(step, period - step) if length > 1 else 0


def nominal_fps(rate: Fraction) -> Fraction:
    """Return the whole or NTSC rate within half a percent of `rate`, in Hz, otherwise `rate`."""
    nearest = min((*_NTSC, Fraction(max(1, round(rate)))), key=lambda usual: abs(usual - rate))
    return nearest if abs(nearest - rate) <= rate / 200 else rate


def clamped_fps(rate: Fraction) -> Fraction:
    """Return `rate` in Hz, brought to [1, 60], its denominator at most 1001."""
    inside = min(max(rate, Fraction(MIN_FPS)), Fraction(MAX_FPS))
    return inside.limit_denominator(_MAX_DENOMINATOR)


def parse_fps(text: str) -> Fraction:
    """Return the frame rate that `text` names, in Hz, in [1, 60].

    Args:
        text: "25", "12.5", "30000/1001", or a usual short form of an NTSC rate such as "23.976",
            "29.97" and "59.94", which stand for n * 1000/1001.

    Returns:
        The nearest fraction whose denominator is at most 1001, so that time stamps stay small.

    Raises:
        BadRequest: not a number, or out of range.
    """
    text = text.strip()
    if _DECIMAL.fullmatch(text):
        rate = _snap_to_ntsc(Fraction(text.rstrip(".")))
    elif _RATIO.fullmatch(text) and int(text.split("/")[1]):
        rate = Fraction(text)
    else:
        raise _bad_fps()
    if not MIN_FPS <= rate <= MAX_FPS:
        raise _bad_fps()
    return rate.limit_denominator(_MAX_DENOMINATOR)


def _snap_to_ntsc(rate: Fraction) -> Fraction:
    """Return the NTSC rate that a number with decimals abbreviates, otherwise the number."""
    if rate.denominator == 1:
        return rate
    nearest = min(_NTSC, key=lambda ntsc: abs(ntsc - rate))
    return nearest if abs(nearest - rate) < _NTSC_TOLERANCE else rate


def _bad_fps() -> BadRequest:
    return BadRequest(
        f"fps is not a frame rate from {MIN_FPS} to {MAX_FPS}.",
        "Send a number such as 25 or 29.97, or a fraction such as 30000/1001.",
    )
