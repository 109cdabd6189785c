"""What the comparison of labels with dense masks shows."""

from collections.abc import Iterator

import numpy as np

from .examine import Examination
from .findings import ERROR, NOTE, WARNING, Finding, named, percent

#: Shares of wrong labels above which they are a warning, or an error.
SOME, MANY = 0.01, 0.25
#: Classes with fewer labelled pixels are not judged.
ENOUGH = 20
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


def position_bias(found: Examination) -> Iterator[Finding]:
    """Find labels near or far from boundaries (BLPSeg, figure 1)."""
    agreement = found.agreement
    means = agreement.mean_distance()
    if means is None or abs(means[0] - means[1]) < BIAS:
        return
    near = [
        counts[: len(counts) // 10].sum() / counts.sum()
        for counts in (agreement.labeled, agreement.every)
    ]
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
