"""Reader of VGG Image Annotator (VIA) 2 JSON: a project or an export."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import (
    FormatError,
    OnError,
    get,
    image_name,
    load_json,
    members,
    refuse,
    shown,
)
from ..annotation import ImageAnnotation, Point, Region, Shape, Stroke
from ..coverage import ellipse, rectangle
from .shared import class_name, coordinate, each, ring, xy_list

#: File attributes of every new project; they describe and are no classes.
DESCRIPTIONS = ('caption', 'public_domain', 'image_url')
#: Region attributes that name the class if there are several.
CLASSES = ('label', 'class')


def read(
    source: Path,
    *,
    attribute: str | None = None,
    tag_attribute: str | None = None,
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read the regions of a VIA 2 project, or of its JSON export.

    Points stay points, polylines become strokes; polygons, rectangles,
    circles and ellipses become areas. The class of a region is the value of
    one of its attributes: a text, the choice of a drop-down list or radio
    button, or the one box that is ticked. Coordinates are pixels from the
    corner of the image, as here, which VIA rounds to whole ones.

    Args:
        source: The JSON of a project (with ``_via_img_metadata``) or of the
            annotations alone. VIA 1's objects of regions are read too.
        attribute: The region attribute that names the class. None: the only
            one in the file, else ``label`` or ``class``.
        tag_attribute: The file attribute whose values are tags of the image:
            a text, a choice, each box ticked. None: all but those that VIA
            gives every project (caption, public_domain, image_url).
        on_error: Called with what is wrong with an image or a region;
            where it returns, that is left out.

    Yields:
        Every image in the order of the file, also without regions. Of an
        image given by its address the last part is the name.

    Raises:
        FormatError: If the file is malformed, if a region has no class, or
            if the attribute that names it cannot be told.
        OSError: If the file cannot be read.
    """
    images = _images(source)
    named = _class_attribute(images, attribute, source)

    def one(entry: str, item: Any) -> Iterator[ImageAnnotation]:
        name = get(item, 'filename', str, source, entry)
        if '://' in name:
            name = _file_of(name)
        shapes = each(
            _regions(item, source, entry),
            lambda where, region: [_shape(region, named, source, where)],
            on_error,
        )
        yield ImageAnnotation(
            image=image_name(name, source, f'{entry}.filename'),
            source=str(source),
            shapes=tuple(shapes),
            tags=_tags(item, tag_attribute, source, entry),
        )

    yield from each(images, one, on_error)


def _file_of(address: str) -> str:
    """Return the last part of a URL's path."""
    path = address.partition('://')[2].partition('/')[2]
    return unquote(re.split('[?#]', path)[0].rpartition('/')[2])


def _images(source: Path) -> list[tuple[str, Any]]:
    content = load_json(source)
    if isinstance(content, dict) and '_via_img_metadata' in content:
        content = content['_via_img_metadata']
    if not isinstance(content, dict):
        raise FormatError(
            source, '', f'expected an object of images, got {shown(content)}'
        )
    if {'project', 'metadata'} <= set(content):
        raise FormatError(source, '', 'a project of VIA 3, expected VIA 2')
    return [(shown(key), item) for key, item in content.items()]


def _regions(item: Any, source: Path, entry: str) -> list[tuple[str, Any]]:
    regions = get(item, 'regions', (list, dict), source, entry)
    if isinstance(regions, dict):  # VIA 1
        return [
            (f'{entry}.regions[{shown(key)}]', region)
            for key, region in regions.items()
        ]
    return members(regions, source, f'{entry}.regions')


def _class_attribute(
    images: list[tuple[str, Any]], attribute: str | None, source: Path
) -> str:
    """Return the attribute that names the class of every region."""

    def found_in(entry: str, item: Any) -> Iterator[str]:
        for where, region in _regions(item, source, entry):
            yield from get(region, 'region_attributes', dict, source, where)

    # What is malformed is met again, when it is read.
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


def _shape(region: Any, attribute: str, source: Path, entry: str) -> Shape:
    attributes = get(region, 'region_attributes', dict, source, entry)
    where = f'{entry}.region_attributes[{shown(attribute)}]'
    classes = _values(attributes.get(attribute), source, where)
    if len(classes) != 1:
        raise FormatError(
            source, where, f'expected one class, got {shown(classes)}'
        )
    label = classes[0]
    shape = get(region, 'shape_attributes', dict, source, entry)
    entry = f'{entry}.shape_attributes'
    kind = get(shape, 'name', str, source, entry)
    if kind == 'point':
        x, y = (_number(shape, key, source, entry) for key in ('cx', 'cy'))
        return Point(label, (x, y), entry=entry)
    if kind == 'polyline':
        return Stroke(label, _points(shape, source, entry), entry=entry)
    if kind == 'polygon':
        outline = ring(_points(shape, source, entry), source, entry)
    elif kind == 'rect':
        outline = _rectangle(shape, source, entry)
    elif kind in ('circle', 'ellipse'):
        outline = _ellipse(shape, kind, source, entry)
    else:
        raise FormatError(
            source, f'{entry}.name',
            'expected point, polyline, polygon, rect, circle or ellipse, got '
            f'{shown(kind)}',
        )  # fmt: skip
    return Region(label, (outline,), entry=entry)


def _values(value: object, source: Path, entry: str) -> list[str]:
    """Return what an attribute says: its text, its choice, its ticks."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, str):
        return [class_name(value, source, entry)]
    if isinstance(value, dict):
        return [
            class_name(key, source, entry)
            for key in value
            if get(value, key, bool, source, entry)
        ]
    raise FormatError(
        source, entry,
        f'expected a text or an object of ticks, got {shown(value)}',
    )  # fmt: skip


def _tags(
    item: Any, attribute: str | None, source: Path, entry: str
) -> tuple[str, ...]:
    attributes = get(item, 'file_attributes', dict, source, entry, default={})
    names = [
        name for name in attributes
        if (name not in DESCRIPTIONS if attribute is None
            else name == attribute)
    ]  # fmt: skip
    return tuple(
        tag
        for name in names
        for tag in _values(
            attributes[name], source,
            f'{entry}.file_attributes[{shown(name)}]',
        )
    )  # fmt: skip


def _points(
    shape: Mapping[str, Any], source: Path, entry: str
) -> NDArray[np.float64]:
    xs = get(shape, 'all_points_x', list, source, entry)
    ys = get(shape, 'all_points_y', list, source, entry)
    if len(xs) != len(ys):
        raise FormatError(
            source, entry,
            f'expected as many x as y, got {len(xs)} and {len(ys)}',
        )  # fmt: skip
    return xy_list(list(zip(xs, ys, strict=True)), source, entry)


def _rectangle(
    shape: Mapping[str, Any], source: Path, entry: str
) -> NDArray[np.float64]:
    x, y = (_number(shape, key, source, entry) for key in ('x', 'y'))
    width, height = (
        _number(shape, key, source, entry, least=0)
        for key in ('width', 'height')
    )
    return rectangle(x, y, x + width, y + height)


def _ellipse(
    shape: Mapping[str, Any], kind: str, source: Path, entry: str
) -> NDArray[np.float64]:
    x, y = (_number(shape, key, source, entry) for key in ('cx', 'cy'))
    keys = ('r', 'r') if kind == 'circle' else ('rx', 'ry')
    across, down = (
        _number(shape, key, source, entry, least=0) for key in keys
    )
    turn = get(shape, 'theta', float, source, entry, default=0.0)
    return ellipse((x, y), (across, down), degrees=math.degrees(turn))


def _number(
    shape: Mapping[str, Any],
    key: str,
    source: Path,
    entry: str,
    *,
    least: float = -math.inf,
) -> float:
    where = f'{entry}.{key}'
    value = coordinate(get(shape, key, float, source, entry), source, where)
    if value < least:
        raise FormatError(
            source, where, f'expected at least {least}, got {value}'
        )
    return value
