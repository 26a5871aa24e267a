"""The published checkpoints' names, per net, beside ours."""

from app.models.renaming import Rename, RenamingTable

APPEARANCE = RenamingTable(
    Rename("first.{layer}.{tensor}", "stem.{layer}.{tensor}"),
    Rename("down_blocks.{i}.{layer}.{tensor}", "down.{i}.{layer}.{tensor}"),
    Rename("second.{tensor}", "lift.{tensor}"),
    Rename("resblocks_3d.3dr{i}.norm1.{tensor}", "residual.{i}.norm_0.{tensor}"),
    Rename("resblocks_3d.3dr{i}.conv1.{tensor}", "residual.{i}.conv_0.{tensor}"),
    Rename("resblocks_3d.3dr{i}.norm2.{tensor}", "residual.{i}.norm_1.{tensor}"),
    Rename("resblocks_3d.3dr{i}.conv2.{tensor}", "residual.{i}.conv_1.{tensor}"),
)

_STAGE = "detector.stages.{i}.{j}"
_BLOCK = "stages.{i}.blocks.{j}"
_HEADS = ("pitch", "yaw", "roll", "t", "exp", "scale", "kp")

MOTION = RenamingTable(
    Rename("detector.downsample_layers.0.0.{tensor}", "stages.0.downsample.conv.{tensor}"),
    Rename("detector.downsample_layers.0.1.{tensor}", "stages.0.downsample.norm.{tensor}"),
    Rename("detector.downsample_layers.{i}.0.{tensor}", "stages.{i}.downsample.norm.{tensor}"),
    Rename("detector.downsample_layers.{i}.1.{tensor}", "stages.{i}.downsample.conv.{tensor}"),
    Rename(_STAGE + ".dwconv.{tensor}", _BLOCK + ".depthwise.{tensor}"),
    Rename(_STAGE + ".norm.{tensor}", _BLOCK + ".norm.{tensor}"),
    Rename(_STAGE + ".pwconv1.{tensor}", _BLOCK + ".expand.{tensor}"),
    Rename(_STAGE + ".grn.{tensor}", _BLOCK + ".response.{tensor}"),
    Rename(_STAGE + ".pwconv2.{tensor}", _BLOCK + ".project.{tensor}"),
    Rename("detector.norm.{tensor}", "norm.{tensor}"),
    Rename(
        tuple(f"detector.fc_{head}.{{tensor}}" for head in _HEADS),
        "heads.{tensor}",
        rows=(66, 66, 66, 3, 63, 1, 63),
    ),
)

_DENSE = "dense_motion_network"
_HOURGLASS = f"{_DENSE}.hourglass"

WARPING = RenamingTable(
    Rename(_DENSE + ".compress.{tensor}", "motion.compress.conv.{tensor}"),
    Rename(_DENSE + ".norm.{tensor}", "motion.compress.norm.{tensor}"),
    Rename(
        _HOURGLASS + ".encoder.down_blocks.{i}.{layer}.{tensor}",
        "motion.hourglass.down.{i}.{layer}.{tensor}",
    ),
    Rename(
        _HOURGLASS + ".decoder.up_blocks.{i}.{layer}.{tensor}",
        "motion.hourglass.up.{i}.{layer}.{tensor}",
    ),
    Rename(_HOURGLASS + ".decoder.{layer}.{tensor}", "motion.hourglass.out.{layer}.{tensor}"),
    Rename(_DENSE + ".mask.{tensor}", "motion.mask.{tensor}"),
    Rename(_DENSE + ".occlusion.{tensor}", "motion.occlusion.{tensor}"),
    Rename("third.{layer}.{tensor}", "flatten.{layer}.{tensor}"),
    Rename("fourth.{tensor}", "project.{tensor}"),
)


def _spade(official: str, ours: str, norms: str) -> tuple[Rename, ...]:
    """Return the lines of a decoder block; `norms` names its normalisations and convolutions."""
    hidden = tuple(f"{official}.norm_{norm}.mlp_shared.0.{{tensor}}" for norm in norms)
    norm, conv = official + ".norm_{n}", official + ".conv_{n}"
    return (
        Rename(hidden, ours + ".shared.conv.{tensor}"),
        Rename(
            (norm + ".mlp_gamma.{tensor}", norm + ".mlp_beta.{tensor}"),
            ours + ".norm_{n}.conv.{tensor}",
        ),
        Rename(conv + ".weight_orig", ours + ".conv_{n}.weight"),
        Rename(conv + ".bias", ours + ".conv_{n}.bias"),
        Rename(conv + ".weight_{vector}", ours + ".conv_{n}.{vector}"),
    )


DECODER = RenamingTable(
    Rename("fc.{tensor}", "stem.{tensor}"),
    *_spade("G_middle_{i}", "middle.{i}", "01"),
    *_spade("up_{i}", "up.{i}", "01s"),
    Rename("conv_img.0.{tensor}", "image.{tensor}"),
)

# The published lists count the rectifiers between the layers.
STITCHING = RenamingTable(
    *(Rename(f"mlp.{2 * i}.{{tensor}}", f"layers.{i}.{{tensor}}") for i in range(6))
)
