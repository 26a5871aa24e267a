"""Named points of the 478-point face mesh, as indices.

Left and right are those of the image: the image-left eye is the person's right one. A path runs
from the image's left to the image's right unless it says otherwise, and neighbours in it are
neighbours on the face. Source: mediapipe@22eb5d1 python/solutions/face_mesh_connections.py.
"""

from typing import Final

Indices = tuple[int, ...]

NOSE_TIP: Final = 1
NOSE_BRIDGE: Final = 168
FOREHEAD: Final = 10
CHIN: Final = 152
LEFT_CHEEK: Final = 234
RIGHT_CHEEK: Final = 454

LEFT_EYE_OUTER: Final = 33
LEFT_EYE_INNER: Final = 133
RIGHT_EYE_INNER: Final = 362
RIGHT_EYE_OUTER: Final = 263
EYE_CORNERS: Final[Indices] = (LEFT_EYE_OUTER, LEFT_EYE_INNER, RIGHT_EYE_INNER, RIGHT_EYE_OUTER)

# Lids of one eye have equal lengths and share both corners: upper[i] stands above lower[i].
LEFT_EYE_UPPER: Final[Indices] = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LEFT_EYE_LOWER: Final[Indices] = (33, 7, 163, 144, 145, 153, 154, 155, 133)
RIGHT_EYE_UPPER: Final[Indices] = (362, 398, 384, 385, 386, 387, 388, 466, 263)
RIGHT_EYE_LOWER: Final[Indices] = (362, 382, 381, 380, 374, 373, 390, 249, 263)

# Rings run clockwise as seen, from their leftmost corner, and do not repeat the first point.
LEFT_EYE_RING: Final[Indices] = LEFT_EYE_UPPER + LEFT_EYE_LOWER[-2:0:-1]
RIGHT_EYE_RING: Final[Indices] = RIGHT_EYE_UPPER + RIGHT_EYE_LOWER[-2:0:-1]

# The centre, then four points of the rim.
LEFT_IRIS: Final[Indices] = (468, 469, 470, 471, 472)
RIGHT_IRIS: Final[Indices] = (473, 474, 475, 476, 477)

LEFT_BROW_UPPER: Final[Indices] = (70, 63, 105, 66, 107)
LEFT_BROW_LOWER: Final[Indices] = (46, 53, 52, 65, 55)
RIGHT_BROW_UPPER: Final[Indices] = (336, 296, 334, 293, 300)
RIGHT_BROW_LOWER: Final[Indices] = (285, 295, 282, 283, 276)

# The four lip paths have equal lengths; the outer two share both corners, as do the inner two.
OUTER_LIP_UPPER: Final[Indices] = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LIP_LOWER: Final[Indices] = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_LIP_UPPER: Final[Indices] = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LIP_LOWER: Final[Indices] = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_LIPS: Final[Indices] = OUTER_LIP_UPPER + OUTER_LIP_LOWER[-2:0:-1]
INNER_LIPS: Final[Indices] = INNER_LIP_UPPER + INNER_LIP_LOWER[-2:0:-1]
MOUTH_CORNERS: Final[Indices] = (61, 291)

# Clockwise as seen, from the middle of the forehead.
FACE_OVAL: Final[Indices] = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288),
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136),
    *(172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
# The part of the oval below the cheeks, from image left over the chin to image right.
JAW: Final[Indices] = (
    *(234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454),
)
