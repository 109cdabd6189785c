"""Collect what an import reads, by image."""

import hashlib
import itertools
import pickle
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...utils.untrusted import FormatError, shown
from ..classes import LEFT_OUT, ClassMap, meaning
from ..image_finder import (
    ImageFinder,
    image_size,
    is_inside,
    possible_names,
)
from .annotation import ImageAnnotation, Shape
from .rasterize import is_outside


@dataclass
class ImageJob:
    """What is known of one image: everything that drawing it needs.

    Shapes are kept pickled and packed: regions of pixels shrink a hundred
    times, and that is also how they get to another process.

    Attributes:
        name: Path below the folder of images, without the suffix.
        path: The image.
        size: ``(width, height)``.
        first: The first annotation, without its shapes.
        packed: Annotations, in the order they were read.
        tags: Labels of the whole image.
        annotators: Whose labels it has, where the source tells.
    """

    name: str
    path: Path
    size: tuple[int, int]
    first: ImageAnnotation
    packed: list[bytes] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    annotators: list[str] = field(default_factory=list)

    def add(self, annotation: ImageAnnotation) -> None:
        """Add an annotation; its shapes lie above those of equal z."""
        self.packed.append(zlib.compress(pickle.dumps(annotation), 1))
        self.tags += annotation.tags
        if annotation.annotator not in ('', *self.annotators):
            self.annotators.append(annotation.annotator)

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
        annotator: Whose labels of an image count: 'merge' = everybody's,
            'first' = those of the first in the source, else a name. None =
            everybody's, but entries of the same name may not be one image.
        place: Returns an annotation in pixels of its image.

    Attributes:
        jobs: One for each image that the source names, by its name.
        labels: Every label seen, of shapes and tags, that counts.
        sources: Files that were read.
        skipped_labels: Shapes and tags left out, by class.
        skipped_images: Names of missing images.
        skipped_sizes: Names of images that have another size.
        skipped_entries: How many other entries are left out.
        reasons: What is wrong with the first of them.
        annotators: Number of annotations by who made them.
        skipped_annotations: How many are of annotators that do not count.
        outside: Shapes that lie beyond an edge of their image as a whole.
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
        annotator: str | None = None,
        place: Callable[[ImageAnnotation], ImageAnnotation] = lambda item: (
            item
        ),
    ) -> None:
        self.finder = finder
        self.place = place
        self.class_map = class_map
        self.words = words
        self.skip_unknown = skip_unknown
        self.annotator = annotator
        self.jobs: dict[str, ImageJob] = {}
        self.labels: set[str] = set()
        self.sources: set[str] = set()
        self.skipped_labels: Counter[str] = Counter()
        self.skipped_images: list[str] = []
        self.skipped_sizes: list[str] = []
        self.skipped_entries = 0
        self.reasons: list[str] = []
        self.annotators: Counter[str] = Counter()
        self.skipped_annotations = 0
        self.outside = 0
        self._named: set[PurePosixPath] = set()
        self._folders: set[str] = set()

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
                unless such are to be skipped. Also if the image is that of
                another entry, which is never skipped.
        """
        self.sources.update((annotation.source, *annotation.files))
        self._folders.update(annotation.folders)
        try:
            annotation = self.place(annotation)
            job = self._job(annotation)
        except FormatError as error:
            self.leave_out(error)
            return
        if job is None:
            return
        _check_same_image(annotation, job, self.annotator is not None)
        if not self._counts(annotation, job):
            return
        self.jobs[job.name] = job
        shapes = [
            shape for shape in annotation.shapes
            if self._known(shape.label, annotation.source, shape.entry)
        ]  # fmt: skip
        tags = [
            tag for tag in annotation.tags
            if self._known(tag, annotation.source, f'tags of {job.name}')
        ]  # fmt: skip
        self.outside += sum(is_outside(shape, job.size) for shape in shapes)
        job.add(replace(annotation, shapes=tuple(shapes), tags=tuple(tags)))

    def check(self) -> None:
        """Look at what only the whole source shows.

        Raises:
            FormatError: If an image is in the folder of another subset than
                its own.
            ValueError: If an annotator is asked for who is not there.
        """
        for job in self.jobs.values():
            own, path = job.first.folders, self._relative(job)
            others = self._folders - set(own)
            if is_inside(path, others) and own and not is_inside(path, own):
                raise FormatError(
                    job.first.source, f'image {shown(job.first.image)}',
                    f'{_entry(job.first)} is in {shown(own[0])}, but the only '
                    f'image of that name is {job.path}',
                )  # fmt: skip
        if self.annotator in (None, 'merge', *self.annotators):
            return
        if self.annotator != 'first' or not self.annotators:
            names = ', '.join(map(shown, sorted(self.annotators)[:12]))
            raise ValueError(
                f'annotator: expected merge, first or one of {names}, got '
                f'{self.annotator!r}'
                if self.annotators
                else f'annotator: {self.annotator!r} was asked for, but the '
                'source does not say who made which label'
            )

    def _relative(self, job: ImageJob) -> PurePosixPath:
        return PurePosixPath(job.path.relative_to(self.finder.folder))

    def _counts(self, annotation: ImageAnnotation, job: ImageJob) -> bool:
        """Tell whether an annotation's annotator counts for its image."""
        who = annotation.annotator
        self.annotators.update([who] * bool(who))
        if self.annotator == 'first':
            counts = not who or job.annotators[:1] in ([], [who])
        else:
            counts = self.annotator in (None, 'merge', who)
        self.skipped_annotations += not counts
        return counts

    def _find(self, annotation: ImageAnnotation) -> list[PurePosixPath]:
        """Return the images that an annotation may be of.

        An image that is called as the annotation file is, is meant where the
        name in the file leads nowhere, as after renaming both, or to several.

        Raises:
            FormatError: If the two names lead to two images of one folder,
                and both have the size.
        """
        found = self.finder.locate(
            annotation.image, annotation.folders, annotation.base
        )
        named = self.finder.find(annotation.beside)
        both = [path for path in found if path in named]
        if both or not found:
            return both or named
        for path, other in itertools.product(found, named):
            if path.parent == other.parent and self._fits(other, annotation):
                raise FormatError(
                    annotation.source, f'image {shown(annotation.image)}',
                    f'the file is called as {other} and names {path}: which '
                    'image is it of? (--option image=file or image=path)',
                )  # fmt: skip
        return found

    def _fits(self, path: PurePosixPath, annotation: ImageAnnotation) -> bool:
        size = image_size(self.finder.folder / path)
        return annotation.size in (None, size)

    def _job(self, annotation: ImageAnnotation) -> ImageJob | None:
        source, entry = annotation.source, f'image {shown(annotation.image)}'
        found = self._find(annotation)
        if not found and self.skip_unknown:
            self.skipped_images.append(annotation.image)
            return None
        if not found:
            raise FormatError(
                source, entry,
                f'not in {self.finder.folder}; the nearest names are '
                f'{self.finder.nearest(annotation.image)}',
            )  # fmt: skip
        if len(found) > 1:
            raise FormatError(
                source, entry,
                f'may be any of {", ".join(map(str, found[:4]))} in '
                f'{self.finder.folder}; give a folder that has only the one '
                'that is meant (--images)',
            )  # fmt: skip
        self._named.add(found[0])
        path = self.finder.folder / found[0]
        name = found[0].with_suffix('').as_posix()
        job = self.jobs.get(name) or ImageJob(
            name, path, image_size(path), replace(annotation, shapes=())
        )
        if job.path != path:
            raise FormatError(
                source, entry,
                f'{path} and {job.path} of {_entry(job.first)} have the same '
                f'name, and both label maps would be {name}.png; put them '
                'into two folders',
            )  # fmt: skip
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
        return job

    def _known(self, label: str, source: str, entry: str) -> bool:
        names, index = self.class_map, meaning(label, self.words)
        if names is not None:
            index = names.index(label)
            if index is None and not self.skip_unknown:
                raise FormatError(
                    source, entry,
                    f'unknown class {shown(label)}, known are '
                    f'{names.describe()}; --class-map says which of them it '
                    "is ('label=class'), 255 if it is void, or nothing "
                    'behind the = to leave it out',
                )  # fmt: skip
        if index == LEFT_OUT or (index is None and names is not None):
            self.skipped_labels[label] += 1
            return False
        self.labels.add(label)
        return True


def _check_same_image(
    annotation: ImageAnnotation, job: ImageJob, several: bool
) -> None:
    """Raise unless an annotation and the first of a job are of one image.

    Args:
        annotation: The annotation.
        job: What its name leads to.
        several: Whether entries of one name may be one image, since the user
            says which annotators count.

    Raises:
        FormatError: If they are entries of their own, or their names differ
            by more than a suffix that one of them leaves out.
    """
    first = job.first
    short, long = sorted(
        (
            possible_names(item.image, item.base)[0]
            for item in (annotation, first)
        ),
        key=len,
    )
    same = short == long or f'{short}{job.path.suffix}' == long
    named_alike = same and annotation.folders == first.folders
    if annotation.entry or first.entry:
        same = annotation.entry == first.entry or (several and named_alike)
    if not same:
        other = _entry(first)
        if other != first.source:
            other += f' of {first.source}'
        raise FormatError(
            annotation.source, f'image {shown(annotation.image)}',
            f'{_entry(annotation)} and {other} are '
            f'two images, but both are found in {job.path}; put the images '
            'into folders as the source has them, or import the entries one '
            'by one'
            + (', or draw them as one by --annotator merge' if named_alike
               else ''),
        )  # fmt: skip


def _entry(annotation: ImageAnnotation) -> str:
    """Return what to call an annotation's image in messages."""
    name = '/'.join(filter(None, (annotation.base, annotation.image)))
    return annotation.entry or shown(name, 200)


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
