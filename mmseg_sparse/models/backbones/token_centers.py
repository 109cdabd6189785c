"""Where the tokens of stock backbones are centred."""

from mmseg.models.backbones import (
    PCPVT,
    MixVisionTransformer,
    VisionTransformer,
)
from mmseg.models.utils import PatchEmbed
from torch import nn

from mmseg_sparse.functional.token_centers import Centers, conv_centers


def token_centers(backbone: nn.Module, stage: int) -> Centers:
    """Return the centres of a stage's tokens, the same for rows and columns.

    They are those of the receptive fields of the convolutions that make the
    tokens (:mod:`mmseg_sparse.functional.token_centers`). The layers between
    them mix tokens, on all sides alike.

    Args:
        backbone: ``MixVisionTransformer``, ``VisionTransformer``, ``PCPVT``
            or ``SVT``.
        stage: Index of the stage; a ``VisionTransformer`` has one.

    Raises:
        TypeError: If the backbone is of another kind.
    """
    if isinstance(backbone, VisionTransformer):
        embeddings = [backbone.patch_embed]
    elif isinstance(backbone, MixVisionTransformer):
        embeddings = [layer[0] for layer in backbone.layers]
    elif isinstance(backbone, PCPVT):
        embeddings = list(backbone.patch_embeds)
    else:
        raise TypeError(
            'token centres are known of MixVisionTransformer, '
            'VisionTransformer, PCPVT and SVT (Twins), got the backbone '
            f"{type(backbone).__name__}: set align='extent'"
        )
    return conv_centers(
        _convolution(embedding) for embedding in embeddings[: stage + 1]
    )


def _convolution(embedding: PatchEmbed) -> tuple[int, int, int]:
    """Return kernel size, stride and padding of a patch embedding.

    Its adaptive padding goes to the right and the bottom, where it moves no
    token.
    """
    layer = embedding.projection
    return layer.kernel_size[0], layer.stride[0], layer.padding[0]
