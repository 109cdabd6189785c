"""What is wrong with the labels of a data set as a whole."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..labels.image_list import DENSE_KINDS
from ..labels.label_map import NO_LABEL
from .examine import Examination
from .findings import (
    ERROR,
    IMPORT,
    NOTE,
    SEVERITIES,
    WARNING,
    Finding,
    file_findings,
    named,
    percent,
)
from .inputs import LabelSet
from .mask_rules import (
    class_name,
    disagreements,
    labels_on_void,
    near_objects,
    position_bias,
)
from .measure import FileStats
from .split_rules import (
    class_shares,
    classes_of_val_alone,
    copies,
    only_in_val,
)
from .value_rules import black_and_white, values

#: Kinds of labels that leave most pixels without one, and the labelled share
#: of an image from which on they look dense.
LOOKS_DENSE = {'scribble': 0.4, 'point': 0.1, 'block': 0.75}
#: Share of the images with labels of one class only that is reported.
ONE_CLASS = 0.4
#: Dense masks with a smaller labelled share, in the median, look sparse.
LOOKS_SPARSE = 0.3


def diagnose(found: Examination) -> list[Finding]:
    """Return all findings, errors first."""
    findings = list(file_findings(found))
    for rule in RULES:
        findings += rule(found)
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))


def nothing_there(found: Examination) -> Iterator[Finding]:
    """Find data sets without images, or without labels."""
    data = found.data
    for text in data.refused:
        yield Finding(
            'refused',
            ERROR,
            f'the data set cannot be loaded: {text}',
            'change the dataset or the pipeline in the config as the message '
            'says',
        )
    if not data.items and not data.refused:
        yield Finding(
            'empty', ERROR, 'there are no images',
            'set data_root, data_prefix, img_suffix and ann_file to where '
            'the images are',
        )  # fmt: skip
    elif data.items and not any(
        item.labels or item.tags for item in data.items
    ):
        yield Finding(
            'no-label-folder', ERROR,
            'the dataset has no folder of label files',
            'data_prefix=dict(seg_map_path=...)', len(data.items),
        )  # fmt: skip


def pairing(found: Examination) -> Iterator[Finding]:
    """Find labels without image, and duplicates."""
    data = found.data
    if data.strays:
        yield Finding(
            'label-without-image', WARNING,
            'label files have no image and are not used',
            'set img_suffix to the suffix of the images, or remove the label '
            'files',
            len(data.strays), named([(path, '') for path in data.strays]),
        )  # fmt: skip
    if data.unlisted:
        yield Finding(
            'image-not-listed', NOTE,
            'images have no labels, and labels.json does not list them',
            "SparseSegDataset(ann_file='.../labels.json') takes only the "
            'listed images; or label the others',
            len(data.unlisted), named([(path, '') for path in data.unlisted]),
        )  # fmt: skip
    if data.twice:
        yield Finding(
            'twice', WARNING, 'images are listed or labelled more than once',
            'keep one line in ann_file, and one label file, for each image',
            len(data.twice), named([(path, '') for path in data.twice]),
        )  # fmt: skip
    yield from suffixes(data)
    for code, groups, what in (
        ('same-labels', found.same_labels, 'label files'),
        ('same-images', found.same_images, 'images'),
    ):
        if groups:
            yield Finding(
                code, WARNING,
                f'{sum(map(len, groups))} {what} are copies of each other, '
                'under different names',
                'remove the copies; label files may be equal if their images '
                'are',
                len(groups),
                named([(g[0], f'the same as {", ".join(g[1:3])}'
                        + (f' and {len(g) - 3} more' if g[3:] else ''))
                       for g in groups]),
            )  # fmt: skip


def suffixes(data: LabelSet) -> Iterator[Finding]:
    """Find images that are left out, or confused, because of their suffix."""
    if data.unused:
        there = sorted({
            Path(path).suffix
            for path in (*data.unused, *(i.image for i in data.items))
            if path is not None
        })  # fmt: skip
        yield Finding(
            'image-of-other-suffix', WARNING,
            'images of the folder are not used, as their suffix is not that '
            'of the dataset',
            f"dataset=dict(type='SparseSegDataset', img_suffix={there}), or "
            "ann_file='.../labels.json' as import_labels writes it",
            len(data.unused), named([(path, '') for path in data.unused]),
        )  # fmt: skip
    if data.shared:
        yield Finding(
            'images-share-labels', ERROR,
            'images that differ only in the suffix share one label file',
            'rename or remove one of them',
            len(data.shared), named([(path, '') for path in data.shared]),
        )  # fmt: skip


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
    """Find labels that are denser, or sparser, than their kind is."""
    for kind, files in _groups(found).items():
        if _zero_is_silent(kind, files):
            # If the value after the last class occurs, this is a missing
            # reduce_zero_label, which another rule finds.
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
                f'the config or the folder says that these are {kind} '
                f'labels, but they cover {percent(np.median(shares))} of an '
                'image (median), like dense masks',
                'set seg_map_path to the sparse labels; or simulate some: '
                f'python -m mmseg_sparse simulate_labels {kind}s MASKS OUT',
                len(over), _shares(over),
            )  # fmt: skip
        if kind == 'dense' and np.median(shares) < LOOKS_SPARSE:
            yield Finding(
                'sparse-where-dense', WARNING,
                'the config or the folder says that these are dense masks, '
                f'but they label {percent(np.median(shares))} of an image '
                '(median), like strokes or points: an evaluation would count '
                'these pixels only',
                'set seg_map_path to the dense masks', len(files),
                _shares(files),
            )  # fmt: skip


def _silent_zero(kind: str | None, files: list[FileStats]) -> Finding:
    share = sum(f.raw.get(0, 0) for f in files) / sum(f.pixels for f in files)
    sure = kind in LOOKS_DENSE
    return Finding(
        'zero-unlabelled', ERROR if sure else WARNING,
        f'0 covers {percent(share)} of the pixels and 255 never occurs: 0 '
        + ('means' if sure else 'seems to mean')
        + ' "no label", but is read as the first class',
        'dataset=dict(reduce_zero_label=True) if classes count from 1, or '
        + IMPORT.format('label-images'), len(files),
    )  # fmt: skip


def _shares(files: list[FileStats]) -> tuple[tuple[str, str], ...]:
    return named(
        [
            (f.item.name, f'{percent(f.labeled / f.pixels)} labelled')
            for f in files
        ]
    )


def silence(found: Examination) -> Iterator[Finding]:
    """Find images and classes without any label."""
    data = found.data
    empty = [f.item.name for f in found.usable if not f.labeled]
    if empty:
        yield Finding(
            'no-label', WARNING, 'images have no labelled pixel',
            'remove them from ann_file, unless a regularizer uses them: cross '
            'entropy learns nothing from them',
            len(empty), named([(name, '') for name in empty]),
        )  # fmt: skip
    said = only_in_val(found)
    never = [
        name
        for index, name in enumerate(data.classes)
        if not found.images[index] and index not in said
    ]
    if never and (found.usable or found.images.any()):
        train = data.split == 'train'
        yield Finding(
            'class-never-labelled', WARNING if train else NOTE,
            f'classes are never labelled: {", ".join(never[:8])}'
            + (f' and {len(never) - 8} more' if never[8:] else ''),
            'label some, or remove these classes: they cannot be learnt'
            if train else
            'evaluate on images with all classes: the IoU of these is nan, '
            'and the mean leaves it out',
            len(never),
        )  # fmt: skip
    if found.usable and not data.classes:
        yield Finding(
            'classes-unknown', NOTE,
            'the classes are not known, so values were not checked',
            '--classes NAME,NAME,... or --classes DATASET_TYPE',
        )  # fmt: skip


def one_class(found: Examination) -> Iterator[Finding]:
    """Find labels that touch one class only, of all images or of many."""
    labeled = [f for f in found.usable if f.labeled]
    touched = np.flatnonzero(found.images[:NO_LABEL]).tolist()
    names = found.data.classes
    if not labeled or len(names) == 1:
        return
    if len(touched) == 1:
        if list(black_and_white(found)):
            return
        yield Finding(
            'one-class', WARNING,
            f'all labels are of one class, {class_name(names, touched[0])}: a '
            'model learns to predict it everywhere',
            'label other classes, too, such as the background; or read the '
            'rest of the pixels as background: import_labels ... --fill '
            'background', len(labeled),
        )  # fmt: skip
        return
    sure = found.agreement.images > 0
    some = found.agreement.partial if sure else [
        f.item.name for f in labeled
        if len(set(f.counts) - {NO_LABEL}) == 1
        and not set(f.item.tags)
        and f.item.supervision not in DENSE_KINDS
    ]  # fmt: skip
    share = len(some) / (found.agreement.images if sure else len(labeled))
    if share <= ONE_CLASS:
        return
    yield Finding(
        'one-class-images', NOTE,
        f'in {percent(share)} of the images labels touch one class only'
        + (', although the dense masks have several' if sure else
           '. Without dense masks it is a guess that they show others, too'),
        'label a second class in these images, mostly the background (clicks '
        "of What's the Point: --option background=FILE): where classes meet "
        'is learnt from images that label both; or train with a regularizer '
        '(docs/methods.md)',
        len(some), named([(name, '') for name in some]),
    )  # fmt: skip


RULES = (
    nothing_there,
    pairing,
    values,
    density,
    silence,
    one_class,
    disagreements,
    labels_on_void,
    near_objects,
    position_bias,
    copies,
    classes_of_val_alone,
    class_shares,
)
