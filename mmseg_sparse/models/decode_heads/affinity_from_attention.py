"""AFA's affinity: what the heads of a stage say, weighed and learned."""

import math
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_sparse.functional import Attention, symmetric_scores


class AffinityFromAttention(BaseModule):
    r"""Affinity of each two tokens from the attention of a stage.

    A 1×1 convolution with bias over :math:`S + S^T` of all heads of the
    stage's layers, then a sigmoid:
    :func:`~mmseg_sparse.functional.symmetric_scores` computes it without the
    heads' matrices.

    Source: AFA, eq. 3; that the MLP is one convolution is the release, and so
    are its initial weights: normal, of standard deviation
    :math:`1/\sqrt 3 = 0.577` (Kaiming's for the fan out and
    :math:`a = \sqrt 5`), four times PyTorch's for 16 heads.

    Args:
        heads: Number of heads of all layers of the stage together.
        stage: The stage of the backbone, for messages.
        scaled: Whether scores are divided by :math:`\sqrt d`, as eq. 1 has
            it. The release takes them as they are.
        init_cfg: As in ``BaseModule``.
    """

    def __init__(
        self,
        heads: int,
        *,
        stage: int,
        scaled: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        """Build the convolution."""
        super().__init__(init_cfg)
        if heads < 1:
            raise ValueError(f'attention_heads must be positive, got {heads}')
        self.stage = stage
        self.scaled = scaled
        self.conv = nn.Conv2d(heads, 1, 1)
        nn.init.kaiming_normal_(
            self.conv.weight, a=math.sqrt(5), mode='fan_out'
        )

    def forward(self, layers: Sequence[Attention]) -> Tensor:
        """Return affinities in (0, 1), ``(N, M, M)``, in float32 or wider.

        Args:
            layers: The recorded layers of the stage.

        Raises:
            ValueError: If the attention is not square, or has another number
                of heads.
        """
        try:
            scores = symmetric_scores(
                layers, self.conv.weight.flatten(), scaled=self.scaled
            )
        except ValueError as error:
            raise ValueError(
                f'AffinityFromAttention of stage {self.stage}: {error}'
            ) from error
        assert self.conv.bias is not None
        return (scores + self.conv.bias).sigmoid()
