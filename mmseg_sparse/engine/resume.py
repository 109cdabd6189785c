"""What MMEngine leaves out when it resumes: seeds and random state.

MMEngine starts the data loader before it knows the seed of the checkpoint,
and it replays the batches already seen without putting the random state
back.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader


def sampler_seed(loader: DataLoader) -> int | None:
    """Return the seed that orders the data, None if the sampler has none."""
    sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    return getattr(sampler, 'seed', None)


def rebuild_train_loader(runner: Runner, order_seed: int | None) -> bool:
    """Build the training data loader anew, with the runner's present seed.

    Args:
        runner: A runner that has just resumed a checkpoint.
        order_seed: The sampler's seed; None derives it as a fresh run does.

    Returns:
        False if the loader was given as an object, not as a config, and
        therefore stays as it is.
    """
    config = runner._train_dataloader
    if not isinstance(config, dict):
        return False
    config = copy.deepcopy(config)
    if order_seed is not None and isinstance(config.get('sampler'), dict):
        config['sampler']['seed'] = order_seed
    loop = runner.train_loop
    loop.dataloader = runner.build_dataloader(
        config,
        seed=runner.seed,
        diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
    )
    if hasattr(loop, 'dataloader_iterator'):
        loop.dataloader_iterator = _InfiniteDataloaderIterator(loop.dataloader)
    return True


def restore_before_next_batch(
    runner: Runner, restore: Callable[[], None]
) -> None:
    """Call ``restore`` after MMEngine's replay, before the next batch.

    Without worker processes, loading a batch draws from the generators of
    the main process, so the state of the checkpoint belongs between the
    last batch replayed and the first batch trained on. An epoch-based loop
    replays nothing and gets the state at once.
    """
    loop = runner.train_loop
    if not hasattr(loop, 'dataloader_iterator'):
        restore()
        return
    inner = loop.dataloader_iterator

    def done() -> None:
        loop.dataloader_iterator = inner
        restore()

    loop.dataloader_iterator = _Replay(inner, loop.iter, done)


class _Replay:
    """Yields ``steps`` items and calls ``done`` before the one after."""

    def __init__(
        self, inner: Iterator[Any], steps: int, done: Callable[[], None]
    ) -> None:
        self.inner = inner
        self.steps = steps
        self.done = done

    def __iter__(self) -> '_Replay':
        return self

    def __next__(self) -> Any:
        if self.steps == 0:
            self.done()
        self.steps -= 1
        return next(self.inner)
