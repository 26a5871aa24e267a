"""LivePortrait's published nets, after the papers and the published checkpoints' tensors.

A portrait goes through `appearance.py` (F) once and every picture of motion through `motion.py`
(M); a frame is `warping.py` (W), then `decoder.py` (G); `stitching.py` (S) corrects key-points.
`state_dict.py` holds the published names. Each net comes as the checkpoint describes it;
`app.models.folding` makes of it the same function with fewer operations, to run and to export.

Source: LivePortrait (arXiv 2407.03168), github KwaiVGI/LivePortrait@1986663.
"""
