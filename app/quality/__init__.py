"""Judges of what the embedded default renders, and of videos. No part of the server imports it."""
