"""Label files as the dataset reads them: index maps and their numbering."""

from collections.abc import Mapping, Sequence

import mmcv
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]

#: What a label map holds where there is no label, in memory always.
NO_LABEL = 255


def decode_labels(
    content: bytes, source: str, *, backend: str = 'pillow'
) -> Labels:
    """Decode an index picture; nothing is squeezed, wrapped or guessed.

    Args:
        content: The bytes of the file.
        source: Its name, for messages.
        backend: A backend of :func:`mmcv.imfrombytes`.

    Returns:
        The indices, ``(H, W)``.

    Raises:
        ValueError: If the file is no picture, has colours in place of
            indices, or indices above 255.
    """
    try:
        labels = mmcv.imfrombytes(content, flag='unchanged', backend=backend)
    except Exception as error:  # decoders raise many types
        raise ValueError(f'{source}: cannot be decoded: {error}') from error
    if labels is None:
        raise ValueError(f'{source}: cannot be decoded as a picture')
    if labels.ndim != 2:
        raise ValueError(
            f'{source}: has {labels.shape[2]} channels; a label map has one '
            'number a pixel, the class index (save it as an index PNG)'
        )
    if labels.dtype != np.uint8:
        low, high = labels.min(), labels.max()
        if labels.dtype.kind == 'f' or low < 0 or high > 255:
            raise ValueError(
                f'{source}: has {labels.dtype} values from {low} to {high}; '
                'class indices are whole numbers, 0..254, 255 = no label'
            )
        labels = labels.astype(np.uint8)
    return labels


def lookup_table(
    *,
    reduce_zero_label: bool = False,
    label_map: Mapping[int, int] | None = None,
    ignore_index: int = NO_LABEL,
) -> Labels:
    """Return what becomes of each of the 256 values of a label file.

    ``ignore_index`` of the file turns into 255 first; then 0 does and the
    others move down by one if ``reduce_zero_label``; then ``label_map``
    applies, as in mmseg's ``LoadAnnotations``. 255 stays 255.
    """
    table = np.arange(256, dtype=np.uint8)
    if reduce_zero_label:
        table[1:255] -= 1
        table[0] = NO_LABEL
    if label_map:
        reduced = table.copy()
        for old, new in label_map.items():
            table[reduced == old] = new
        table[reduced == NO_LABEL] = NO_LABEL
    table[ignore_index] = NO_LABEL
    return table


def complete_label_map(
    label_map: Mapping[int | str, int] | Sequence[int], num_classes: int
) -> dict[int, int]:
    """Return a map from every value of a file, 0 to 254, to class or 255.

    Values that ``label_map`` does not name go to 254, which is no class, so
    that they are found wherever the labels are looked at.

    Args:
        label_map: Class index or 255 by value of the file: a dict (its keys
            may be digits in strings, as a dumped config has them), or a list
            that starts with what becomes of 0.
        num_classes: Number of classes, at most 254.

    Raises:
        ValueError: If a value or an index is out of range.
    """
    pairs = (
        label_map.items()
        if isinstance(label_map, Mapping)
        else enumerate(label_map)
    )
    full = dict.fromkeys(range(255), 254)
    for key, new in pairs:
        try:
            old = int(key)
        except ValueError:
            old = -1
        if not 0 <= old <= 255:
            raise ValueError(f'label_map: {key!r} is no value of a label file')
        if new != NO_LABEL and not 0 <= new < num_classes:
            raise ValueError(
                f'label_map: {old} goes to {new}; want a class in '
                f'0..{num_classes - 1}, or 255 for no label'
            )
        if old == NO_LABEL and new != NO_LABEL:
            raise ValueError(f'label_map: 255 is no label, not class {new}')
        if old != NO_LABEL:
            full[old] = int(new)
    return full
