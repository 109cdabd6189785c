"""Reader of COCO panoptic: JSON, and PNGs whose colours are segments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import Raw, Struct

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    load_json,
    refuse,
    shown,
    size,
)
from ...image_finder import possible_names
from ...label_map import load_png_rgb
from ..annotation import ImageAnnotation, PixelRegion
from .coco import Id, ImageEntry, by_id, class_names, lookup
from .shared import (
    each,
    members,
    pixel_regions,
    stored_name,
    within_memory,
)

#: The id of pixels that belong to no segment.
UNLABELED = 0


def read(
    source: Path, *, masks: Path | None = None, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read the segments of a panoptic COCO file.

    A pixel of the colour (R, G, B) belongs to the segment with the id
    R + 256 G + 65536 B, whose category is its class; 0 is no label. Things,
    stuff and crowds are areas alike, one for each class of an image.

    Args:
        source: The JSON file.
        masks: The folder of the PNGs that it names; None: the one beside it
            that is called as the JSON without its suffix, as COCO ships them.
        on_error: Called with what is wrong with an image or its PNG;
            where it returns, that is left out.

    Yields:
        Every image of the file in its order, without segments too.

    Raises:
        FormatError: If the file or a PNG is malformed, or the PNG has a
            segment that the file does not describe.
        OSError: If the file cannot be read.
    """
    content: _File = load_json(source, _File)
    folder = source.with_suffix('') if masks is None else masks
    if not folder.is_dir():
        raise FormatError(
            source, '',
            f'no folder of PNGs at {folder}; name it by --option masks=FOLDER',
        )  # fmt: skip
    classes = class_names(content.categories, source, on_error)
    images = by_id('images', content.images, source, on_error)
    annotations = _by_image(content.annotations, images, source, on_error)

    def one(key: Id, entry: str, raw: Raw) -> Iterator[ImageAnnotation]:
        image: ImageEntry = decode_json(raw, ImageEntry, source, entry)
        extent = size(image.width, image.height, source, entry)
        shapes: Iterator[PixelRegion] = iter(())
        files: tuple[str, ...] = ()
        if key in annotations:
            segments = annotations[key]
            path = _png(segments, folder, source)
            shapes = _shapes(path, extent, segments, classes, source)
            files = (str(path),)
        yield ImageAnnotation(
            image=stored_name(image.file_name, source, f'{entry}.file_name'),
            source=str(source),
            entry=entry,
            size=extent,
            shapes=tuple(within_memory(shapes, source, entry)),
            files=files,
        )

    entries = ((key, *image) for key, image in images.items())
    yield from each(entries, one, on_error)


class _File(Struct):
    categories: list[Raw]
    images: list[Raw]
    annotations: list[Raw]


class _Segment(Struct):
    id: int
    category_id: Id


class _Annotation(Struct):
    image_id: Id
    file_name: str
    segments_info: list[_Segment]


@dataclass(frozen=True)
class _Segments:
    """The segments of an image, and where the file says so."""

    entry: str
    content: _Annotation


def _by_image(
    items: list[Raw],
    images: Mapping[Id, tuple[str, Raw]],
    source: Path,
    on_error: OnError,
) -> dict[Id, _Segments]:
    found: dict[Id, _Segments] = {}

    def one(entry: str, raw: Raw) -> Iterator[_Segments]:
        content: _Annotation = decode_json(raw, _Annotation, source, entry)
        key = content.image_id
        lookup(key, images, source, f'{entry}.image_id')
        if key in found:
            raise FormatError(
                source, f'{entry}.image_id',
                f'expected one annotation an image, got {found[key].entry} '
                f'and this one for {shown(key)}',
            )  # fmt: skip
        yield _Segments(entry, content)

    for segments in each(members('annotations', items), one, on_error):
        found[segments.content.image_id] = segments
    return found


def _png(segments: _Segments, folder: Path, source: Path) -> Path:
    where = f'{segments.entry}.file_name'
    stored = stored_name(segments.content.file_name, source, where)
    paths = [folder / name for name in possible_names(stored)]
    for path in paths:
        if path.is_file():
            return path
    raise FormatError(source, where, f'no file {paths[0]}')


def _shapes(
    path: Path,
    extent: tuple[int, int],
    segments: _Segments,
    classes: Mapping[Id, str],
    source: Path,
) -> Iterator[PixelRegion]:
    """Yield the pixels of each class in the PNG at ``path``."""
    try:
        colours = load_png_rgb(path, extent)
    except FormatError as error:
        where = f'{segments.entry}.file_name'
        raise FormatError(source, where, str(error)) from error
    red, green, blue = np.moveaxis(colours, 2, 0).astype(np.uint32)
    ids = red + 256 * green + 65536 * blue
    where = f'{segments.entry}.segments_info'
    labels: dict[int, str] = {}
    for entry, segment in members(where, segments.content.segments_info):
        label = lookup(
            segment.category_id, classes, source, f'{entry}.category_id'
        )
        if labels.setdefault(segment.id, label) != label:
            raise FormatError(
                source, f'{entry}.id',
                f'{segment.id} is the id of two segments, of the classes '
                f'{shown(labels[segment.id])} and {shown(label)}',
            )  # fmt: skip
    found, indices = np.unique(ids, return_inverse=True)
    unknown = [int(v) for v in found if v != UNLABELED and v not in labels]
    if unknown:
        raise FormatError(
            source, where,
            f'expected the id of every segment in {path}, got none for '
            f'{shown(unknown)}',
        )  # fmt: skip
    names = {name: i for i, name in enumerate(dict.fromkeys(labels.values()))}
    numbers = {key: names[label] for key, label in labels.items()}
    table = np.array(
        [-1 if v == UNLABELED else numbers[int(v)] for v in found]
    )
    of_class = table[indices].reshape(ids.shape)
    for label, number in names.items():
        yield from pixel_regions(label, of_class == number, entry=where)
