"""What is wrong with the labels of a data set as a whole."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ..labels.image_list import DENSE_KINDS
from ..labels.label_map import NO_LABEL
from .examine import Examination
from .findings import (
    ERROR,
    NOTE,
    SEVERITIES,
    WARNING,
    Finding,
    file_findings,
    named,
    percent,
)
from .mask_rules import disagreements, labels_on_void, position_bias
from .measure import FileStats

#: Kinds of labels that leave most pixels without one, and the labelled share
#: of an image from which on they look dense.
LOOKS_DENSE = {'scribble': 0.4, 'point': 0.1, 'block': 0.75}
#: Dense masks with a smaller labelled share, in the median, look sparse.
LOOKS_SPARSE = 0.3


def diagnose(found: Examination) -> list[Finding]:
    """Return all findings, errors first."""
    findings = list(file_findings(found))
    for rule in RULES:
        findings += rule(found)
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))


def nothing_there(found: Examination) -> Iterator[Finding]:
    """Tell of data sets without images, or without labels."""
    data = found.data
    for text in data.refused:
        yield Finding(
            'refused', ERROR, f'the data set refuses its files: {text}'
        )
    if not data.items and not data.refused:
        yield Finding(
            'empty', ERROR, 'there are no images',
            'set data_root, data_prefix, img_suffix and ann_file to where '
            'the data are',
        )  # fmt: skip
    elif data.items and not any(
        item.labels or item.tags for item in data.items
    ):
        yield Finding(
            'no-label-folder', ERROR, 'the dataset names no label files',
            'data_prefix=dict(seg_map_path=...)', len(data.items),
        )  # fmt: skip


def pairing(found: Examination) -> Iterator[Finding]:
    """Tell of labels without image, and of what is there twice."""
    data = found.data
    if data.strays:
        yield Finding(
            'label-without-image', WARNING,
            'label files have no image and are not used',
            'set img_suffix to that of the images, or remove the label files',
            len(data.strays), named([(path, '') for path in data.strays]),
        )  # fmt: skip
    if data.unlisted:
        yield Finding(
            'image-not-listed', NOTE,
            'images have no labels, and labels.json does not list them',
            "SparseSegDataset(ann_file='.../labels.json') takes those that it "
            'lists alone; or label the others',
            len(data.unlisted), named([(path, '') for path in data.unlisted]),
        )  # fmt: skip
    if data.twice:
        yield Finding(
            'twice', WARNING, 'images are listed, or labelled, twice',
            'keep one line of ann_file, or one label file, for each image',
            len(data.twice), named([(path, '') for path in data.twice]),
        )  # fmt: skip
    for code, groups, what in (
        ('same-labels', found.same_labels, 'label files'),
        ('same-images', found.same_images, 'images'),
    ):
        if groups:
            yield Finding(
                code, WARNING,
                f'{sum(map(len, groups))} {what} are copies of each other, '
                'under different names',
                'keep one of them, unless the scenes are the same',
                len(groups),
                named([(g[0], f'the same as {", ".join(g[1:3])}'
                        + (f' and {len(g) - 3} more' if g[3:] else ''))
                       for g in groups]),
            )  # fmt: skip


def values(found: Examination) -> Iterator[Finding]:
    """Tell of values that are no class, and of numberings off by one."""
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
    if wrong:
        yield _out_of_range(found, dict(wrong), files)
    yield from _reduced_too_much(found)


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
            + (', 0 would be no label' if found.raw[0] else ''),
            'dataset=dict(reduce_zero_label=True)', len(files), named(files),
        )  # fmt: skip
    most = classes if reading.reduce_zero_label else (classes or 0) - 1
    return Finding(
        'out-of-range', ERROR,
        f'values are no class: {_listed(wrong)}; '
        + ('label_map names others' if reading.label_map is not None else
           f'{int(reading.reduce_zero_label)} to {most} are classes, '
           f'{NO_LABEL} is no label'),
        ('dataset=dict(reduce_zero_label=True) if classes count from 1; else '
         if from_one else '')
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
    raw = sum(_vector(f.raw) for f in files)
    last = files[0].item.reading.num_classes
    if raw[0] and raw[NO_LABEL] and not raw[last:NO_LABEL].any():
        yield Finding(
            'reduce-zero-label-excess', WARNING,
            f'reduce_zero_label takes 0 for no label and value {last} for '
            f'the last class, but 255 is used for no label and {last} never '
            'occurs: classes seem to count from 0',
            'dataset=dict(reduce_zero_label=False)', len(files),
        )  # fmt: skip


def _vector(counts: dict[int, int]) -> np.ndarray:
    vector = np.zeros(256, np.int64)
    vector[list(counts)] = list(counts.values())
    return vector


def _groups(found: Examination) -> dict[str | None, list[FileStats]]:
    groups: dict[str | None, list[FileStats]] = defaultdict(list)
    for one in found.usable:
        groups[one.item.supervision].append(one)
    return groups


def _zero_is_silent(kind: str | None, files: list[FileStats]) -> bool:
    """Tell whether 0 seems to mean "no label" where it is read as a class."""
    if kind in DENSE_KINDS or any(NO_LABEL in f.counts for f in files):
        return False
    if any(f.item.reading.table[0] == NO_LABEL for f in files):
        return False
    zeros = sum(f.raw.get(0, 0) for f in files)
    share = zeros / sum(f.pixels for f in files)
    return 1 > share > (0.5 if kind in LOOKS_DENSE else 0.8)


def density(found: Examination) -> Iterator[Finding]:
    """Tell of labels that are denser, or sparser, than announced."""
    for kind, files in _groups(found).items():
        if _zero_is_silent(kind, files):
            # With one label too many this is what a missing
            # reduce_zero_label looks like, and found as that.
            classes = files[0].item.reading.num_classes
            if classes is None or not found.raw[classes]:
                yield _silent_zero(kind, files)
            continue
        shares = np.array([f.labeled / f.pixels for f in files])
        bound = LOOKS_DENSE.get(kind or '')
        if bound is not None and np.median(shares) > bound:
            over = [f for f, s in zip(files, shares, strict=True) if s > bound]
            yield Finding(
                'dense-where-sparse', WARNING,
                f'labels announced as {kind} cover '
                f'{percent(np.median(shares))} of an image (median): these '
                'look like dense masks',
                'point seg_map_path to the sparse labels; or make some: '
                f'python -m mmseg_sparse simulate_labels {kind}s MASKS OUT',
                len(over), _shares(over),
            )  # fmt: skip
        if kind == 'dense' and np.median(shares) < LOOKS_SPARSE:
            yield Finding(
                'sparse-where-dense', WARNING,
                'masks announced as dense label '
                f'{percent(np.median(shares))} of an image (median): these '
                'look like strokes or points; an evaluation would see '
                'nothing else',
                'point seg_map_path to the dense masks', len(files),
                _shares(files),
            )  # fmt: skip


def _silent_zero(kind: str | None, files: list[FileStats]) -> Finding:
    share = sum(f.raw.get(0, 0) for f in files) / sum(f.pixels for f in files)
    sure = kind in LOOKS_DENSE
    return Finding(
        'zero-unlabelled', ERROR if sure else WARNING,
        f'0 covers {percent(share)} of the pixels and 255 never appears: 0 '
        + ('means' if sure else 'seems to mean')
        + ' "no label", but it is read as the first class',
        'dataset=dict(reduce_zero_label=True) if classes count from 1, or '
        + _IMPORT_ZERO, len(files),
    )  # fmt: skip


_IMPORT_ZERO = (
    'python -m mmseg_sparse import_labels label-images LABELS OUT --images '
    'IMAGES'
)


def _shares(files: list[FileStats]) -> tuple[tuple[str, str], ...]:
    return named(
        [
            (f.item.name, f'{percent(f.labeled / f.pixels)} labelled')
            for f in files
        ]
    )


def silence(found: Examination) -> Iterator[Finding]:
    """Tell of images without any label, and of classes without any."""
    data = found.data
    empty = [f.item.name for f in found.usable if not f.labeled]
    if empty:
        yield Finding(
            'no-label', WARNING, 'images have no labelled pixel',
            'they cost time and teach plain cross entropy nothing: take them '
            'out of ann_file, unless a regularizer is to use them',
            len(empty), named([(name, '') for name in empty]),
        )  # fmt: skip
    never = [
        name
        for index, name in enumerate(data.classes)
        if not found.images[index]
    ]
    if never and (found.usable or found.images.any()):
        train = data.split == 'train'
        yield Finding(
            'class-never-labelled', WARNING if train else NOTE,
            f'classes are never labelled: {", ".join(never[:8])}'
            + (f' and {len(never) - 8} more' if never[8:] else ''),
            'label some, or leave them out of classes: they cannot be learnt'
            if train else 'their IoU will be nan, and left out of the mean',
            len(never),
        )  # fmt: skip
    if found.usable and not data.classes:
        yield Finding(
            'classes-unknown', NOTE,
            'the classes are not known: values were not checked',
            '--classes NAME,NAME,... or a dataset type',
        )  # fmt: skip


RULES = (
    nothing_there,
    pairing,
    values,
    density,
    silence,
    disagreements,
    labels_on_void,
    position_bias,
)
