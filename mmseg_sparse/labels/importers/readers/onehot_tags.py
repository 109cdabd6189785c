"""Reader of image tags as one-hot vectors (``cls_labels_onehot.npy``)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....utils.npy import load_npy
from ....utils.untrusted import FormatError, OnError, refuse, shown
from ..annotation import ImageAnnotation
from .shared import each, stored_name

#: More classes than any data set has.
MAX_CLASSES = 100_000


def read(
    source: Path, *, first_class: int = 1, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read which classes each image shows, as AFA and others ship it.

    The file holds a dict, image id -> vector with 1 for every class in the
    image and 0 for the others, foreground classes only. It is a pickle, and
    is read without executing anything in it. Whole numbers as ids become
    their decimal strings.

    Args:
        source: The ``.npy`` file.
        first_class: The number of the vector's first class. Labels are
            decimal strings: with 1, background being 0, the third is ``'3'``.
        on_error: Called with what is wrong with an image;
            where it returns, that is left out.

    Yields:
        The images in the order of the file, with tags and without shapes.

    Raises:
        FormatError: If the file does not hold such a dict, a vector has
            other values than 0 and 1, or their lengths differ.
        OSError: If the file cannot be read.
    """
    array = load_npy(source)
    content = array.item() if array.shape == () else array
    if not isinstance(content, dict):
        raise FormatError(
            source, '',
            f'expected a dict, image id -> vector, got {shown(content)}',
        )  # fmt: skip
    length: int | None = None

    def one(key: object, vector: object) -> Iterator[ImageAnnotation]:
        nonlocal length
        entry = shown(key)
        present = _present(vector, source, entry)
        if length not in (None, len(present)):
            raise FormatError(
                source, entry,
                f'expected {length} classes as before, got {len(present)}',
            )  # fmt: skip
        length = len(present)
        yield ImageAnnotation(
            image=_image(key, source, entry),
            source=str(source),
            entry=entry,
            tags=tuple(
                str(first_class + int(i)) for i in np.flatnonzero(present)
            ),
        )

    yield from each(content.items(), one, on_error)


def _image(key: object, source: Path, entry: str) -> str:
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        if not 0 <= key < 10**18:
            raise FormatError(source, '', f'not an image id: {entry}')
        key = str(int(key))
    return stored_name(key, source, entry)


def _present(vector: object, source: Path, entry: str) -> NDArray[np.bool_]:
    if (
        not isinstance(vector, np.ndarray)
        or vector.ndim != 1
        or vector.dtype.kind not in 'biuf'
        or not 1 <= len(vector) <= MAX_CLASSES
    ):
        raise FormatError(
            source, entry, f'expected a vector of 0 and 1, got {shown(vector)}'
        )
    wrong = vector[(vector != 0) & (vector != 1)]
    if len(wrong):
        raise FormatError(
            source, entry, f'expected 0 or 1 for a class, got {wrong[0]}'
        )
    return vector == 1
