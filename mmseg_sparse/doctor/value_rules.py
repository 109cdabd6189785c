"""Values of label files that are not classes, or not those that they seem."""

import shlex
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ..labels.colours import grey_options, is_grey_picture
from ..labels.label_map import NO_LABEL
from .examine import Examination
from .findings import ERROR, IMPORT, WARNING, Finding, named
from .measure import Counts


def values(found: Examination) -> Iterator[Finding]:
    """Find values that are not a class, and numberings off by one."""
    wrong: dict[int, int] = defaultdict(int)
    files = []
    for one in found.usable:
        classes = one.item.reading.num_classes
        if classes is None:
            continue
        own = {
            value: number
            for value, number in one.raw.items()
            if classes <= one.item.reading.table[value] < NO_LABEL
        }
        for value, number in own.items():
            wrong[value] += number
        if own:
            files.append((one.item.name, _listed(own)))
    yield from black_and_white(found)
    if wrong:
        yield _out_of_range(found, dict(wrong), files)
    yield from _reduced_too_much(found)


def black_and_white(found: Examination) -> Iterator[Finding]:
    """Find masks in black and white, or grey, whose white is unlabelled."""
    used = np.flatnonzero(found.raw).tolist()
    table = found.usable[0].item.reading.table if found.usable else ()
    if not is_grey_picture(used) or any(table[v] != v for v in used):
        return
    names = found.data.classes
    if len(names) < len(used):
        names = ('background', *(names or ('object',)))
    names += tuple(f'class {k}' for k in range(len(names), len(used)))
    listed = [f'{value} ({found.raw[value]} pixels)' for value in used]
    yield Finding(
        'black-and-white', ERROR,
        f'the values are {", ".join(listed[:-1])} and {listed[-1]} alone, as '
        f'in masks in {"black and white" if len(used) == 2 else "grey"}: 255 '
        'seems to be a class, but is read as "no label"',
        f'{IMPORT.format("index-png")} --classes '
        f'{shlex.quote(",".join(names))} '
        f'{grey_options(used, names[: len(used)])}; if 255 does mean "no '
        'label": label a second class, as nothing can be learnt from one',
        len(found.usable), named([(f.item.name, '') for f in found.usable]),
    )  # fmt: skip


def _out_of_range(
    found: Examination,
    wrong: dict[int, int],
    files: list[tuple[str, str]],
) -> Finding:
    reading = found.usable[0].item.reading
    classes = reading.num_classes
    plain = not reading.reduce_zero_label and reading.label_map is None
    from_one = plain and list(wrong) == [classes]
    if from_one and 0 in (found.raw[0], found.raw[NO_LABEL]):
        return Finding(
            'reduce-zero-label-missing', ERROR,
            f'classes seem to count from 1: values go up to {classes}, and '
            f'there are {classes} classes'
            + (', 0 would mean "no label"' if found.raw[0] else ''),
            'dataset=dict(reduce_zero_label=True)', len(files), named(files),
        )  # fmt: skip
    most = classes if reading.reduce_zero_label else (classes or 0) - 1
    return Finding(
        'out-of-range', ERROR,
        f'values are not a class: {_listed(wrong)}; '
        + ('label_map has other values' if reading.label_map is not None else
           f'{int(reading.reduce_zero_label)} to {most} are classes, '
           f'{NO_LABEL} means "no label"'),
        ('dataset=dict(reduce_zero_label=True) if classes count from 1; '
         'otherwise ' if from_one else '')
        + "dataset=dict(type='SparseSegDataset', label_map={value: class or "
        '255, ...}), or add the missing names to classes',
        len(files), named(files),
    )  # fmt: skip


def _listed(numbers: dict[int, int]) -> str:
    shown = [
        f'{value} ({number} {"pixel" if number == 1 else "pixels"})'
        for value, number in sorted(numbers.items())
    ]
    return ', '.join(shown[:6]) + (', ...' if shown[6:] else '')


def _reduced_too_much(found: Examination) -> Iterator[Finding]:
    files = [f for f in found.usable if f.item.reading.reduce_zero_label]
    if not files or files[0].item.reading.num_classes is None:
        return
    raw = np.sum([_vector(f.raw) for f in files], axis=0)
    last = files[0].item.reading.num_classes
    if raw[0] and raw[NO_LABEL] and not raw[last:NO_LABEL].any():
        yield Finding(
            'reduce-zero-label-excess', WARNING,
            'with reduce_zero_label, 0 means "no label" and the last class '
            f'has value {last}; but the files use 255 for "no label" and '
            f'never {last}: classes seem to count from 0',
            'dataset=dict(reduce_zero_label=False)', len(files),
        )  # fmt: skip


def _vector(counts: dict[int, int]) -> Counts:
    vector = np.zeros(256, np.int64)
    vector[list(counts)] = list(counts.values())
    return vector
