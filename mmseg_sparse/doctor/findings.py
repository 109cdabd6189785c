"""What is wrong with labels, and what mends it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .decode import Problem
from .examine import Examination

ERROR, WARNING, NOTE = 'error', 'warning', 'note'
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Finding:
    """One kind of trouble, with all files that have it.

    Attributes:
        code: Its name.
        severity: ``error`` (training fails or learns nonsense), ``warning``
            or ``note``.
        message: What was found.
        mend: The config line or the command that mends it; may be empty.
        count: Number of files, or of classes, that it is about.
        files: The first of these files, with what was found in each.
    """

    code: str
    severity: str
    message: str
    mend: str = ''
    count: int = 0
    files: tuple[tuple[str, str], ...] = ()


#: Files that a finding names.
SHOWN_FILES = 5

_IMPORT = 'python -m mmseg_sparse import_labels {} LABELS OUT --images IMAGES'

#: Severity, message and mend of what is found in single files.
PER_FILE: dict[str, tuple[str, str, str]] = {
    'missing-label': (
        ERROR, 'images have no label file',
        "list the labelled images alone in the dataset's ann_file, or set "
        'seg_map_suffix and data_prefix=dict(seg_map_path=...) to where the '
        'label files are',
    ),
    'missing-image': (
        ERROR, 'images are missing',
        'set img_suffix and data_prefix=dict(img_path=...) to where the '
        'images are, or take them out of ann_file',
    ),
    'unreadable': (
        ERROR, 'label files cannot be read',
        'write them again from their source, or take them out of ann_file',
    ),
    'image-unreadable': (
        ERROR, 'images cannot be read',
        'copy them again from their source, or take them out of ann_file',
    ),
    'image-truncated': (
        WARNING, 'images seem cut short: they are loaded with a grey rest',
        'copy them again from their source, or take them out of ann_file',
    ),
    'colour': (
        ERROR, 'label files hold colours in place of class indices',
        'save one number a pixel, the class index, as an 8-bit PNG; if all '
        "channels are equal: PIL.Image.open(f).getchannel(0).save(f)",
    ),
    'lossy': (
        ERROR, 'label files are of a format that changes their values',
        'save the label maps as PNG, from their source: JPEG invents classes '
        'along every edge',
    ),
    'wide': (
        ERROR, 'label files hold values that do not fit into 8 bits: the '
        'loader keeps the lowest 8 bits of each',
        _IMPORT.format('index-png')
        + ' --class-map VALUE=CLASS (255 = no label)',
    ),
    'wide-values-fit': (
        WARNING, 'label files have more than 8 bits a pixel, without need',
        _IMPORT.format('index-png'),
    ),
    'palette-misread': (
        ERROR, "the pipeline's loader takes palette files for pictures in "
        'colour: it does not see the class indices',
        "dict(type='LoadAnnotations', imdecode_backend='pillow')",
    ),
    'low-bit-depth': (
        ERROR, "label files of less than 8 bits a pixel are stretched by the "
        "pipeline's loader",
        _IMPORT.format('index-png'),
    ),
    'palette-order': (
        ERROR, 'palette files number the colours of the classes in another '
        'order than the dataset: they were converted from pictures in colour',
        'save the class index of each pixel: look its colour up in the '
        "dataset's palette, not in the file's",
    ),
    'size-mismatch': (
        ERROR, 'label files have another size than their images',
        'draw the labels at the size of the images, or resize with nearest '
        'neighbours; a picture turned by its EXIF data counts as it is shown',
    ),
    'dense-missing': (
        NOTE, 'images have no dense mask to compare with', '',
    ),
    'dense-unreadable': (
        WARNING, 'dense masks cannot be read', 'write them again, or name '
        'another folder by --dense',
    ),
    'dense-size': (
        WARNING, 'dense masks have another size than the labels', '--dense '
        'with masks of the same images',
    ),
}  # fmt: skip


def percent(share: float | None) -> str:
    """Return a share in three digits: points are well below 0.1 %."""
    if share is None:
        return '-'
    number = 100 * share
    if number == 0 or number >= 9.95:
        return f'{number:.1f} %' if number else '0 %'
    if number >= 0.1:
        return f'{number:.2f} %'
    return f'{number:.2g} %' if number >= 1e-3 else f'{number:.0e} %'


def named(
    problems: Sequence[Problem] | Sequence[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    """Return the files that a finding shows, the first few."""
    pairs = [
        (p.file, p.detail) if isinstance(p, Problem) else p
        for p in problems[:SHOWN_FILES]
    ]
    return tuple(pairs)


def file_findings(found: Examination) -> Iterator[Finding]:
    """Yield what was found in single files."""
    for code, (severity, message, mend) in PER_FILE.items():
        problems = found.problems.get(code)
        if problems:
            yield Finding(
                code, severity, message, mend, len(problems), named(problems)
            )
