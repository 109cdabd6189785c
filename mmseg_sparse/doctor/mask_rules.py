"""What the comparison of labels with dense masks shows."""

from collections.abc import Iterator

import numpy as np

from .examine import Examination
from .findings import ERROR, NOTE, WARNING, Finding, named, percent

#: Shares of wrong labels above which they are a warning, or an error.
SOME, MANY = 0.01, 0.25
#: Classes with fewer labelled pixels are not judged.
ENOUGH = 20
#: Classes in fewer images are not judged by where their labels lie.
ENOUGH_IMAGES = 10
#: Labels are near other classes if their mean distance is at most so much of
#: that of all pixels of the class: by dense masks, and by labels alone. On
#: ACDC these are 0.18 and 0.21, on CamVid at least 1 and 0.5.
NEAR, NEAR_LABELS = 0.5, 0.35
#: Difference of mean relative distances that is reported.
BIAS = 0.05


def disagreements(found: Examination) -> Iterator[Finding]:
    """Find labels that have another class than the mask."""
    agreement = found.agreement
    if not agreement.disagreeing:
        return
    share = agreement.disagreeing / agreement.compared
    severity = ERROR if share > MANY else WARNING if share > SOME else NOTE
    advice = _shift(found) or (
        'correct the worst files; if a class is wrong everywhere, the order '
        'of the classes is wrong: import_labels --class-map LABEL=CLASS'
    )
    if all(item.supervision == 'pseudo' for item in found.data.items):
        severity = NOTE
        advice = (
            'this is usual for the labels of a model: raise --min-confidence '
            'of `generate pseudo-labels` to leave out uncertain ones'
        )
    worst = sorted(agreement.wrong, reverse=True)
    yield Finding(
        'disagrees', severity,
        f'{percent(share)} of the labelled pixels have another class in the '
        f'dense masks ({agreement.disagreeing} of {agreement.compared})',
        advice,
        len(worst),
        named([(file, f'{percent(part)} of {n} labelled pixels wrong')
               for part, n, file in worst]),
    )  # fmt: skip
    yield from _classes(found)


def _shift(found: Examination) -> str:
    """Return the remedy for a numbering that is off by one."""
    confusion = found.agreement.confusion
    half = confusion.sum() / 2
    if np.trace(confusion, -1) > half:
        return (
            'labels are one above the masks, so one of the two counts from '
            '1: reduce_zero_label=True if the labels do'
        )
    if np.trace(confusion, 1) > half:
        return (
            'labels are one below the masks, so one of the two counts from '
            '1: reduce_zero_label=False if the masks do'
        )
    return ''


def _classes(found: Examination) -> Iterator[Finding]:
    confusion = found.agreement.confusion
    names = found.data.classes
    swapped = []
    for index in np.flatnonzero(confusion.sum(1) >= ENOUGH).tolist():
        row = confusion[index]
        most = int(row.argmax())
        if most != index and row[most] > row.sum() / 2:
            swapped.append(
                f'{class_name(names, index)} is {class_name(names, most)} '
                f'({percent(row[most] / row.sum())})'
            )
    if swapped:
        yield Finding(
            'class-elsewhere', WARNING,
            'most labels of a class lie on another class of the masks: '
            + ', '.join(swapped[:6]) + (', ...' if swapped[6:] else ''),
            'list classes in the order of the values, or '
            'import_labels --class-map LABEL=CLASS', len(swapped),
        )  # fmt: skip


def class_name(names: tuple[str, ...], index: int) -> str:
    """Return the name of a class, or its number where it has none."""
    return names[index] if index < len(names) else f'class {index}'


def labels_on_void(found: Examination) -> Iterator[Finding]:
    """Find labels where the masks are void."""
    agreement = found.agreement
    total = agreement.compared + agreement.on_void
    if total and agreement.on_void / total > SOME:
        yield Finding(
            'labels-on-void', NOTE,
            f'{percent(agreement.on_void / total)} of the labelled pixels lie '
            'where the dense masks are void',
            'nothing, if void means a boundary or an unknown object; else '
            'correct the masks',
        )  # fmt: skip


def near_objects(found: Examination) -> Iterator[Finding]:
    """Find classes whose labels keep close to those of other classes."""
    classes = [*_near_boundary(found), *_near_labels(found)]
    if not classes:
        return
    guess = not found.agreement.images
    text = '; '.join(
        f'{class_name(found.data.classes, index)}: {labeled:.2f}, '
        f'{every:.2f} of all its pixels'
        for index, labeled, every in classes
    )
    text = (
        'strokes of a class keep close to other classes, and its pixels far '
        'from them are never labelled (mean '
        + ('distance to the nearest label of another class, in diagonals of '
           'the image, ' if guess else 'relative distance to the boundary of ')
        + f'{text})'
    )  # fmt: skip
    if guess:
        text += '. Without dense masks this is a guess'
    else:
        near = _tenth(found)
        text += (
            f'. {percent(near[0])} of all labels, and {percent(near[1])} of '
            'all pixels, lie in the tenth next to a boundary'
        )
    yield Finding(
        'labels-near-objects', NOTE if found.data.regularized else WARNING,
        f'{text}. Plain cross entropy then finds the other classes far from '
        'them, too (scribbles of ACDC: 44 mIoU, with a regularizer 70 to 73)',
        'nothing: this config trains with a regularizer'
        if found.data.regularized else
        'label some pixels far from the objects, or train with a regularizer '
        'as in sasformer_mit-b0_segformer_1xb8-1k_acdc-scribble-192x192 '
        '(SASFormer) or '
        'gated_crf_mit-b0_segformer_1xb8-1k_acdc-scribble-192x192 (Gated '
        "CRF): model=dict(type='SparseEncoderDecoder', "
        "regularizers=[dict(type='GatedCRFLoss')])",
        len(classes),
    )  # fmt: skip


def _near_boundary(found: Examination) -> Iterator[tuple[int, float, float]]:
    """Yield class, mean distance of labels and of all pixels, by the masks."""
    sums, numbers = found.agreement.sums, found.agreement.numbers
    judged = (numbers[0] >= ENOUGH) & (found.images >= ENOUGH_IMAGES)
    for index in np.flatnonzero(judged).tolist():
        labeled, every = sums[:, index] / numbers[:, index]
        if labeled <= NEAR * every:
            yield index, float(labeled), float(every)


def _near_labels(found: Examination) -> Iterator[tuple[int, float, float]]:
    """Yield the same, by the labels alone."""
    judged = found.near_images >= ENOUGH_IMAGES
    for index in np.flatnonzero(judged).tolist():
        labeled, every = found.nearness[:, index] / found.near_images[index]
        if labeled <= NEAR_LABELS * every:
            yield index, float(labeled), float(every)


def _tenth(found: Examination) -> list[float]:
    """Return the shares of labels and of pixels next to a boundary."""
    return [
        float(counts[: len(counts) // 10].sum() / counts.sum())
        for counts in (found.agreement.labeled, found.agreement.every)
    ]


def position_bias(found: Examination) -> Iterator[Finding]:
    """Find labels near or far from boundaries (BLPSeg, figure 1)."""
    means = found.agreement.mean_distance()
    if means is None or abs(means[0] - means[1]) < BIAS:
        return
    if means[0] < means[1] and list(_near_boundary(found)):
        return  # said by near_objects
    near = _tenth(found)
    away = means[0] > means[1]
    yield Finding(
        'position-bias', NOTE,
        f'labels lie {"far from" if away else "close to"} boundaries: '
        f'their mean relative distance is {means[0]:.2f}, that of all pixels '
        f'{means[1]:.2f}; {percent(near[0])} of the labels, and '
        f'{percent(near[1])} of all pixels, lie within a tenth of the way '
        'from the boundary',
        'this is usual for strokes and clicks: train with a regularizer '
        '(docs/methods.md), which supervises the pixels at the boundary'
        if away else
        'label the inside of objects too, unless the boundary is what matters',
    )  # fmt: skip
