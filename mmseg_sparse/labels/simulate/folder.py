"""Simulated labels for a whole folder of masks."""

import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...utils.untrusted import FormatError
from ..classes import check_classes
from ..label_folder import (
    SIDECAR,
    LabelFile,
    check_label_folder,
    label_file,
    read_sidecar,
    write_label_folder,
)
from ..label_map import (
    NO_LABEL,
    distinct_palette,
    load_png_index,
    lookup_table,
)
from .blocks import simulate_blocks
from .points import simulate_points
from .reductions import drop_scribbles, shrink_scribbles
from .regions import Labels
from .scribbles import simulate_scribbles
from .tags import simulate_tags

#: Kinds that start from sparse labels.
REDUCTIONS = ('shrink', 'drop')
#: What labels a kind of simulation makes, and the function that does.
KINDS: dict[str, tuple[str, Callable[..., Any]]] = {
    'scribbles': ('scribble', simulate_scribbles),
    'points': ('point', simulate_points),
    'blocks': ('block', simulate_blocks),
    'tags': ('tag', simulate_tags),
    'shrink': ('scribble', shrink_scribbles),
    'drop': ('scribble', drop_scribbles),
}


@dataclass(frozen=True)
class FolderJob:
    """What to do to each mask of a folder.

    Attributes:
        kind: One of :data:`KINDS`.
        classes: Names, in order of the values in the masks.
        palette: Their colours; empty = chosen automatically.
        options: Arguments of the function, ``seed`` among them but for tags.
        void: Value of void in the masks, besides 255.
        reduce_zero_label: As in mmseg's ``LoadAnnotations``: 0 is void and
            classes count from 1. The result counts from 0.
        img_suffix: How the names of the images end, in place of the suffix
            of the masks: random choices are named after the image.
    """

    kind: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    void: int = NO_LABEL
    reduce_zero_label: bool = False
    img_suffix: str = ''

    def check(self) -> None:
        """Raise unless the job can be done.

        Raises:
            TypeError: If an option is unknown or missing.
            ValueError: If something is out of range.
        """
        if self.kind not in KINDS:
            raise ValueError(
                f'kind must be one of {", ".join(KINDS)}, got {self.kind!r}'
            )
        check_classes(self.classes)
        if self.palette and len(self.palette) != len(self.classes):
            raise ValueError(
                f'expected {len(self.classes)} colours, one for each class, '
                f'got {len(self.palette)}'
            )
        if not 0 <= self.void <= 255:
            raise ValueError(f'void must lie in [0, 255], got {self.void}')
        self.run(np.full((2, 2), NO_LABEL, np.uint8), '')

    def run(self, labels: Labels, stem: str) -> Any:
        """Return the simulated labels, or tags, of one mask."""
        function = KINDS[self.kind][1]
        if self.kind == 'tags':
            return function(
                labels, num_classes=len(self.classes), **self.options
            )
        return function(labels, image_id=stem, **self.options)

    def file(
        self, masks: Path, path: Path, suffix: str
    ) -> tuple[str, str, LabelFile]:
        """Return path below ``masks``, checksum and result of one file."""
        labels = self.load(path)
        name = path.relative_to(masks)
        # As the image is called.
        ending, dot, kind = self.img_suffix.rpartition('.')
        ending = ending if dot else kind
        result = self.run(labels, path.name.removesuffix(suffix) + ending)
        tags: list[str] = []
        if self.kind == 'tags':
            background = self.options.get('background')
            names = [n for i, n in enumerate(self.classes) if i != background]
            tags = [n for n, hot in zip(names, result, strict=True) if hot]
            result = None
        height, width = labels.shape
        made = label_file(
            name.with_suffix('').as_posix(),
            result,
            self.palette or distinct_palette(len(self.classes)),
            supervision=KINDS[self.kind][0],
            size=(width, height),
            tags=tags,
        )
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        return name.as_posix(), checksum, made

    def describe(self, **options: Any) -> dict[str, Any]:
        """Return what ``labels.json`` says about the job, and more options."""
        first = int(self.reduce_zero_label)
        return dict(
            classes=list(self.classes),
            class_map={str(i + first): i for i in range(len(self.classes))},
            options={
                **self.options,
                'void': self.void,
                'reduce_zero_label': self.reduce_zero_label,
                **options,
            },
        )

    def load(self, path: Path) -> Labels:
        """Read a mask.

        Raises:
            FormatError: If it is not an index PNG, or holds a value that
                is neither a class nor void.
        """
        values = load_png_index(path)
        if values.max(initial=0) > 255:
            raise FormatError(
                path,
                '',
                f'value {values.max()} is above 255: not a class index',
            )
        table = lookup_table(
            reduce_zero_label=self.reduce_zero_label, ignore_index=self.void
        )
        labels: Labels = table[values]
        bad = (labels >= len(self.classes)) & (labels != NO_LABEL)
        if bad.any():
            row, column = np.argwhere(bad)[0].tolist()
            first = int(self.reduce_zero_label)
            raise FormatError(
                path,
                f'row {row}, column {column}',
                f'value {values[row, column]} is not a class '
                f'({first} to {len(self.classes) - 1 + first}, or '
                f'{self.void} = void); {np.count_nonzero(bad)} such pixels',
            )
        return labels


def simulate_folder(
    job: FolderJob,
    masks: str | Path,
    out: str | Path,
    *,
    workers: int = 0,
    overwrite: bool = False,
    suffix: str = '.png',
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Simulate labels for each PNG in a folder and the folders in it.

    Random choices depend on the image's name without folders and type (that
    of the mask, with ``job.img_suffix`` in place of ``suffix``), as in the
    pipeline transforms. The number of workers changes nothing.

    Args:
        job: What to do.
        masks: Folder of index PNGs.
        out: Folder to make; it appears whole or not at all.
        workers: Processes to start; 0 = work in this one.
        overwrite: Replace a label folder that is there.
        suffix: Ending of the masks' names; other files are left alone.
        progress: Called with (images done, images in all).

    Returns:
        What ``labels.json`` holds.

    Raises:
        FileNotFoundError: If there are no masks, or listed ones are missing.
        FileExistsError: If ``out`` exists and may not be replaced.
        TypeError: If an option is unknown or missing.
        ValueError: If an option is out of range, ``out`` is in ``masks``, a
            mask cannot be used, or ``labels.json`` has other classes.
    """
    job.check()
    masks, out = Path(masks), Path(out)
    check_outside(out, masks)
    if not suffix.endswith('.png'):
        raise ValueError(f"suffix must end in '.png', got {suffix!r}")
    paths = find_masks(masks, suffix)
    check_label_folder(out, overwrite)
    images = _read_images(job, masks)
    sources: dict[str, str] = {}

    def files() -> Iterator[LabelFile]:
        with closing(_run(job, masks, paths, suffix, workers)) as results:
            for done, (name, checksum, file) in enumerate(results, 1):
                sources[name] = checksum
                yield _kept(job, file, images.pop(file.name, None))
                if progress is not None:
                    progress(done, len(paths))
        yield from _tagged(job, masks, images)

    meta = dict(
        tool='simulate_labels', format=f'index PNGs, {job.kind}',
        **job.describe(suffix=suffix, img_suffix=job.img_suffix),
        sources=sources,  # filled while the files are written
    )  # fmt: skip
    return write_label_folder(out, files(), meta, overwrite=overwrite)


def check_outside(out: Path, *sources: Path) -> None:
    """Raise ValueError if ``out`` is, or lies in, or holds a source."""
    for source in sources:
        if out.resolve().is_relative_to(source.resolve()):
            raise ValueError(f'{out} lies in the folder {source}')
        if source.resolve().is_relative_to(out.resolve()):
            raise ValueError(f'{out} holds the folder {source}')


def find_masks(masks: Path, suffix: str) -> list[Path]:
    """Return the files of a folder and those in it that end in ``suffix``.

    Raises:
        FileNotFoundError: If there is none.
    """
    paths = sorted(
        path
        for path in masks.rglob('*')
        if path.name.endswith(suffix) and path.is_file()
    )
    if not paths:
        what = f'no *{suffix} in it' if masks.is_dir() else 'no such folder'
        raise FileNotFoundError(f'{masks}: {what}')
    return paths


def _read_images(job: FolderJob, masks: Path) -> dict[str, Any]:
    """Return what ``labels.json`` says about the images, by name.

    Raises:
        ValueError: If it is malformed or has other classes.
    """
    if not os.path.lexists(masks / SIDECAR):
        return {}
    sidecar = read_sidecar(masks / SIDECAR)
    found = tuple(sidecar['classes'])
    if found[int(job.reduce_zero_label) :] != job.classes:
        raise ValueError(
            f'{masks / SIDECAR}: its labels are of the classes '
            f'{", ".join(found)}, not {", ".join(job.classes)}'
        )
    return dict(sidecar['images'])


def _kept(job: FolderJob, file: LabelFile, info: Any) -> LabelFile:
    """Return a file with what remains true of what its mask's entry says.

    This is the path of the image and, of reduced labels, kind and tags.
    """
    if info is None:
        return file
    kept = {'image': info['image']} if info.get('image') else {}
    if job.kind in REDUCTIONS:
        kind = info['supervision']
        if kind not in ('point', 'block'):
            kind = 'scribble'
        kept |= {'supervision': kind, 'tags': info.get('tags', [])}
    return LabelFile(file.name, file.png, {**file.info, **kept})


def _tagged(
    job: FolderJob, masks: Path, images: dict[str, Any]
) -> Iterator[LabelFile]:
    """Yield the images of a ``labels.json`` that have only tags, to keep them.

    Raises:
        FileNotFoundError: If one should have a label map.
    """
    for name, info in images.items() if job.kind in REDUCTIONS else ():
        path = masks / f'{name}.png'
        if info['supervision'] == 'tag':
            yield LabelFile(name, None, info)
        elif not path.is_file():
            raise FileNotFoundError(
                f'{path} is missing: {masks / SIDECAR} lists it'
            )


def _run(
    job: FolderJob,
    masks: Path,
    paths: Sequence[Path],
    suffix: str,
    workers: int,
) -> Generator[tuple[str, str, LabelFile], None, None]:
    """Yield the results in order."""
    if workers < 0:
        raise ValueError(f'workers must be at least 0, got {workers}')
    if workers == 0:
        for path in paths:
            yield job.file(masks, path, suffix)
        return
    pool = ProcessPoolExecutor(workers, initializer=cv2.setNumThreads,
                               initargs=(0,))  # fmt: skip
    try:
        work = partial(_file, job, masks, suffix)
        yield from pool.map(work, paths, chunksize=8)
    finally:
        pool.shutdown(cancel_futures=True)


def _file(
    job: FolderJob, masks: Path, suffix: str, path: Path
) -> tuple[str, str, LabelFile]:
    return job.file(masks, path, suffix)
