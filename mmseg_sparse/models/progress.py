"""How far a training is, for losses and heads that change with it."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from mmengine.logging import MessageHub


def training_iteration() -> int:
    """Return the index of the running training iteration, from 0.

    It is MMEngine's own count, which a checkpoint holds: a resumed training
    continues in the phase it was in. 0 outside of a training.
    """
    return int(MessageHub.get_current_instance().get_info('iter', 0))


def training_length() -> int | None:
    """Return the number of iterations of the running training.

    It is MMEngine's; None outside of a training, and in one whose loop does
    not count iterations.
    """
    hub = MessageHub.get_current_instance()
    length = hub.get_info('max_iters', None)
    return None if length is None else int(length)


def check_begin(name: str, begin: float | None) -> None:
    """Raise a ValueError unless :func:`has_begun` understands ``begin``."""
    if begin is None:
        return
    if (
        isinstance(begin, bool)
        or not isinstance(begin, int | float)
        or begin < 0
        or (isinstance(begin, float) and begin > 1)
    ):
        raise ValueError(
            f'{name} must be an iteration (int) of at least 0, a fraction '
            f'(float) of the training in [0, 1] or None, got {begin!r}'
        )


def has_begun(begin: float | None) -> bool:
    """Tell whether the running training has reached a point.

    Args:
        begin: An iteration (int); a fraction (float) of the iterations of
            the training, which a training of unknown length never reaches
            unless it is 0; None for never.
    """
    if begin is None:
        return False
    if isinstance(begin, float) and begin > 0:
        length = training_length()
        if length is None:
            return False
        begin *= length
    return training_iteration() >= begin


@dataclass(frozen=True)
class WeightSchedule:
    """How much a loss weighs in the course of a training.

    In iteration t, counted from 0, its factor is 0 before ``begin``, then
    grows linearly to 1 within ``ramp`` iterations, :math:`(t - begin + 1) /
    ramp`, and stays. It is multiplied by what ``points`` say: linear between
    two of them, constant before the first and after the last.

    Args:
        begin: First iteration with the loss.
        ramp: Iterations until its weight is whole; 0: at once.
        points: Pairs of an iteration and a factor, in order.

    Raises:
        ValueError: If a number is negative or the points are out of order.
    """

    begin: int = 0
    ramp: int = 0
    points: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value in (('begin', self.begin), ('ramp', self.ramp)):
            if value != int(value) or value < 0:
                raise ValueError(
                    f'{name} must be a number of iterations ≥ 0, got {value}'
                )
        times = [point[0] for point in self.points]
        if times != sorted(set(times)) or any(
            len(point) != 2 or min(point) < 0 for point in self.points
        ):
            raise ValueError(
                'loss_weight_schedule must hold pairs (iteration, factor), '
                'neither negative, the iterations in rising order, got '
                f'{self.points}'
            )

    @classmethod
    def take(
        cls, cfg: dict[str, Any], loss: Callable[..., Any]
    ) -> 'WeightSchedule':
        """Take the schedule's keys out of a loss's config.

        They are ``begin``, ``ramp`` and ``loss_weight_schedule``, but for
        those that the loss has as arguments of its own.

        Args:
            cfg: The config, which is changed.
            loss: What is built from it.
        """
        own = signature(loss).parameters
        found = {
            name: cfg.pop(key)
            for name, key in (
                ('begin', 'begin'),
                ('ramp', 'ramp'),
                ('points', 'loss_weight_schedule'),
            )
            if key in cfg and key not in own
        }
        if 'points' in found:
            found['points'] = tuple(tuple(p) for p in found['points'])
        return cls(**found)

    def factor(self, iteration: int) -> float:
        """Return the factor in an iteration."""
        if iteration < self.begin:
            return 0.0
        grown = 1.0
        if self.ramp:
            grown = min((iteration - self.begin + 1) / self.ramp, 1.0)
        if not self.points:
            return grown
        times, factors = zip(*self.points, strict=True)
        after = bisect_right(times, iteration)
        if after in (0, len(times)):
            return grown * factors[max(after - 1, 0)]
        left, right = times[after - 1 : after + 1]
        share = (iteration - left) / (right - left)
        low, high = factors[after - 1 : after + 1]
        return grown * (low + share * (high - low))
