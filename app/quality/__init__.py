"""Judges of finished videos. Nothing imports this room."""
