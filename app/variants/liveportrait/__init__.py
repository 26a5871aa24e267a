"""Everything around LivePortrait's nets, as numpy functions: no torch, Ray, files or state.

Motion lives in the nets' key-point space (21 points; x right, y down, about -1 to 1 over the
crop). Pictures are uint8 RGB, crops 512 px, net inputs 256 px. Unlike `app.values`, pixel
coordinates here are OpenCV's, with pixel centres at whole numbers: `landmarks.mesh_points` and
`paste` convert.

Source of all formulas: LivePortrait@1986663 (MIT) and its paper, arXiv:2407.03168. Deviations
are named where they are; `TransferSettings.as_published` turns those off that change results.
"""
