"""What our losses share: a weight, and a name in the log."""

from typing import Any

from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ..contracts import DecodeLoss


class WeightedLoss(BaseModule):
    """A loss that MMEngine trains on.

    Args:
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.
        init_cfg: As in ``BaseModule``.

    Raises:
        ValueError: If ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        loss_weight: float,
        loss_name: str,
        init_cfg: dict | None = None,
    ) -> None:
        """Check the name and keep both."""
        super().__init__(init_cfg)
        if 'loss' not in loss_name:
            raise ValueError(
                "loss_name must contain 'loss', or MMEngine would log the "
                f'loss without training on it, got {loss_name!r}'
            )
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def refuse_pixel_weights(self, weight: Tensor | None) -> None:
        """Raise a ValueError if a pixel sampler gave weights."""
        if weight is not None:
            raise ValueError(
                f'{type(self).__name__} weighs pixels itself: set '
                'sampler=None in the head'
            )


def losses_of(head: BaseDecodeHead) -> list[DecodeLoss]:
    """Return the modules of ``loss_decode``, one or several."""
    losses: Any = head.loss_decode
    several = isinstance(losses, nn.ModuleList)
    return [*losses] if several else [losses]
