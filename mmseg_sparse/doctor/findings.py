"""What is wrong with labels, and how to correct it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .decode import Problem
from .examine import Examination

ERROR, WARNING, NOTE = 'error', 'warning', 'note'
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Finding:
    """One kind of problem, with all files that have it.

    Attributes:
        code: Its name.
        severity: ``error`` (training fails, or learns from wrong labels),
            ``warning`` or ``note``.
        message: What was found.
        mend: The remedy: what to do, a config line or a command.
        count: Number of the files, or of the classes, that have it.
        files: The first of these files, with what was found in each.
    """

    code: str
    severity: str
    message: str
    mend: str
    count: int = 0
    files: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """The finding in one line, with the first file and the remedy."""
        text = self.message
        if self.files:
            file, detail = self.files[0]
            text += f': {file}' + (f' ({detail})' if detail else '')
            if self.count > 1:
                text += f' and {self.count - 1} more'
        return f'{text}; to correct it: {self.mend}'


#: Files that a finding names.
SHOWN_FILES = 5

IMPORT = 'python -m mmseg_sparse import_labels {} LABELS OUT --images IMAGES'

#: Severity, message and remedy of what is found in single files.
PER_FILE: dict[str, tuple[str, str, str]] = {
    'missing-label': (
        ERROR, 'images have no label file',
        "list only the labelled images in the dataset's ann_file, or set "
        'seg_map_suffix and data_prefix=dict(seg_map_path=...) to where the '
        'label files are',
    ),
    'missing-image': (
        ERROR, 'images are missing',
        'set img_suffix and data_prefix=dict(img_path=...) to where the '
        'images are, or remove them from ann_file',
    ),
    'unreadable': (
        ERROR, 'label files cannot be read',
        'write them again from their source, or remove them from ann_file',
    ),
    'image-unreadable': (
        ERROR, 'images cannot be read',
        'copy them again from their source, or remove them from ann_file',
    ),
    'image-truncated': (
        WARNING, 'images seem to be truncated: what is missing of them may be '
        'loaded as grey',
        'copy them again from their source, or remove them from ann_file',
    ),
    'colour': (
        ERROR, 'label files hold colours instead of class indices',
        IMPORT.format('index-png')
        + " --colours FILE, where FILE has a line such as 'cat 128,0,0' for "
        'each class, or is a dataset type with these colours; without '
        '--colours if all channels are equal',
    ),
    'lossy': (
        ERROR, 'label files have a format that changes their values',
        'save the label maps from their source as PNG: JPEG adds false '
        'classes along every edge. If there is no other source: '
        + IMPORT.format('index-png')
        + ' --colours FILE --option tolerance=32 unknown=unlabelled',
    ),
    'wide': (
        ERROR, 'label files hold values that do not fit into 8 bits: the '
        'loader keeps only the lowest 8 bits of each value',
        IMPORT.format('index-png')
        + ' --class-map VALUE=CLASS (255 = no label)',
    ),
    'wide-values-fit': (
        WARNING, 'label files have more than 8 bits per pixel, although '
        'their values fit into 8 bits',
        IMPORT.format('index-png'),
    ),
    'palette-misread': (
        ERROR, "the pipeline's loader reads palette files as pictures in "
        'colour: it gets no class indices',
        "dict(type='LoadAnnotations', imdecode_backend='pillow')",
    ),
    'low-bit-depth': (
        ERROR, "the pipeline's loader scales the values of label files with "
        'less than 8 bits per pixel',
        IMPORT.format('index-png'),
    ),
    'palette-order': (
        ERROR, 'palette files number the colours of the classes in another '
        'order than the dataset: they were converted from pictures in colour',
        IMPORT.format('index-png')
        + ' --colours FILE, where FILE is a dataset type with these colours, '
        "or has a line such as 'cat 128,0,0' for each class",
    ),
    'size-mismatch': (
        ERROR, 'label files differ in size from their images',
        'draw the labels at the size of the images, or resize them with '
        'nearest-neighbour interpolation; the size of an image is taken after '
        'the rotation in its EXIF data',
    ),
    'dense-missing': (
        NOTE, 'images have no dense mask to compare with',
        '--dense DIR names the folder of the masks, --dense none skips the '
        'comparison',
    ),
    'dense-unreadable': (
        WARNING, 'dense masks cannot be read',
        'write them again, or name another folder with --dense',
    ),
    'dense-size': (
        WARNING, 'dense masks differ in size from the labels',
        'name a folder with masks of the same images with --dense',
    ),
}  # fmt: skip


def percent(share: float | None) -> str:
    """Return a share in percent with three digits: points label few pixels."""
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
    """Return the first few files, which a finding shows."""
    pairs = [
        (p.file, p.detail) if isinstance(p, Problem) else p
        for p in problems[:SHOWN_FILES]
    ]
    return tuple(pairs)


def file_findings(found: Examination) -> Iterator[Finding]:
    """Yield the findings about single files."""
    for code, (severity, message, mend) in PER_FILE.items():
        problems = found.problems.get(code)
        if problems:
            yield Finding(
                code, severity, message, mend, len(problems), named(problems)
            )
