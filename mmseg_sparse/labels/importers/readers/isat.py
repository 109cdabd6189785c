"""Reader of the JSON files of ISAT (Image Segmentation Annotation Tool)."""

from collections.abc import Iterator
from dataclasses import replace
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
from ..annotation import ImageAnnotation, Region
from .shared import (
    Coordinate,
    Line,
    class_name,
    each,
    each_file,
    image_of_file,
    members,
    ring,
    source_files,
)

#: What ISAT calls its files, and the layer of an object that has none.
DESCRIPTION, LAYER = 'ISAT', 2.0


def read(
    source: Path, *, image: str | None = None, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read the polygons of ISAT files, one an image.

    An object is an area of its ``category``. Where objects overlap, the one
    of the higher ``layer`` is on top, as ISAT draws them; of one layer, the
    later. Holes are objects of another category on a higher layer, most often
    of ISAT's first one, ``__background__``. Crowds are areas too; group,
    area, box and notes are not used. Coordinates are pixels from the corner
    of the image, as here.

    Args:
        source: A JSON file, or a folder of them, folders within included.
        image: What names the image: ``path`` = the name in ``info``, ``file``
            = the name of the JSON file. None: both, and it is an error if
            they lead to two images of one size.
        on_error: Called with what is wrong with a file or an object;
            where it returns, that is left out.

    Yields:
        Every file, without objects too, in the order of the paths. The name
        of its image is that in ``info``, behind the file's folders below
        ``source``.

    Raises:
        FormatError: If a file is malformed, or is not one of ISAT.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        source_files(source, ['.json'], recursive=True),
        lambda path: _read_file(path, source, image, on_error),
        on_error,
    )


class _Info(Struct):
    name: str
    description: str | None = None
    width: float | None = None
    height: float | None = None


class _File(Struct):
    info: _Info
    objects: list[Raw]


class _Object(Struct):
    category: str
    segmentation: Line
    layer: Coordinate | None = None


def _read_file(
    path: Path, source: Path, image: str | None, on_error: OnError
) -> Iterator[ImageAnnotation]:
    content: _File = load_json(path, _File)
    info = content.info
    if info.description != DESCRIPTION:
        raise FormatError(
            path, 'info.description',
            f'expected {DESCRIPTION!r}, got {shown(info.description)}; is '
            'this a file of another tool?',
        )  # fmt: skip
    drawn = list(
        each(
            members('objects', content.objects),
            lambda entry, item: [_read_object(item, path, entry)],
            on_error,
        )
    )
    layers = sorted({layer for layer, _ in drawn})
    z = {layer: index for index, layer in enumerate(layers)}
    unknown = info.width is None and info.height is None
    yield replace(
        image_of_file(info.name, path, source, 'info.name', image),
        size=None if unknown else size(info.width, info.height, path, 'info'),
        shapes=tuple(replace(shape, z=z[layer]) for layer, shape in drawn),
    )


def _read_object(item: Raw, path: Path, entry: str) -> tuple[float, Region]:
    """Return an object's layer and area."""
    content: _Object = decode_json(item, _Object, path, entry)
    where = f'{entry}.segmentation'
    outline = ring(np.array(content.segmentation), path, where)
    label = class_name(content.category, path, f'{entry}.category')
    layer = LAYER if content.layer is None else content.layer
    return layer, Region(label, (outline,), entry=entry)
