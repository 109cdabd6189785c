"""What is wrong with a training set beside its validation set."""

from collections.abc import Iterator

import numpy as np

from .examine import Examination
from .findings import NOTE, WARNING, Finding, named, percent
from .mask_rules import class_name
from .measure import Counts

#: Ratio of the shares of a class that is reported, where the larger share of
#: the pixels is at least so much.
RATIO, LEAST_SHARE = 4.0, 0.005
#: The same for shares of images, and the standard deviations between them.
IMAGE_RATIO, DEVIATIONS = 2.5, 4.0
#: Sets with fewer images, and classes in fewer images, are not compared.
ENOUGH_IMAGES, ENOUGH_SHOWN = 20, 5
#: Labels that cover a smaller share of the pixels are no dense masks.
DENSE = 0.5


def copies(found: Examination) -> Iterator[Finding]:
    """Find validation images that are in the training set, too."""
    if found.copies:
        yield Finding(
            'val-in-train', WARNING,
            f'{len(found.copies)} images of the validation set are copies of '
            'training images, perhaps scaled or saved again: the results are '
            'too good',
            'remove them from the ann_file or the folder of one of the two',
            len(found.copies),
            named([(val, f'shows what {train} shows')
                   for val, train in found.copies]),
        )  # fmt: skip


def classes_of_val_alone(found: Examination) -> Iterator[Finding]:
    """Find classes that count in the evaluation and are never learnt."""
    indices = only_in_val(found)
    val = found.validation
    if not indices or val is None:
        return
    names = ', '.join(
        f'{class_name(found.data.classes, k)} ({val.pixels[k]} pixels in '
        f'{val.images[k]} images)'
        for k in indices[:6]
    )
    yield Finding(
        'class-only-in-val', WARNING,
        'classes of the validation set are never labelled in the training '
        f'set, so that their IoU will be 0: {names}'
        + (f' and {len(indices) - 6} more' if indices[6:] else ''),
        'label some in the training set, move images of these classes there, '
        'or leave these classes out: '
        "dataset=dict(type='SparseSegDataset', label_map={value: 255, ...})",
        len(indices),
    )  # fmt: skip


def only_in_val(found: Examination) -> list[int]:
    """Return classes that only the validation set has."""
    val = found.validation
    if val is None or not (found.usable or found.images.any()):
        return []
    number = len(found.data.classes)
    alone = (val.images[:number] > 0) & (found.images[:number] == 0)
    return np.flatnonzero(alone).tolist()


def class_shares(found: Examination) -> Iterator[Finding]:
    """Find classes that are much rarer in one of the two sets."""
    val = found.validation
    if val is None or min(len(found.usable), len(val.usable)) < ENOUGH_IMAGES:
        return
    pixels = _dense_pixels(found)
    if pixels is not None and val.labeled_share > DENSE:
        indices, shares = _by_pixels(found, val, pixels)
        what, guess = 'of the pixels', ''
    else:
        indices, shares = _by_images(found, val)
        what = 'of the images'
        guess = (
            '. Without dense masks of the training images this is a guess '
            'from the images with a label of the class'
        )
    if not indices:
        return
    listed = ', '.join(
        f'{class_name(found.data.classes, k)} {percent(shares[0][k])} and '
        f'{percent(shares[1][k])}'
        for k in indices[:6]
    )
    yield Finding(
        'class-shares-differ', NOTE,
        f'shares {what} differ much between training and validation set: '
        f'{listed}{guess}',
        'split the images anew so that both sets are alike, or show rare '
        "classes more often: dataset=dict(type='ClassBalancedDataset', "
        'oversample_thr=0.3, dataset=...)',
        len(indices),
    )  # fmt: skip


def _dense_pixels(found: Examination) -> Counts | None:
    """Return the pixels of each class by dense masks, where there are any."""
    if 10 * found.agreement.images >= 9 * len(found.usable):
        return found.agreement.pixels
    return found.pixels if found.labeled_share > DENSE else None


def _by_pixels(
    found: Examination, val: Examination, pixels: Counts
) -> tuple[list[int], list[list[float]]]:
    number = len(found.data.classes)
    counts = np.array([pixels[:number], val.pixels[:number]], np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    shown = np.maximum(found.images, val.images)[:number] >= ENOUGH_SHOWN
    low, high = shares.min(0), shares.max(0)
    differ = (high >= RATIO * low) & (high >= LEAST_SHARE) & shown & (low > 0)
    return np.flatnonzero(differ).tolist(), shares.tolist()


def _by_images(
    found: Examination, val: Examination
) -> tuple[list[int], list[list[float]]]:
    number = len(found.data.classes)
    sizes = np.array([len(found.usable), len(val.usable)], np.float64)
    counts = np.array([found.images[:number], val.images[:number]])
    shares = counts / sizes[:, None]
    mean = counts.sum(0) / sizes.sum()
    deviation = np.sqrt(mean * (1 - mean) * (1 / sizes).sum())
    low, high = shares.min(0), shares.max(0)
    differ = (high >= IMAGE_RATIO * low) & (low > 0)
    differ &= high - low >= DEVIATIONS * deviation
    differ &= counts.max(0) >= ENOUGH_SHOWN
    return np.flatnonzero(differ).tolist(), shares.tolist()
