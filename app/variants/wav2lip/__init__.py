"""Everything around Wav2Lip's net, as numpy functions: no torch, Ray, files or state.

The log-mel and its windows are in `app.media.mel`. Source: Wav2Lip@5c90fa9 inference.py; its
paper, arXiv:2008.10010.
"""
