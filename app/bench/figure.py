"""An empty figure to plot on, where matplotlib is installed."""

from typing import TYPE_CHECKING

from app.errors import NotReady

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width_in: float, height_in: float) -> "Figure":
    """Return an empty figure, sizes in inches; needs no display.

    Raises:
        NotReady: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NotReady(
            "The plot needs matplotlib, which is not installed.",
            'Run: pip install "digital-human[bench]".',
        ) from None
    return Figure(figsize=(width_in, height_in), layout="constrained")
