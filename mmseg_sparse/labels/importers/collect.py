"""Collect what an import reads, by image."""

import hashlib
import pickle
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...utils.untrusted import FormatError, shown
from ..classes import LEFT_OUT, ClassMap, meaning
from ..image_finder import ImageFinder, image_size
from .annotation import ImageAnnotation, Shape


@dataclass
class ImageJob:
    """What is known of one image: everything that drawing it needs.

    Shapes are kept pickled and packed: regions of pixels shrink a hundred
    times, and that is also how they get to another process.

    Attributes:
        name: Path below the folder of images, without the suffix.
        path: The image.
        size: ``(width, height)``.
        packed: Annotations, in the order they were read.
        tags: Labels of the whole image.
    """

    name: str
    path: Path
    size: tuple[int, int]
    packed: list[bytes] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def add(self, annotation: ImageAnnotation) -> None:
        """Add an annotation; its shapes lie above those of equal z."""
        self.packed.append(zlib.compress(pickle.dumps(annotation), 1))
        self.tags += annotation.tags

    def annotation(self) -> ImageAnnotation:
        """Return the annotations as one."""
        parts = [pickle.loads(zlib.decompress(p)) for p in self.packed]
        shapes: tuple[Shape, ...] = sum((p.shapes for p in parts), ())
        return replace(parts[0], shapes=shapes, tags=tuple(self.tags))


class Collector:
    """Sorts annotations by image, and checks them on the way.

    Args:
        finder: The images.
        class_map: Known labels; None = all are, and are collected.
        words: The tool's own words, as in :class:`ClassMap`.
        skip_unknown: Leave out what has an unknown class, a missing image or
            one of another size, and what is malformed.

    Attributes:
        jobs: One for each image that the source names, by its name.
        labels: Every label seen, of shapes and tags, that counts.
        sources: Files that were read.
        skipped_labels: Shapes and tags left out, by class.
        skipped_images: Names of missing images.
        skipped_sizes: Names of images that have another size.
        skipped_entries: How many other entries are left out.
        reasons: What is wrong with the first of them.
    """

    #: So many reasons are kept.
    REASONS = 5

    def __init__(
        self,
        finder: ImageFinder,
        class_map: ClassMap | None,
        skip_unknown: bool = False,
        *,
        words: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.finder = finder
        self.class_map = class_map
        self.words = words
        self.skip_unknown = skip_unknown
        self.jobs: dict[str, ImageJob] = {}
        self.labels: set[str] = set()
        self.sources: set[str] = set()
        self.skipped_labels: Counter[str] = Counter()
        self.skipped_images: list[str] = []
        self.skipped_sizes: list[str] = []
        self.skipped_entries = 0
        self.reasons: list[str] = []
        self._named: set[PurePosixPath] = set()

    @property
    def unannotated(self) -> int:
        """How many images no annotation names."""
        return len(self.finder) - len(self._named)

    def leave_out(self, error: FormatError) -> None:
        """Count an entry that is malformed.

        Raises:
            FormatError: Unless such entries are to be skipped.
        """
        if not self.skip_unknown:
            raise error
        self.skipped_entries += 1
        if len(self.reasons) < self.REASONS:
            self.reasons.append(str(error))

    def add(self, annotation: ImageAnnotation) -> None:
        """Take in one annotation.

        Raises:
            FormatError: If its image is missing, broken or not the only one
                of that name, its size is another one, or a class is unknown;
                unless such are to be skipped.
        """
        self.sources.update((annotation.source, *annotation.files))
        try:
            job = self._job(annotation)
        except FormatError as error:
            self.leave_out(error)
            return
        if job is None:
            return
        shapes = [
            shape for shape in annotation.shapes
            if self._known(shape.label, annotation.source, shape.entry)
        ]  # fmt: skip
        tags = [
            tag for tag in annotation.tags
            if self._known(tag, annotation.source, f'tags of {job.name}')
        ]  # fmt: skip
        job.add(replace(annotation, shapes=tuple(shapes), tags=tuple(tags)))

    def _job(self, annotation: ImageAnnotation) -> ImageJob | None:
        source, entry = annotation.source, f'image {annotation.image!r}'
        found = self.finder.find(annotation.image)
        if not found and self.skip_unknown:
            self.skipped_images.append(annotation.image)
            return None
        if not found:
            raise FormatError(source, entry, f'not in {self.finder.folder}')
        if len(found) > 1:
            raise FormatError(
                source, entry,
                f'may be any of {", ".join(map(str, found[:4]))} in '
                f'{self.finder.folder}',
            )  # fmt: skip
        self._named.add(found[0])
        path = self.finder.folder / found[0]
        name = found[0].with_suffix('').as_posix()
        job = self.jobs.get(name) or ImageJob(name, path, image_size(path))
        if job.path != path:
            raise FormatError(
                source, entry, f'{job.path} and {path} have the same name'
            )
        if annotation.size not in (None, job.size):
            if self.skip_unknown:
                self.skipped_sizes.append(annotation.image)
                return None
            turned = annotation.size == job.size[::-1]
            raise FormatError(
                source, entry,
                f'the size is {_times(annotation.size)} here and '
                f'{_times(job.size)} in {path}'
                + (' (turned by its EXIF data?)' if turned else ''),
            )  # fmt: skip
        self.jobs[name] = job
        return job

    def _known(self, label: str, source: str, entry: str) -> bool:
        names, index = self.class_map, meaning(label, self.words)
        if names is not None:
            index = names.index(label)
            if index is None and not self.skip_unknown:
                raise FormatError(
                    source, entry,
                    f'unknown class {shown(label)}, known are '
                    f'{names.describe()}',
                )  # fmt: skip
        if index == LEFT_OUT or (index is None and names is not None):
            self.skipped_labels[label] += 1
            return False
        self.labels.add(label)
        return True


def checksums(
    source: Path, files: Iterable[str], options: Mapping[str, Any]
) -> dict[str, str]:
    """Return the SHA-256 of what was read, by name.

    Args:
        source: What was asked to be read.
        files: Files that annotations came from; those beside or below
            ``source`` are named relative to it.
        options: Of the reader; those that are files were read too.
    """
    folder = source if source.is_dir() else source.parent
    found = {path.name: path for path in options.values()
             if isinstance(path, Path) and path.is_file()}  # fmt: skip
    if source.is_file():
        found[source.name] = source
    for path in map(Path, files):
        below = path.is_relative_to(folder)
        found[(path.relative_to(folder) if below else path).as_posix()] = path
    return {name: _sha256(path) for name, path in sorted(found.items())}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _times(size: tuple[int, int] | None) -> str:
    return f'{size[0]} x {size[1]}' if size else ''
