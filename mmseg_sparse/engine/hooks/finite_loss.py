"""Stops a training whose loss is no longer a number."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..resume import last_complete_checkpoint


class LossError(RuntimeError):
    """A loss that is NaN or infinite; the message is one sentence."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops a run whose loss is NaN or infinite several times in a row.

    A single one may be an overflow in mixed precision, whose step the scaler
    leaves out.

    Args:
        patience: Number of iterations in a row after which the run stops.
        allow_nan: Whether the run goes on all the same. Weights that are not
            finite are not written to a checkpoint even then.

    Raises:
        ValueError: If ``patience`` is not positive.
    """

    def __init__(self, patience: int = 3, allow_nan: bool = False) -> None:
        if patience < 1:
            raise ValueError(f'patience must be at least 1, got {patience}')
        self.patience = patience
        self.allow_nan = allow_nan
        self.in_a_row = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Count losses that are not finite.

        Raises:
            LossError: If there were too many of them in a row.
        """
        wrong = {
            name: number
            for name, value in (outputs or {}).items()
            if 'loss' in name and not math.isfinite(number := as_number(value))
        }
        if not wrong:
            self.in_a_row = 0
            return
        self.in_a_row += 1
        parts = [k for k in wrong if k != 'loss'] or ['loss']
        named = ', '.join(f'{name} is {wrong[name]}' for name in parts)
        text = f'iteration {runner.iter + 1}: {named}'
        if self.allow_nan or self.in_a_row < self.patience:
            runner.logger.warning(
                f'{text} ({self.in_a_row} in a row'
                + (')' if self.allow_nan else
                   f'; the run stops after {self.patience})')
            )  # fmt: skip
            return
        kept = last_complete_checkpoint(runner.work_dir)
        raise LossError(
            f'{text}, {self.in_a_row} iterations in a row: the training is '
            'stopped; '
            + (f'the last complete checkpoint is {kept}; ' if kept else '')
            + 'lower optim_wrapper.optimizer.lr, set optim_wrapper.clip_grad='
            'dict(max_norm=1.0) or train without --amp; --allow-nan goes on'
        )


def as_number(value: Any) -> float:
    """Return a logged value, a tensor or a number, as a number."""
    if isinstance(value, torch.Tensor):
        return float(value.item())
    return float(value)
