"""Sparse labels and the dense mask of one image, for an analysis of both."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmseg_sparse.doctor import LabelItem, Reading
from mmseg_sparse.doctor.decode import decode
from mmseg_sparse.labels.label_map import NO_LABEL, Labels


@dataclass(frozen=True)
class LabelPair:
    """What is known of one image.

    Attributes:
        image: Path of the image.
        dense: The mask, ``(H, W)``: class indices and 255 = void.
        labels: The sparse labels, ``(H, W)``: class indices and 255 where
            there is none; None where they are the mask.
    """

    image: str
    dense: Labels
    labels: Labels | None


def read_label_pair(
    item: LabelItem, *, labels_are_dense: bool = False
) -> LabelPair:
    """Read the labels and the mask of an image.

    Args:
        item: As :func:`~mmseg_sparse.doctor.from_config` gives it.
        labels_are_dense: Whether labels are the mask of an image that has no
            other one.

    Raises:
        ValueError: If there is no image, label map or mask, one of the files
            has no class indices or other classes than the data set has, or
            labels and mask differ in size.
        OSError: If a file cannot be read.
    """
    if item.image is None or item.labels is None:
        raise ValueError(
            f'{item.name}: an image and a label map are needed, got image-'
            'level labels or no image'
        )
    if item.dense is None and labels_are_dense:
        return LabelPair(item.image, _read(item.labels, item.reading), None)
    if item.dense is None:
        raise ValueError(f'{item.labels}: there is no dense mask of it')
    if not Path(item.dense).is_file():
        raise ValueError(
            f'{item.labels}: its dense mask is missing: {item.dense}'
        )
    dense = _read(item.dense, item.dense_reading or item.reading)
    labels = _read(item.labels, item.reading)
    check_size(item.dense, dense, item.labels, labels)
    return LabelPair(item.image, dense, labels)


def check_size(path: str, dense: Labels, name: str, other: Labels) -> None:
    """Raise a ValueError unless a mask is as large as something else."""
    if dense.shape != other.shape:
        raise ValueError(
            f'{path} is {dense.shape[1]}x{dense.shape[0]} pixels, {name} '
            f'{other.shape[1]}x{other.shape[0]}'
        )


def _read(path: str, reading: Reading) -> Labels:
    decoded = decode(Path(path).read_bytes(), path, reading)
    if decoded.values is None:
        raise ValueError(f'{path}: {decoded.problems[-1].detail}')
    values = np.array(reading.table, np.uint8)[decoded.values]
    classes = reading.num_classes
    if classes is not None:
        known = values[values != NO_LABEL]
        if known.size and known.max() >= classes:
            raise ValueError(
                f'{path} has class {known.max()}, the data set has '
                f'{classes}, numbered from 0'
            )
    return values
