"""What a head does while the face that drives it is not to be seen.

T frames, R numbers of a performance's row (79).
"""

import numpy as np
from numpy.typing import NDArray

from app.driving import Performance

Floats = NDArray[np.float32]

HOLD_S = 0.5
"""So long the last movement seen is held."""
EASE_BACK_S = 1.2
"""So long it then takes to come to rest."""
EASE_IN_S = 0.4
"""So long it takes to follow the face again once it is back."""


class Holding:
    """Fills the frames in which a driving face is lost; one per session, in order of time.

    It holds, then eases back to rest; when the face is back, it eases into following it.

    Args:
        rest: T = 1, what the head does at rest: the driving's first frame.
        frame_s: media seconds from frame to frame.
    """

    def __init__(self, rest: Performance, frame_s: float) -> None:
        self._rest = rest.rows()[0]
        self._frame_s = frame_s
        self._target = self._shown = self._rest
        self._lag = np.zeros_like(self._rest)
        self._lost_s = np.inf
        self._found_s = np.inf

    def fill(self, seen: NDArray[np.bool_], performance: Performance | None) -> Performance:
        """Return a performance of T frames.

        Args:
            seen: (T,) bool, in which frames the face was seen.
            performance: of those frames alone; None if there are none.
        """
        if performance is not None and seen.all() and self._is_following(len(seen)):
            self._target = self._shown = performance[len(seen) - 1 :].rows()[0]
            return performance
        rows = iter(performance.rows() if performance is not None else ())
        filled = [self._next(next(rows) if is_seen else None) for is_seen in seen]
        return Performance.of_rows(np.stack(filled))

    def _is_following(self, frames: int) -> bool:
        """Whether the face was seen before, for so long that nothing is eased any more."""
        if self._lost_s > 0 or self._found_s < EASE_IN_S:
            return False
        self._found_s += frames * self._frame_s
        return True

    def _next(self, row: Floats | None) -> Floats:
        """Return what is shown in the next frame, in which `row` is seen, or nothing."""
        if row is None:
            self._lost_s += self._frame_s
        else:
            if self._lost_s > 0:
                self._lag, self._found_s = self._shown - row, 0.0
            self._target, self._lost_s = row, 0.0
        self._found_s += self._frame_s
        stays = 1 - _smoothstep((self._lost_s - HOLD_S) / EASE_BACK_S)
        lags = 1 - _smoothstep(self._found_s / EASE_IN_S)
        wanted: Floats = self._rest + np.float32(stays) * (self._target - self._rest)
        shown: Floats = wanted + np.float32(lags) * self._lag
        self._shown = shown
        return shown


def _smoothstep(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
