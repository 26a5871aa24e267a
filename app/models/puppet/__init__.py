"""A 2.5-D portrait renderer over the 478-point face mesh; it has no weights.

`head.py` and `eyelids.py` measure a still portrait once (numpy); `warp.py` and `renderer.py`
draw its frames (torch). Coordinates are image px: x right, y down, origin at the top-left corner,
the centre of the first pixel at (0.5, 0.5); z smaller is nearer, in the same unit.
"""
