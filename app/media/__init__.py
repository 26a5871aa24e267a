"""Bytes to arrays and back: photos, recordings, log-mel, and the MP4 that is streamed out.

Refuses what it cannot read in full with an AppError before any model is called. Holds no nets
and opens no files or sockets: bytes come in, bytes go out.
"""
