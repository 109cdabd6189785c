"""Reader of index PNGs, as ScribbleSup and Scribbles4All ship them.

Masks that are pictures are read with a table of colours.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, OnError, refuse, shown
from ...colours import (
    ColourTable,
    grey_of,
    grey_options,
    indices_of,
    is_grey_picture,
    load_rgba,
    most_frequent,
    read_colours,
)
from ...image_finder import SUFFIXES
from ...label_map import NO_LABEL, load_png_index
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
    ignore_index: int | None = None,
    suffix: str = '',
    colours: Path | None = None,
    tolerance: int = 0,
    unknown: str = 'error',
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read PNGs whose pixels are class indices, or pictures in colour.

    Labels are the decimal strings of the values, ``'0'`` with them, or what
    the table of colours names. An image is named as its mask without the
    suffix, with its folders below ``source``.

    Args:
        source: A PNG, or a folder of them, folders within included. With
            ``colours`` pictures of any format are read.
        ignore_index: The value of pixels without a label. -1: every pixel has
            one. By default it is 255, and an error if the values of all files
            are 0 and 255 alone, or levels of grey such as 0, 127 and 255:
            they are masks in black and white, or in grey.
        suffix: What the name of a PNG has behind that of its image:
            ``_mask`` where ``a_mask.png`` is of ``a.jpg``. PNGs of a folder
            that do not end so are ignored.
        colours: Table of the colours of masks in colour, the same as
            ``--colours``.
        tolerance: A colour whose channels differ from those of the nearest
            colour of the table by at most so much counts as that.
        unknown: What other colours are: ``error``, or ``unlabelled``.
        on_error: Called with what is wrong with a file;
            where it returns, that is left out.

    Yields:
        Every mask's pixels, one :class:`PixelRegion` a label, in the order of
        the paths; one without labelled pixels gives an image without shapes.

    Raises:
        FormatError: If a file is broken, is in colour and there is no table,
            has colours that are not in it, or more than 256 values.
        OSError: If a file cannot be read.
        ValueError: If an option is out of range.
    """
    if unknown not in ('error', 'unlabelled') or not 0 <= tolerance <= 255:
        raise ValueError(
            'expected unknown=error or unlabelled and a tolerance from 0 to '
            f'255, got {unknown} and {tolerance}'
        )
    for kind in SUFFIXES:
        suffix = suffix.removesuffix(kind)
    paths = _files(source, suffix, coloured=colours is not None)
    if colours is None:
        yield from _indices(source, paths, ignore_index, suffix, on_error)
    else:
        read_one = partial(
            _coloured, source=source, suffix=suffix, tolerance=tolerance,
            table=read_colours(colours), unknown=unknown == 'unlabelled',
        )  # fmt: skip
        yield from each_file(paths, read_one, on_error)


def _coloured(
    path: Path,
    *,
    source: Path,
    suffix: str,
    table: ColourTable,
    tolerance: int,
    unknown: bool,
) -> Iterator[ImageAnnotation]:
    """Yield what is read of one picture in colour; see :func:`read`."""
    labels = indices_of(
        load_rgba(path), table, path, tolerance=tolerance, unknown=unknown
    )
    yield pixel_annotation(
        labels, path, source, unlabeled=-1, suffix=suffix,
        name=table.labels.__getitem__,
    )  # fmt: skip


def _indices(
    source: Path,
    paths: Sequence[Path],
    ignore_index: int | None,
    suffix: str,
    on_error: OnError,
) -> Iterator[ImageAnnotation]:
    """Yield what is read of class indices; see :func:`read`."""
    values: Counter[int] = Counter()
    unsure = ignore_index is None
    void = NO_LABEL if ignore_index is None else ignore_index

    def one(path: Path) -> Iterator[ImageAnnotation]:
        labels = _load(path)
        numbers = np.bincount(labels.ravel())
        own = {int(v): int(numbers[v]) for v in np.flatnonzero(numbers)}
        values.update(own)
        # 0 and 255 alone may also be strokes of the first class.
        if unsure and len(own) > 2 and is_grey_picture(own):
            raise FormatError(path, '', _grey(own))
        yield pixel_annotation(
            labels, path, source, unlabeled=void, suffix=suffix
        )

    yield from each_file(paths, one, on_error)
    if unsure and is_grey_picture(values):
        raise FormatError(source, '', _grey(values))


def _files(source: Path, suffix: str, coloured: bool) -> list[Path]:
    kinds = list(SUFFIXES) if coloured else ['.png']
    try:
        return source_files(source, kinds, recursive=True, ending=suffix)
    except FormatError as error:
        if coloured:
            raise
        others = list(SUFFIXES)
        try:
            found = source_files(source, others, recursive=True, ending=suffix)
        except FormatError:
            raise error from None
        raise _in_colour(found[0], error) from error


def _load(path: Path) -> NDArray[Any]:
    """Read class indices, also of pictures whose channels are all equal."""
    try:
        return load_png_index(path)
    except FormatError as error:
        raised = error
    try:
        is_png = path.suffix.lower() == '.png'
        grey = grey_of(load_rgba(path)) if is_png else None
    except (FormatError, OSError):
        raise raised from None
    if grey is None:
        raise _in_colour(path, raised) from raised
    return grey


def _in_colour(path: Path, error: FormatError) -> FormatError:
    """Return an error that says what a picture shows and how to read it."""
    try:
        number, first = most_frequent(load_rgba(path))
    except (FormatError, OSError):
        return error
    listed = ', '.join(f'{colour} in {n} pixels' for colour, n in first)
    return FormatError(
        path, '',
        f'expected a PNG of class indices, got a picture of {number} '
        f'{"colour" if number == 1 else "colours"}: {listed}'
        f'{", ..." if number > len(first) else ""}. --colours FILE reads it, '
        "where FILE has a line such as 'cat 128,0,0' for each class",
    )  # fmt: skip


def _grey(values: Mapping[int, int]) -> str:
    """Say that values are levels of grey, and how to read them."""
    *dark, white = sorted(values)
    listed = ', '.join(f'{value} ({values[value]} pixels)' for value in dark)
    return (
        f'the values are {listed} and {white} ({values[white]} pixels) alone, '
        f'as in masks in {"black and white" if len(dark) == 1 else "grey"}: '
        f'{white} seems to be a class, not "no label". '
        f'{grey_options(values)} reads them as the first {len(values)} '
        'classes; --option ignore_index=255 says that 255 is "no label"'
    )


def pixel_annotation(
    labels: NDArray[Any],
    path: Path,
    source: Path,
    *,
    unlabeled: int,
    suffix: str = '',
    name: Callable[[int], str] = str,
) -> ImageAnnotation:
    """Return a label map as one region of pixels a value.

    Args:
        labels: ``(H, W)``, whole numbers.
        path: The map's file.
        source: What was asked to be read; where it is a folder the image is
            named relative to it.
        unlabeled: The value of pixels without a label.
        suffix: Taken from the end of the map's name, if it is there.
        name: Returns the label of a value.

    Raises:
        FormatError: If there are more than 256 values.
    """
    image = _image(path, source, suffix)
    return ImageAnnotation(
        image=image,
        source=str(path),
        # So that a second map of an image is not drawn over the first.
        entry=f'{shown(image)} in {path.name}',
        size=(labels.shape[1], labels.shape[0]),
        shapes=tuple(
            within_memory(value_regions(labels, path, unlabeled, name), path)
        ),
    )


def _image(path: Path, source: Path, suffix: str) -> str:
    name = name_below(path, source)
    return name.removesuffix(suffix) if path.stem != suffix else name


def value_regions(
    labels: NDArray[Any],
    path: Path,
    unlabeled: int,
    name: Callable[[int], str] = str,
) -> Iterator[PixelRegion]:
    """Yield one region of pixels a value, but for that without a label.

    Raises:
        FormatError: If there are more than 256 values.
    """
    values = [int(v) for v in np.unique(labels) if v != unlabeled]
    if len(values) > MAX_VALUES:
        raise FormatError(
            path, '',
            f'{len(values)} different values, more than {MAX_VALUES}: '
            'expected classes, not instances',
        )  # fmt: skip
    for value in values:
        yield from pixel_regions(
            name(value), labels == value, entry=f'value {value}'
        )
