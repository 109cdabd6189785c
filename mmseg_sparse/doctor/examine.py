"""Reads the label files of a data set and adds up what they hold."""

import hashlib
import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..labels.boundary_distance import BINS
from ..labels.label_map import NO_LABEL
from .copies import find_copies
from .decode import Problem
from .inputs import LabelItem, LabelSet
from .measure import Comparison, Counts, FileStats, measure

#: Values of a label file.
VALUES = 256


def _zeros(*shape: int) -> Counts:
    return np.zeros(shape, np.int64)


@dataclass
class Agreement:
    """The comparison of labels with dense masks, summed over images.

    Attributes:
        images: Number of images that were compared.
        confusion: ``(256, 256)``, pixels by class of label and of mask.
        on_void: Number of labelled pixels where the mask is void.
        labeled: Labelled pixels by bin of their relative distance.
        every: All pixels by bin of their relative distance.
        sums: ``(2, 256)``, sums of the relative distances of labelled and of
            all pixels, by class.
        numbers: ``(2, 256)``, the numbers of these pixels.
        pixels: ``(256,)``, pixels of the masks by class, or 255.
        partial: Images whose labels touch one class and whose mask has more.
        wrong: ``(share of wrong labels, labels compared, file)`` of images.
    """

    images: int = 0
    confusion: Counts = field(default_factory=lambda: _zeros(VALUES, VALUES))
    on_void: int = 0
    labeled: Counts = field(default_factory=lambda: _zeros(BINS))
    every: Counts = field(default_factory=lambda: _zeros(BINS))
    sums: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((2, VALUES))
    )
    numbers: Counts = field(default_factory=lambda: _zeros(2, VALUES))
    pixels: Counts = field(default_factory=lambda: _zeros(VALUES))
    partial: list[str] = field(default_factory=list)
    wrong: list[tuple[float, int, str]] = field(default_factory=list)

    def add(self, one: Comparison, file: str) -> None:
        """Add one image."""
        self.images += 1
        total = wrong = 0
        for (label, truth), number in one.confusion.items():
            self.confusion[label, truth] += number
            total += number
            wrong += number * (label != truth)
        self.on_void += one.on_void
        self.labeled += one.labeled
        self.every += one.every
        self.sums += one.sums
        self.numbers += one.numbers
        self.pixels += one.pixels
        labels = {label for label, _ in one.confusion}
        if len(labels) == 1 and np.count_nonzero(one.pixels[:NO_LABEL]) > 1:
            self.partial.append(file)
        if wrong:
            self.wrong.append((wrong / total, total, file))

    @property
    def compared(self) -> int:
        """Number of labelled pixels where the mask has a class."""
        return int(self.confusion.sum())

    @property
    def disagreeing(self) -> int:
        """Number of labelled pixels where the mask has another class."""
        return self.compared - int(np.trace(self.confusion))

    def mean_distance(self) -> tuple[float, float] | None:
        """Return the mean relative distance of labelled and of all pixels.

        None where no pixel has one.
        """
        numbers = self.numbers.sum(1)
        if not numbers.all():
            return None
        labeled, every = self.sums.sum(1) / numbers
        return float(labeled), float(every)


@dataclass
class Examination:
    """All that was found in the label files of a data set.

    Attributes:
        data: The data set.
        files: What was found in each file, without the comparisons.
        problems: Problems of single files by their code.
        raw: ``(256,)``, pixels by value in the files.
        pixels: ``(256,)``, pixels by what the values become: class, or 255.
        images: ``(256,)``, number of images with each class.
        agreement: The comparison with dense masks.
        nearness: ``(2, 256)``, sums of what :class:`Nearness` holds, by
            class.
        near_images: ``(256,)``, the numbers of these images.
        validation: The same of the validation set, if there is one.
        copies: Images of it, each with a training image that shows the same.
        same_labels: Groups of label files with the same content.
        same_images: Groups of image files with the same content.
    """

    data: LabelSet
    files: list[FileStats] = field(default_factory=list)
    problems: dict[str, list[Problem]] = field(
        default_factory=lambda: defaultdict(list)
    )
    raw: Counts = field(default_factory=lambda: _zeros(VALUES))
    pixels: Counts = field(default_factory=lambda: _zeros(VALUES))
    images: Counts = field(default_factory=lambda: _zeros(VALUES))
    agreement: Agreement = field(default_factory=Agreement)
    nearness: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((2, VALUES))
    )
    near_images: Counts = field(default_factory=lambda: _zeros(VALUES))
    validation: 'Examination | None' = None
    copies: list[tuple[str, str]] = field(default_factory=list)
    same_labels: list[list[str]] = field(default_factory=list)
    same_images: list[list[str]] = field(default_factory=list)

    def add(self, one: FileStats) -> None:
        """Add one image."""
        for problem in one.problems:
            self.problems[problem.code].append(problem)
        for value, number in one.raw.items():
            self.raw[value] += number
        for value, number in one.counts.items():
            self.pixels[value] += number
        present = set(one.counts) | set(one.item.tags)
        self.images[list(present - {NO_LABEL})] += 1
        if one.comparison is not None:
            self.agreement.add(one.comparison, one.item.name)
            one = replace(one, comparison=None)
        if one.nearness is not None:
            near = one.nearness
            self.nearness[:, near.index] += near.labeled, near.around
            self.near_images[near.index] += 1
        self.files.append(one)

    @property
    def usable(self) -> list[FileStats]:
        """The images whose label map could be read."""
        return [one for one in self.files if one.counts]

    @property
    def labeled_share(self) -> float:
        """The labelled share of all pixels; 0 if there are none."""
        total = int(self.pixels.sum())
        return 1 - int(self.pixels[NO_LABEL]) / total if total else 0.0


def examine(
    data: LabelSet,
    *,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Examination:
    """Read every label file of a data set.

    Args:
        data: The data set.
        workers: Processes to start; 0 = none, work in this one.
        progress: Called with (images done, images in all).

    Raises:
        ValueError: If ``workers`` is negative.
    """
    if workers < 0:
        raise ValueError(f'workers must be at least 0, got {workers}')
    result = Examination(data)
    parts = [result]
    if data.validation is not None:
        result.validation = Examination(data.validation)
        parts.append(result.validation)
    total, done = sum(len(part.data.items) for part in parts), 0
    for part in parts:
        look = partial(measure, thumbnails=len(parts) > 1)
        with closing(_run(look, part.data.items, workers)) as measured:
            for one in measured:
                part.add(one)
                done += 1
                if progress is not None:
                    progress(done, total)
    result.copies = _copies(result)
    result.same_labels = _same(
        (one.item.labels, one.label_bytes)
        for one in result.usable
        if one.labeled
    )
    result.same_images = _same(
        (one.item.image, one.image_bytes) for one in result.files
    )
    return result


def _copies(found: Examination) -> list[tuple[str, str]]:
    """Return pairs of a validation and a training image that show the same."""
    if found.validation is None:
        return []
    val, train = found.validation.files, found.files
    pairs = find_copies(
        [one.thumbnail for one in val], [one.thumbnail for one in train]
    )
    return [
        (val[i].item.image or '', train[j].item.image or '') for i, j in pairs
    ]


def _run(
    look: Callable[[LabelItem], FileStats],
    items: Sequence[LabelItem],
    workers: int,
) -> Generator[FileStats, None, None]:
    """Measure the files and yield the results in order."""
    if workers == 0:
        yield from map(look, items)
        return
    # A forked process has everything imported already.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context(
        'fork' if 'fork' in methods else 'spawn'
    )
    pool = ProcessPoolExecutor(
        workers, context, initializer=cv2.setNumThreads, initargs=(0,)
    )
    try:
        yield from pool.map(look, items, chunksize=8)
    finally:
        pool.shutdown(cancel_futures=True)


def _same(files: Iterable[tuple[str | None, int]]) -> list[list[str]]:
    """Return groups of different files with the same content.

    Only files of the same length are read.
    """
    by_length = defaultdict(set)
    for path, length in files:
        if path is not None and length >= 0:
            by_length[length].add(path)
    groups = defaultdict(list)
    for length, paths in by_length.items():
        if len(paths) < 2:
            continue
        for path in sorted(paths):
            try:
                digest = hashlib.sha256(Path(path).read_bytes()).digest()
            except OSError:  # it was there a moment ago
                continue
            groups[length, digest].append(path)
    return sorted(group for group in groups.values() if len(group) > 1)
