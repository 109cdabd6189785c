"""Draw the label maps of an import, in several processes."""

import multiprocessing
import signal
from collections.abc import (
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..classes import Classes
from ..image_list import SUPERVISIONS
from ..label_folder import LabelFile, label_file
from ..label_map import NO_LABEL
from .annotation import ImageAnnotation, PixelRegion, Point, Stroke
from .collect import ImageJob
from .rasterize import OVERLAPS, Raster, check_brush, rasterize
from .slide import check_slide

#: Share of labelled pixels from which areas count as a dense mask.
DENSE = 0.9


KINDS = ('auto', *SUPERVISIONS)


@dataclass(frozen=True)
class ImportOptions:
    """How labels are drawn and what is done about unknown and malformed ones.

    Attributes:
        stroke_width: Width of strokes that have none of their own, pixels.
        point_radius: Radius of points, pixels; 0 = the one pixel.
        supervision: What the sidecar calls the labels; 'auto' decides by the
            shapes of each image. 'tag' draws nothing: the classes of the
            shapes become tags.
        skip_unknown: Leave out shapes and tags of unknown classes,
            annotations of missing images and of images of another size, and
            entries and files of a folder that are malformed, instead of an
            error.
        keep_empty: Write a map of 255 for images without any label, or with
            ``supervision='tag'`` that they have no tags.
        fill: Name of the class of all pixels without a label, which makes
            dense masks; None = they stay without. Void stays void. Images
            that have tags alone are not filled.
        overlap: Which of several shapes has a pixel: one of
            ``rasterize.OVERLAPS``; 'auto' = the smaller area where the format
            has no order, else layers.
        annotator: Whose labels count where several people labelled an image:
            'merge' = everybody's, 'first' = those of the first in the source,
            else a name. None = everybody's within an entry of the source;
            two entries of one name are an error.
        downsample: Pixels of the coordinates' image (a whole slide), along a
            side, in one of the image.
        offset: ``(x, y)`` of the image's top left corner in it.
    """

    stroke_width: float = 3.0
    point_radius: float = 0.0
    supervision: str = 'auto'
    skip_unknown: bool = False
    keep_empty: bool = False
    fill: str | None = None
    overlap: str = 'auto'
    annotator: str | None = None
    downsample: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.overlap not in ('auto', *OVERLAPS):
            raise ValueError(
                f'overlap must be one of auto, {", ".join(OVERLAPS)}, got '
                f'{self.overlap!r}'
            )
        check_brush(self.stroke_width, self.point_radius)
        check_slide(self.downsample, self.offset)
        if self.supervision not in KINDS:
            raise ValueError(
                f'supervision must be one of {", ".join(KINDS)}, got '
                f'{self.supervision!r}'
            )
        if self.fill is not None and self.supervision == 'tag':
            raise ValueError(
                f"fill={self.fill!r} draws pixels, supervision='tag' none"
            )


@dataclass(frozen=True)
class Drawing:
    """What every image is drawn with.

    Attributes:
        classes: Names and colours.
        class_ids: Class index by label of the source; 255 = void.
        options: The user's.
        pixel_strokes: Whether regions of pixels are strokes.
        unordered: Whether the source lists areas in no order.
    """

    classes: Classes
    class_ids: Mapping[str, int]
    options: ImportOptions
    pixel_strokes: bool = False
    unordered: bool = False

    @property
    def overlap(self) -> str:
        """Which of several shapes has a pixel, one of ``OVERLAPS``."""
        if self.options.overlap != 'auto':
            return self.options.overlap
        return 'smaller-on-top' if self.unordered else 'layers'

    def __post_init__(self) -> None:
        fill = self.options.fill
        if fill is not None and fill not in self.classes.names:
            raise ValueError(
                f'fill must be one of the classes '
                f'{", ".join(self.classes.names)}, got {fill!r}'
            )


def draw_all(
    jobs: Sequence[ImageJob], drawing: Drawing, workers: int
) -> Generator[LabelFile | None, None, None]:
    """Yield the label file of each job in order; None = nothing labelled.

    Raises:
        FormatError: If a shape cannot be drawn.
    """
    with _mapping(workers) as mapped:
        yield from mapped(partial(draw, drawing=drawing), jobs)


def draw(job: ImageJob, drawing: Drawing) -> LabelFile | None:
    """Draw one image; None if no pixel and no tag is labelled."""
    annotation = job.annotation()
    spacing = annotation.spacing
    ids = {drawing.class_ids[tag] for tag in annotation.tags}
    if drawing.options.supervision == 'tag':
        ids |= {drawing.class_ids[s.label] for s in annotation.shapes}
        annotation = ImageAnnotation(annotation.image, annotation.source)
    names = drawing.classes.names
    tags = [names[index] for index in sorted(ids - {NO_LABEL})]
    raster = rasterize(
        annotation,
        drawing.class_ids,
        job.size,
        stroke_width=drawing.options.stroke_width,
        point_radius=drawing.options.point_radius,
        overlap=drawing.overlap,
    )
    labels = raster.labels
    if drawing.options.fill is not None and (annotation.shapes or not tags):
        filling = names.index(drawing.options.fill)
        unlabeled = (labels == NO_LABEL) & ~raster.void
        labels = np.where(unlabeled, filling, labels).astype(np.uint8)
    known = bool((labels != NO_LABEL).any())
    if not known and not tags and not drawing.options.keep_empty:
        return None
    supervision = drawing.options.supervision
    only_tags = not known and (bool(tags) or supervision == 'tag')
    if only_tags:
        supervision = 'tag'
    elif supervision in ('auto', 'tag'):
        said = float(((labels != NO_LABEL) | raster.void).mean())
        supervision = _kind(annotation, said, drawing)
    return label_file(
        job.name,
        None if only_tags else labels,
        drawing.classes.palette,
        supervision=supervision,
        size=job.size,
        tags=tags,
        image=f'{job.name}{job.path.suffix}',
        **_counts(raster, names),
        **({'spacing': list(spacing)} if spacing else {}),
    )


def _counts(raster: Raster, names: Sequence[str]) -> dict[str, Any]:
    """Return what ``labels.json`` says of the shapes of an image."""

    def name(index: int) -> str | int:
        return index if index == NO_LABEL else names[index]

    return {
        'void': int(raster.void.sum()),
        'conflicts': raster.conflicts,
        'contested': [
            [name(above), name(below), pixels]
            for (above, below), pixels in raster.contested.items()
        ],
        'clipped': raster.clipped,
        'vanished': raster.vanished,
    }


def _kind(annotation: ImageAnnotation, known: float, drawing: Drawing) -> str:
    """Tell the supervision by the shapes: the strongest kind counts.

    Args:
        annotation: The shapes; void is no label of any kind.
        known: Share of the pixels that are labelled or void.
        drawing: Options.
    """
    kinds = {
        type(shape)
        for shape in annotation.shapes
        if drawing.class_ids[shape.label] != NO_LABEL
    }
    if drawing.options.fill is not None:
        return 'dense'
    areas = kinds - {Point, Stroke}
    if areas and known >= DENSE:
        return 'dense'
    if drawing.pixel_strokes:
        areas.discard(PixelRegion)
    if areas:
        return 'block'
    return 'point' if kinds == {Point} else 'scribble'


@contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Give a ``map`` that keeps the order, over processes if several."""
    if workers <= 1:
        yield map
        return
    with multiprocessing.Pool(workers, _set_up) as pool:
        yield partial(pool.imap, chunksize=4)


def _set_up() -> None:
    """Leave Ctrl-C to the main process, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
