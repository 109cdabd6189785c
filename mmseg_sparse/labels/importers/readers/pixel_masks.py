"""Masks in memory: small where they can be, refused where they are not."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..annotation import FormatError, PixelRegion, Shape

#: Pixels of all masks of one image, a byte each.
MAX_TOTAL = 2**31


def pixel_regions(
    label: str, mask: NDArray[np.bool_], *, entry: str
) -> tuple[PixelRegion, ...]:
    """Return what is set of a mask, cut to its bounding box.

    An image of hundreds of masks would else take its area for each.

    Args:
        label: Class name.
        mask: Bool ``(H, W)``, of the whole image.
        entry: Where in the source the mask stands.

    Returns:
        One region, or none if nothing is set.
    """
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return ()
    columns = np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1].copy()
    return (PixelRegion(label, box, (left, top), entry=entry),)


def within_memory(
    shapes: Iterable[Shape], source: object, entry: str = ''
) -> Iterator[Shape]:
    """Yield shapes one by one while their masks together are not too many.

    Run lengths of a few bytes decode to an image's area, so that a small file
    could else fill the memory by many of them.

    Raises:
        FormatError: At the mask that exceeds :data:`MAX_TOTAL`.
    """
    total = 0
    for shape in shapes:
        if isinstance(shape, PixelRegion):
            total += shape.pixels.size
        if total > MAX_TOTAL:
            raise FormatError(
                source, entry,
                f'the masks of one image have {total} pixels up to '
                f'{shape.entry}, more than {MAX_TOTAL}',
            )  # fmt: skip
        yield shape
