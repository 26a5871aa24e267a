"""What the published checkpoints call the parameters that we name otherwise."""

from app.models.renaming import Rename, RenamingTable

WAV2LIP = RenamingTable(
    Rename("audio_encoder.{i}.conv_block.0.{name}", "speech_encoder.{i}.conv.{name}"),
    Rename("audio_encoder.{i}.conv_block.1.{name}", "speech_encoder.{i}.norm.{name}"),
    Rename("face_encoder_blocks.{s}.{i}.conv_block.0.{name}", "face_encoder.{s}.{i}.conv.{name}"),
    Rename("face_encoder_blocks.{s}.{i}.conv_block.1.{name}", "face_encoder.{s}.{i}.norm.{name}"),
    Rename("face_decoder_blocks.{s}.{i}.conv_block.0.{name}", "decoder.{s}.{i}.conv.{name}"),
    Rename("face_decoder_blocks.{s}.{i}.conv_block.1.{name}", "decoder.{s}.{i}.norm.{name}"),
    Rename("output_block.0.conv_block.0.{name}", "painter.conv.{name}"),
    Rename("output_block.0.conv_block.1.{name}", "painter.norm.{name}"),
    Rename("output_block.1.{name}", "to_pixels.{name}"),
)
"""Of wav2lip.pth and wav2lip_gan.pth, for `Wav2Lip`."""

LIPSYNC_EXPERT = RenamingTable(
    Rename("audio_encoder.{i}.conv_block.0.{name}", "speech_encoder.{i}.conv.{name}"),
    Rename("audio_encoder.{i}.conv_block.1.{name}", "speech_encoder.{i}.norm.{name}"),
    Rename("face_encoder.{i}.conv_block.0.{name}", "lips_encoder.{i}.conv.{name}"),
    Rename("face_encoder.{i}.conv_block.1.{name}", "lips_encoder.{i}.norm.{name}"),
)
"""Of lipsync_expert.pth, for `SyncNet`."""
