"""Faces in images: boxes, the 478-point mesh and expression scores, on LiteRT; no torch."""
