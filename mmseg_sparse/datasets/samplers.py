"""Batches with a fixed ratio of strongly and weakly labelled images."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..labels.image_list import SUPERVISIONS


@DATA_SAMPLERS.register_module()
class StrongWeakSampler(Sampler):
    """Infinite sampler whose batches have a fixed strong:weak ratio.

    Each group of ``strong + weak`` indices has ``strong`` images of the
    strong supervisions, then ``weak`` of the others. The ``batch_size`` of
    the loader must be a multiple of that number. Both kinds are shuffled
    again whenever they are used up, each for itself. In a distributed
    training the processes take turns by whole groups, so that each batch has
    the ratio.

    Args:
        dataset: A dataset, or a concatenation of datasets, whose items have
            ``supervision``: ``SparseSegDataset``.
        strong: Strongly labelled images of a group.
        weak: Other images of a group.
        strong_supervisions: The strong kinds.
        shuffle: Whether the order is random; else that of the dataset.
        seed: Of the order; None draws one that all processes share.

    Raises:
        ValueError: If a number is not positive, a kind unknown, or the
            dataset lacks one of the two sorts.
        KeyError: If an item has no ``supervision``.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        *,
        strong: int = 1,
        weak: int = 1,
        strong_supervisions: Sequence[str] = ('dense',),
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        """Sort the images by their supervision."""
        for name, number in (('strong', strong), ('weak', weak)):
            if number < 1:
                raise ValueError(f'{name} must be positive, got {number}')
        unknown = sorted(set(strong_supervisions) - set(SUPERVISIONS))
        if isinstance(strong_supervisions, str) or unknown:
            raise ValueError(
                f'strong_supervisions must be some of {SUPERVISIONS}, got '
                f'{strong_supervisions!r}'
            )
        kinds = [_supervision(dataset, i) for i in range(len(dataset))]
        chosen = set(strong_supervisions)
        self.strong = [i for i, kind in enumerate(kinds) if kind in chosen]
        self.weak = [i for i, kind in enumerate(kinds) if kind not in chosen]
        for name, found in (('strong', self.strong), ('weak', self.weak)):
            if not found:
                raise ValueError(
                    f'no {name} image among {len(kinds)}: the dataset has '
                    f'{", ".join(sorted(set(kinds))) or "none"}, '
                    f'strong_supervisions={tuple(strong_supervisions)}'
                )
        self.group = (strong, weak)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.rank, self.world_size = get_dist_info()
        self.indices = self._indices_of_rank()

    def _stream(self, indices: list[int], seed: int) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(seed)
        while True:
            order = torch.arange(len(indices))
            if self.shuffle:
                order = torch.randperm(len(indices), generator=generator)
            yield from (indices[i] for i in order.tolist())

    def _groups(self) -> Iterator[list[int]]:
        strong = self._stream(self.strong, self.seed)
        weak = self._stream(self.weak, self.seed + 1)
        while True:
            yield [
                *itertools.islice(strong, self.group[0]),
                *itertools.islice(weak, self.group[1]),
            ]

    def _indices_of_rank(self) -> Iterator[int]:
        groups = itertools.islice(
            self._groups(), self.rank, None, self.world_size
        )
        yield from itertools.chain.from_iterable(groups)

    def __iter__(self) -> Iterator[int]:
        """Go on with the indices of this process."""
        yield from self.indices

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.strong) + len(self.weak)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: there are no epochs."""


def _supervision(dataset: BaseDataset, index: int) -> str:
    info: dict[str, Any] = dataset.get_data_info(index)
    if 'supervision' not in info:
        raise KeyError(
            f'item {index} of {type(dataset).__name__} has no supervision: '
            'use SparseSegDataset'
        )
    return info['supervision']
