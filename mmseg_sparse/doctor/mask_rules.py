"""What labels show beside dense masks of the same images."""

from collections.abc import Iterator

import numpy as np

from .examine import Examination
from .findings import ERROR, NOTE, WARNING, Finding, named, percent

#: Shares of wrong labels from which on they are a warning, or an error.
SOME, MANY = 0.01, 0.25
#: Fewer labelled pixels of a class say nothing about it.
ENOUGH = 20
#: Difference of mean relative distances that is worth a word.
BIAS = 0.05


def disagreements(found: Examination) -> Iterator[Finding]:
    """Tell how many labels have another class than the mask."""
    agreement = found.agreement
    if not agreement.disagreeing:
        return
    share = agreement.disagreeing / agreement.compared
    severity = ERROR if share > MANY else WARNING if share > SOME else NOTE
    advice = _shift(found) or (
        'correct the worst files; if a class is wrong everywhere, the '
        'order of classes is: import_labels --class-map LABEL=CLASS'
    )
    if all(item.supervision == 'pseudo' for item in found.data.items):
        severity = NOTE
        advice = (
            'usual for labels that a model made: --min-confidence of '
            'generate_pseudo_labels leaves out those it is unsure of'
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
    """Return what mends a numbering that is off by one."""
    confusion = found.agreement.confusion
    half = confusion.sum() / 2
    if np.trace(confusion, -1) > half:
        return (
            'labels are one above the masks: one of the two counts from 1; '
            'reduce_zero_label=True, if it is the labels'
        )
    if np.trace(confusion, 1) > half:
        return (
            'labels are one below the masks: one of the two counts from 1; '
            'reduce_zero_label=False, if it is the masks'
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
            'classes lie on another class of the masks: '
            + ', '.join(swapped[:6]) + (', ...' if swapped[6:] else ''),
            'give classes in the order of the values, or '
            'import_labels --class-map LABEL=CLASS', len(swapped),
        )  # fmt: skip


def class_name(names: tuple[str, ...], index: int) -> str:
    """Return the name of a class, or its number where it has none."""
    return names[index] if index < len(names) else f'class {index}'


def labels_on_void(found: Examination) -> Iterator[Finding]:
    """Tell of labels where the masks say nothing."""
    agreement = found.agreement
    total = agreement.compared + agreement.on_void
    if total and agreement.on_void / total > SOME:
        yield Finding(
            'labels-on-void', NOTE,
            f'{percent(agreement.on_void / total)} of the labelled pixels lie '
            'where the dense masks are void',
        )  # fmt: skip


def position_bias(found: Examination) -> Iterator[Finding]:
    """Tell how far from the boundaries labels keep (BLPSeg, figure 1)."""
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
        f'labels keep {"away from" if away else "close to"} boundaries: '
        f'their mean relative distance is {means[0]:.2f}, that of all pixels '
        f'{means[1]:.2f}; {percent(near[0])} of the labels lie in the tenth '
        f'next to the boundary, and {percent(near[1])} of all pixels',
        'usual for strokes and clicks: a regularizer (docs/methods.md) '
        'teaches the pixels there' if away else '',
    )  # fmt: skip
