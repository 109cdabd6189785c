"""Reader of index PNGs, as ScribbleSup and Scribbles4All ship them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, OnError, refuse
from ...label_map import load_png_index
from ..annotation import ImageAnnotation, PixelRegion
from .shared import (
    each_file,
    name_below,
    pixel_regions,
    source_files,
    within_memory,
)

#: More values than a label map of 8 bits has are no classes but instances.
MAX_VALUES = 256


def read(
    source: Path,
    *,
    ignore_index: int = 255,
    suffix: str = '',
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read PNGs whose pixels are class indices.

    Labels are the decimal strings of the values, ``'0'`` with them. An image
    is named as its PNG without the suffix, with its folders below ``source``.

    Args:
        source: A PNG, or a folder of them, folders within included.
        ignore_index: The value of pixels without a label.
        suffix: What the name of a PNG has behind that of its image:
            ``_mask`` where ``a_mask.png`` is of ``a.jpg``. PNGs of a folder
            that do not end so are ignored.
        on_error: Called with what is wrong with a file;
            where it returns, that is left out.

    Yields:
        Every PNG's pixels, one :class:`PixelRegion` a value, in the order of
        the paths; one without labelled pixels gives an image without shapes.

    Raises:
        FormatError: If a file is broken, is in colour, or has more than 256
            values.
        OSError: If a file cannot be read.
    """
    suffix = suffix.removesuffix('.png')

    def one(path: Path) -> Iterator[ImageAnnotation]:
        yield pixel_annotation(
            load_png_index(path), path, source, unlabeled=ignore_index,
            suffix=suffix,
        )  # fmt: skip

    paths = source_files(source, ['.png'], recursive=True, ending=suffix)
    yield from each_file(paths, one, on_error)


def pixel_annotation(
    labels: NDArray[np.uint8] | NDArray[np.uint16],
    path: Path,
    source: Path,
    *,
    unlabeled: int,
    suffix: str = '',
) -> ImageAnnotation:
    """Return a label map as one region of pixels a value.

    Args:
        labels: ``(H, W)``.
        path: The map's file.
        source: What was asked to be read; where it is a folder the image is
            named relative to it.
        unlabeled: The value of pixels without a label.
        suffix: Taken from the end of the map's name, if it is there.

    Raises:
        FormatError: If there are more than 256 values.
    """
    return ImageAnnotation(
        image=_image(path, source, suffix),
        source=str(path),
        size=(labels.shape[1], labels.shape[0]),
        shapes=tuple(within_memory(_regions(labels, path, unlabeled), path)),
    )


def _image(path: Path, source: Path, suffix: str) -> str:
    name = name_below(path, source)
    return name.removesuffix(suffix) if path.stem != suffix else name


def _regions(
    labels: NDArray[np.uint8] | NDArray[np.uint16], path: Path, unlabeled: int
) -> Iterator[PixelRegion]:
    counts = np.bincount(labels.ravel())
    values = [int(v) for v in np.flatnonzero(counts) if v != unlabeled]
    if len(values) > MAX_VALUES:
        raise FormatError(
            path, '',
            f'{len(values)} different values, more than {MAX_VALUES}: '
            'expected classes, not instances',
        )  # fmt: skip
    for value in values:
        yield from pixel_regions(
            str(value), labels == value, entry=f'value {value}'
        )
