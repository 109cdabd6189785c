"""What the losses of decode heads refuse."""

from torch import Tensor, nn


def check_loss_name(loss_name: str) -> None:
    """Raise a ValueError unless MMEngine would train on that name."""
    if 'loss' not in loss_name:
        raise ValueError(
            "loss_name must hold 'loss', or MMEngine would log it without "
            f'training on it, got {loss_name!r}'
        )


def refuse_weight(loss: nn.Module, weight: Tensor | None) -> None:
    """Raise a ValueError if a pixel sampler gave weights."""
    if weight is not None:
        raise ValueError(
            f'{type(loss).__name__} weighs pixels itself: set sampler=None '
            'in the head'
        )
