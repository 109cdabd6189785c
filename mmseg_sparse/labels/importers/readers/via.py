"""Reader of VGG Image Annotator (VIA) 1 and 2: a project or an export."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    decode_text,
    load_json,
    read_bytes,
    refuse,
    shown,
)
from ..annotation import ImageAnnotation, Point, Region, Shape, Stroke
from ..coverage import ellipse, rectangle
from .shared import (
    NULL,
    Coordinate,
    Length,
    class_name,
    each,
    members,
    ring,
    stored_name,
)
from .via_csv import is_table, table_images

#: File attributes of every new project; not classes.
DESCRIPTIONS = ('caption', 'public_domain', 'image_url')
#: Region attributes that name the class if there are several.
CLASSES = ('label', 'class')


def read(
    source: Path,
    *,
    attribute: str | None = None,
    class_: str | None = None,
    tag_attribute: str | None = None,
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read the regions of a VIA project or export.

    Points stay points, polylines become strokes, all else areas. The class of
    a region is the value of one of its attributes: a text, the choice of a
    drop-down list or radio button, or the one box that is ticked. Coordinates
    are pixels from the corner of the image, which VIA rounds to whole ones.

    Args:
        source: The JSON of a project (with ``_via_img_metadata``) or of the
            annotations alone, or their table (CSV), of VIA 1 or 2.
        attribute: The region attribute that names the class. None: the only
            one in the file, else ``label`` or ``class``.
        class_: The class of every region; with ``attribute``, of those in
            which that is missing or empty.
        tag_attribute: The file attribute whose values are tags of the image.
            None: all but those that VIA gives every project (caption,
            public_domain, image_url).
        on_error: Called with what is wrong with an image or a region;
            where it returns, that is left out.

    Yields:
        Every image in the order of the file, also without regions.

    Raises:
        FormatError: If the file is malformed, or a region's class not clear.
        OSError: If the file cannot be read.
    """
    images = _images(source, on_error)
    if class_ is not None:
        class_ = class_name(class_, source, 'option class')
    has_class = class_ is None or attribute is not None
    named = _class_attribute(images, attribute, source) if has_class else None

    def one(index: int, entry: str, item: Raw) -> Iterator[ImageAnnotation]:
        image: _Image = decode_json(item, _Image, source, entry)
        shapes = each(
            _regions(image, entry),
            lambda where, item: [_shape(item, named, class_, source, where)],
            on_error,
        )
        yield ImageAnnotation(
            image=stored_name(image.filename, source, f'{entry}.filename'),
            source=str(source),
            entry=f'{entry} (image {index})',
            shapes=tuple(shapes),
            tags=_tags(image, tag_attribute, source, entry),
        )

    numbered = ((index, *item) for index, item in enumerate(images))
    yield from each(numbered, one, on_error)


class _Image(Struct):
    filename: str
    regions: list[Raw] | dict[str, Raw]
    file_attributes: dict[str, Raw] = {}


class _Region(Struct):
    region_attributes: dict[str, Raw]
    shape_attributes: Raw = NULL


class _Named(Struct):
    name: str


class _Point(Struct):
    cx: Coordinate
    cy: Coordinate


class _Points(Struct):
    all_points_x: list[Coordinate]
    all_points_y: list[Coordinate]


class _Rectangle(Struct):
    x: Coordinate
    y: Coordinate
    width: Length
    height: Length


class _Circle(_Point):
    r: Length


class _Ellipse(_Point):
    rx: Length
    ry: Length
    theta: float = 0.0


#: The fields of each kind of shape.
SHAPES = {
    'point': _Point,
    'polyline': _Points,
    'polygon': _Points,
    'rect': _Rectangle,
    'circle': _Circle,
    'ellipse': _Ellipse,
}


def _images(source: Path, on_error: OnError) -> list[tuple[str, Raw]]:
    data = read_bytes(source)
    if is_table(text := decode_text(data, source)):
        return table_images(text, source, on_error)
    content: dict[str, Raw] = load_json(source, dict[str, Raw], text=data)
    if '_via_img_metadata' in content:
        key = '_via_img_metadata'
        content = decode_json(content[key], dict[str, Raw], source, key)
    if {'project', 'metadata'} <= set(content):
        raise FormatError(source, '', 'a project of VIA 3, expected VIA 2')
    return [(shown(key), item) for key, item in content.items()]


def _regions(image: _Image, entry: str) -> list[tuple[str, Raw]]:
    if isinstance(image.regions, dict):  # VIA 1
        return [
            (f'{entry}.regions[{shown(key)}]', region)
            for key, region in image.regions.items()
        ]
    return list(members(f'{entry}.regions', image.regions))


def _class_attribute(
    images: list[tuple[str, Raw]], attribute: str | None, source: Path
) -> str:
    """Return the attribute that names the class of every region."""

    def found_in(entry: str, item: Raw) -> Iterator[str]:
        image: _Image = decode_json(item, _Image, source, entry)
        for where, region in _regions(image, entry):
            yield from decode_json(
                region, _Region, source, where
            ).region_attributes

    # An error is raised when the malformed part is read again.
    found_names = each(images, found_in, lambda error: None)
    names = dict.fromkeys(found_names)  # a set in the order of the file
    if attribute is not None:
        found = [name for name in names if name == attribute]
    elif len(names) == 1:
        found = list(names)
    else:
        found = [name for name in names if name in CLASSES]
    if len(found) == 1:
        return found[0]
    if not names:  # no region has any, and none is looked up
        return attribute or CLASSES[0]
    problem = (
        f'which one names the class (option attribute)? {shown(list(names))}'
        if attribute is None
        else f'expected {shown(attribute)} in one, got {shown(list(names))}'
    )
    raise FormatError(source, 'region_attributes', problem)


def _shape(
    item: Raw,
    attribute: str | None,
    class_: str | None,
    source: Path,
    entry: str,
) -> Shape:
    region: _Region = decode_json(item, _Region, source, entry)
    where = f'{entry}.region_attributes[{shown(attribute)}]'
    chosen = region.region_attributes.get(attribute or '', NULL)
    classes = _values(chosen, source, where) if attribute else []
    if not classes and class_ is not None:
        classes = [class_]
    if len(classes) != 1:
        raise FormatError(
            source, where,
            f'expected one class, got {shown(classes)}; '
            '--option class=NAME is for regions without one',
        )  # fmt: skip
    label = classes[0]
    entry = f'{entry}.shape_attributes'
    kind = decode_json(region.shape_attributes, _Named, source, entry).name
    if kind not in SHAPES:
        raise FormatError(
            source, f'{entry}.name',
            f'expected {", ".join(SHAPES)}, got {shown(kind)}',
        )  # fmt: skip
    shape = decode_json(region.shape_attributes, SHAPES[kind], source, entry)
    if kind == 'point':
        return Point(label, (shape.cx, shape.cy), entry=entry)
    if kind == 'polyline':
        return Stroke(label, _points(shape, source, entry), entry=entry)
    outline = ring(_outline(shape, source, entry), source, entry)
    return Region(label, (outline,), entry=entry)


def _values(item: Raw, source: Path, entry: str) -> list[str]:
    """Return what an attribute says: its text, its choice, its ticks."""
    value: str | dict[str, Raw] | None = decode_json(
        item, str | dict[str, Raw] | None, source, entry
    )
    if isinstance(value, dict):
        return [
            class_name(key, source, entry)
            for key, tick in value.items()
            if decode_json(tick, bool, source, f'{entry}.{key}')
        ]
    if value is None or not value.strip():
        return []
    return [class_name(value, source, entry)]


def _tags(
    image: _Image, attribute: str | None, source: Path, entry: str
) -> tuple[str, ...]:
    return tuple(
        tag
        for name, value in image.file_attributes.items()
        if (name not in DESCRIPTIONS if attribute is None
            else name == attribute)
        for tag in _values(
            value, source, f'{entry}.file_attributes[{shown(name)}]'
        )
    )  # fmt: skip


def _points(shape: _Points, source: Path, entry: str) -> NDArray[np.float64]:
    xs, ys = shape.all_points_x, shape.all_points_y
    if len(xs) != len(ys) or not xs:
        raise FormatError(
            source, entry,
            f'expected at least 1 x and as many y, got {len(xs)} and '
            f'{len(ys)}',
        )  # fmt: skip
    return np.array([xs, ys]).T.copy()


def _outline(
    shape: _Points | _Rectangle | _Circle | _Ellipse,
    source: Path,
    entry: str,
) -> NDArray[np.float64]:
    if isinstance(shape, _Points):
        return _points(shape, source, entry)
    if isinstance(shape, _Rectangle):
        x, y = shape.x, shape.y
        return rectangle(x, y, x + shape.width, y + shape.height)
    if isinstance(shape, _Circle):
        return ellipse((shape.cx, shape.cy), (shape.r, shape.r))
    return ellipse(
        (shape.cx, shape.cy),
        (shape.rx, shape.ry),
        degrees=math.degrees(shape.theta),
    )
