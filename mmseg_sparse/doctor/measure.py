"""What one label file holds; runs in many processes."""

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray

from ..labels.boundary_distance import distribution, relative_distance
from ..labels.image_finder import image_size
from ..labels.label_map import NO_LABEL, Labels
from ..utils.untrusted import FormatError, read_bytes
from .copies import Thumbnail, thumbnail
from .decode import Problem, decode
from .inputs import LabelItem, Reading

Counts = NDArray[np.int64]

#: Largest labelled share of an image whose labels count as sparse.
SPARSE = 0.3


@dataclass(frozen=True)
class Comparison:
    """The comparison of labels with the dense mask of one image.

    Attributes:
        confusion: Pixels by pair (class of the label, class of the mask),
            void left out.
        on_void: Labelled pixels where the mask is void.
        labeled: Labelled pixels by bin of their relative distance.
        every: All pixels of the mask by bin of their relative distance.
        sums: ``(2, 256)``, sums of the relative distances of labelled and of
            all pixels, by class of the mask.
        numbers: ``(2, 256)``, the numbers of these pixels.
        pixels: ``(256,)``, pixels of the mask by class, or 255.
    """

    confusion: dict[tuple[int, int], int]
    on_void: int
    labeled: Counts
    every: Counts
    sums: NDArray[np.float64]
    numbers: Counts
    pixels: Counts


@dataclass(frozen=True)
class Nearness:
    """How near the labels of a class lie to labels of other classes.

    Attributes:
        index: The class: the one with the most labels in the image.
        labeled: Mean distance of its labels to the nearest label of another
            class, as a share of the image's diagonal.
        around: That of all pixels that are nearer to a label of this class
            than to one of another.
    """

    index: int
    labeled: float
    around: float


@dataclass(frozen=True)
class FileStats:
    """What was found in one image's label file.

    Attributes:
        item: The image.
        raw: Pixels by value of the file; empty if it has no usable values.
        counts: Pixels by what the values become: class, or 255.
        problems: What is wrong with the files.
        comparison: The comparison with the dense mask, where there is one.
        nearness: Where sparse labels lie, without a dense mask.
        thumbnail: The image, small, if it was asked for.
        label_bytes: Size of the label file.
        image_bytes: Size of the image file.
    """

    item: LabelItem
    raw: dict[int, int]
    counts: dict[int, int]
    problems: tuple[Problem, ...] = ()
    comparison: Comparison | None = None
    label_bytes: int = -1
    image_bytes: int = -1
    nearness: Nearness | None = None
    thumbnail: Thumbnail | None = None

    @property
    def pixels(self) -> int:
        """Number of pixels of the label map."""
        return sum(self.counts.values())

    @property
    def labeled(self) -> int:
        """Number of pixels with a label, also one that is not a class."""
        return self.pixels - self.counts.get(NO_LABEL, 0)


def measure(item: LabelItem, *, thumbnails: bool = False) -> FileStats:
    """Read one label file, and the headers of its image.

    Whatever is wrong with a file becomes a problem of the result; nothing is
    raised.

    Args:
        item: The image and its labels.
        thumbnails: Whether the image is decoded, too.
    """
    problems: list[Problem] = []
    image, image_bytes = _image_header(item.image, problems)
    small = None
    if thumbnails and item.image is not None and image is not None:
        small = thumbnail(item.image)
    bare = FileStats(item, {}, {}, image_bytes=image_bytes, thumbnail=small)
    content = None
    if item.labels is not None:
        content = _read(item.labels, 'missing-label', 'unreadable', problems)
    if item.labels is None or content is None:
        return replace(bare, problems=tuple(problems))
    bare = replace(bare, label_bytes=len(content))
    decoded = decode(content, item.labels, item.reading)
    problems += decoded.problems
    if None not in (image, decoded.size) and image != decoded.size:
        problems.append(
            _mismatch(
                'size-mismatch', item.labels, decoded.size, 'its image', image
            )
        )
    if decoded.values is None:
        return replace(bare, problems=tuple(problems))
    raw = np.bincount(decoded.values.ravel(), minlength=256)
    table = np.array(item.reading.table)
    counts = np.bincount(table, weights=raw, minlength=256).astype(np.int64)
    labels = item.reading.classes_of(decoded.values)
    comparison, near = None, None
    if item.dense is not None:
        comparison = _compare(
            labels, item.dense, item.dense_reading or item.reading, problems
        )
    else:
        near = nearness(labels, counts)
    return replace(
        bare, raw=_sparse(raw), counts=_sparse(counts),
        problems=tuple(problems), comparison=comparison, nearness=near,
    )  # fmt: skip


def glance(item: LabelItem) -> FileStats:
    """Only look whether the files of an image are there."""
    problems = [
        Problem(code, path)
        for code, path in (
            ('missing-image', item.image),
            ('missing-label', item.labels),
        )
        if path is not None and not os.path.exists(path)
    ]
    return FileStats(item, {}, {}, tuple(problems))


def _sparse(counts: Counts) -> dict[int, int]:
    return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}


def _read(
    path: str, missing: str, broken: str, problems: list[Problem]
) -> bytes | None:
    """Return a file's content, or None and a problem."""
    try:
        return read_bytes(Path(path))  # does not wait for a pipe
    except FileNotFoundError:
        problems.append(Problem(missing, path))
    except FormatError as error:
        problems.append(
            Problem(broken, path, str(error).removeprefix(f'{path}: '))
        )
    except OSError as error:
        problems.append(
            Problem(broken, path, error.strerror or type(error).__name__)
        )
    return None


def _image_header(
    path: str | None, problems: list[Problem]
) -> tuple[tuple[int, int] | None, int]:
    """Return ``(width, height)`` and the size of the file in bytes."""
    if path is None:
        return None, -1
    try:
        about = os.stat(path)
    except OSError:
        problems.append(Problem('missing-image', path))
        return None, -1
    if not stat.S_ISREG(about.st_mode):
        text = 'is a folder, a pipe or a device'
        problems.append(Problem('image-unreadable', path, text))
        return None, -1
    number = about.st_size
    try:
        size = image_size(Path(path))
        if not _ends_well(path, number):
            code = 'image-truncated'
            if _loads_nothing(path):
                code = 'image-unreadable'
            text = 'has no end of the picture: it seems to be truncated'
            problems.append(Problem(code, path, text))
        return size, number
    except Exception as error:
        text = str(error).removeprefix(f'{path}: ')
        problems.append(Problem('image-unreadable', path, text[:120]))
        return None, number


def _ends_well(path: str, length: int) -> bool:
    """Return whether a JPEG, PNG or BMP is complete.

    Pillow's ``verify`` does not look at a JPEG, and reads all of a PNG.
    """
    with open(path, 'rb') as file:
        start = file.read(8)
        if start[:2] == b'BM':  # says how long it is, or 0
            return length >= int.from_bytes(start[2:6], 'little')
        end = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND'}.get(start[:2])
        if end is None:
            return True
        # Cameras and tools append a little after the end.
        file.seek(-min(length, 16384), os.SEEK_END)
        return end in file.read()


def _loads_nothing(path: str) -> bool:
    """Return whether mmseg's ``LoadImageFromFile`` gets no image.

    Of a truncated file, OpenCV 4 decodes what is there, OpenCV 5 nothing.
    """
    return mmcv.imfrombytes(Path(path).read_bytes(), flag='color') is None


def _mismatch(
    code: str,
    path: str,
    size: tuple[int, int] | None,
    other: str,
    other_size: tuple[int, int] | None,
) -> Problem:
    assert size is not None
    assert other_size is not None
    text = (
        f'{size[0]}x{size[1]} pixels, {other} {other_size[0]}x{other_size[1]}'
    )
    if size == other_size[::-1]:
        text += ' (turned by a quarter)'
    return Problem(code, path, text)


def _compare(
    labels: Labels, path: str, reading: Reading, problems: list[Problem]
) -> Comparison | None:
    """Compare labels, classes and 255, with the dense mask in a file."""
    content = _read(path, 'dense-missing', 'dense-unreadable', problems)
    if content is None:
        return None
    decoded = decode(content, path, reading)
    if decoded.values is None:
        problems.append(
            Problem('dense-unreadable', path, decoded.problems[-1].detail)
        )
        return None
    dense = reading.classes_of(decoded.values)
    if dense.shape != labels.shape:
        size = (labels.shape[1], labels.shape[0])
        problems.append(
            _mismatch('dense-size', path, decoded.size, 'its labels', size)
        )
        return None
    classes = NO_LABEL if reading.num_classes is None else reading.num_classes
    labels = np.where(labels < classes, labels, np.uint8(NO_LABEL))
    dense = np.where(dense < classes, dense, np.uint8(NO_LABEL))
    known = labels != NO_LABEL
    return compare(labels[known], dense[known], known, dense)


def compare(
    labels: Labels, truth: Labels, known: NDArray[np.bool_], dense: Labels
) -> Comparison:
    """Compare the labelled pixels with a mask.

    Args:
        labels: Classes of the labelled pixels.
        truth: Values of the mask there; 255 = void.
        known: ``(H, W)``, where the labelled pixels are.
        dense: ``(H, W)``, the mask.
    """
    pairs = np.bincount(256 * labels[truth != NO_LABEL].astype(np.int64)
                        + truth[truth != NO_LABEL])  # fmt: skip
    distance = relative_distance(dense)
    # A pixel on void, or of a class without boundary, has no distance.
    near = distance[known]
    placed = near > 0
    all_placed = distance > 0
    sums = np.stack([
        np.bincount(truth[placed], near[placed], 256),
        np.bincount(dense[all_placed], distance[all_placed], 256),
    ]).astype(np.float64)  # fmt: skip
    numbers = np.stack([
        np.bincount(truth[placed], minlength=256),
        np.bincount(dense[all_placed], minlength=256),
    ])  # fmt: skip
    return Comparison(
        confusion={
            (int(p) // 256, int(p) % 256): int(pairs[p])
            for p in np.flatnonzero(pairs)
        },
        on_void=int((truth == NO_LABEL).sum()),
        labeled=distribution(near),
        every=distribution(distance),
        sums=sums,
        numbers=numbers,
        pixels=np.bincount(dense.ravel(), minlength=256),
    )


def nearness(labels: Labels, counts: Counts) -> Nearness | None:
    """Return where the labels of an image's most labelled class lie.

    Args:
        labels: ``(H, W)``, classes and 255.
        counts: ``(256,)``, its pixels by value.

    Returns:
        None where fewer than two classes are labelled, or most pixels are.
    """
    own_counts = counts[:NO_LABEL]
    sparse = own_counts.sum() <= SPARSE * labels.size
    if not sparse or np.count_nonzero(own_counts) < 2:
        return None
    index = int(own_counts.argmax())
    own = labels == index
    other = (labels != NO_LABEL) & ~own
    to_own, to_other = (
        cv2.distanceTransform(
            (~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
        )
        for region in (own, other)
    )
    around = to_own < to_other
    diagonal = float(np.hypot(*labels.shape))
    return Nearness(
        index,
        float(to_other[own].mean()) / diagonal,
        float(to_other[around].mean()) / diagonal,
    )
