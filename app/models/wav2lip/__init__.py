"""The published lip-sync net Wav2Lip and its judge SyncNet, written from their descriptions.

Source: Prajwal et al. 2020, "A Lip Sync Expert Is All You Need for Speech to Lip Generation in the
Wild"; layer sizes from the published checkpoints (Wav2Lip@5c90fa9). tests/unit/models/wav2lip
holds both nets to the published ones' outputs.
"""
