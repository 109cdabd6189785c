"""The one thing in MMEngine's checkpoints that needs more than a type.

A ``HistoryBuffer`` of the message hub pickles its statistics as
``getattr(HistoryBuffer, 'min')`` and so on. ``torch.load`` with
``weights_only=True`` refuses ``getattr``, with good reason; here it reads
those four methods and nothing else.
"""

from collections.abc import Callable

import torch
from mmengine.logging.history_buffer import HistoryBuffer

from mmseg_sparse.compat import parse_version

STATISTICS = ('min', 'max', 'current', 'mean')


def history_statistic(owner: type, name: str) -> Callable:
    """Stand in for ``getattr`` while a checkpoint is read.

    Raises:
        TypeError: If a checkpoint asks for anything but a statistic of
            ``HistoryBuffer``.
    """
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise TypeError(
            'a checkpoint may look up HistoryBuffer.'
            f'{{{",".join(STATISTICS)}}} only, this one asks for {name!r} '
            f'of {owner!r}'
        )
    return getattr(HistoryBuffer, name)


def allow_history_statistics() -> None:
    """Let ``torch.load(weights_only=True)`` read MMEngine's log history."""
    if parse_version(torch.__version__) < (2, 6):
        return  # loads checkpoints as it always did
    torch.serialization.add_safe_globals(
        [(history_statistic, 'builtins.getattr')]
    )
