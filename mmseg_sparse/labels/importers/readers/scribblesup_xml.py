"""Reader of ScribbleSup's XML: one file of strokes an image."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ....utils.untrusted import (
    FormatError,
    OnError,
    load_xml,
    read_bytes,
    refuse,
    shown,
    size,
)
from ..annotation import ImageAnnotation, Stroke
from .shared import (
    class_name,
    coordinate,
    each,
    each_file,
    half_pixel,
    name_below,
    parse_int,
    parse_number,
    source_files,
)


def read(
    source: Path, *, on_error: OnError = refuse
) -> Iterator[ImageAnnotation]:
    """Read the strokes of Lin et al., "ScribbleSup", CVPR 2016.

    A file is an ``<annotation>`` with ``<size>`` (``<width>``, ``<height>``)
    and one ``<polygon>`` a stroke: ``<tag>``, the name of its class, and its
    ``<point>``s with ``<X>`` and ``<Y>``. In spite of the name the line is
    open. Other elements are not read.

    Coordinates are whole numbers that count pixels from 0, and the line runs
    through the middles of the pixels: half a pixel is added. Those of a file
    with fractions are taken from the corner of the image, as they are.

    Args:
        source: An XML file, or a folder of them, folders within included.
        on_error: Called with what is wrong with a file or a stroke;
            where it returns, that is left out.

    Yields:
        One image a file, in the order of the paths; an image is named as its
        file without the suffix, with its folders below ``source``.

    Raises:
        FormatError: If a file is malformed.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        source_files(source, ['.xml'], recursive=True),
        lambda path: _read_file(path, source, on_error),
        on_error,
    )


def _read_file(
    path: Path, source: Path, on_error: OnError
) -> Iterator[ImageAnnotation]:
    root = load_xml(path, read_bytes(path))
    if root.tag != 'annotation':
        raise FormatError(
            path, '', f'expected <annotation>, got <{shown(root.tag)}>'
        )
    strokes = list(
        each(
            enumerate(root.findall('polygon')),
            lambda index, item: [_stroke(item, path, f'polygon[{index}]')],
            on_error,
        )
    )
    half = half_pixel(stroke.points for stroke in strokes)
    yield ImageAnnotation(
        image=name_below(path, source),
        source=str(path),
        size=_size(root, path),
        shapes=tuple(replace(s, points=s.points + half) for s in strokes),
    )


def _size(root: Element, path: Path) -> tuple[int, int] | None:
    element = root.find('size')
    if element is None:
        return None
    width, height = (
        parse_int(element.findtext(side), path, f'size.{side}')
        for side in ('width', 'height')
    )
    return size(width, height, path, 'size')


def _stroke(polygon: Element, path: Path, entry: str) -> Stroke:
    label = class_name(polygon.findtext('tag'), path, f'{entry}.tag')
    points = [
        [_place(point, axis, path, f'{entry}.point[{index}]')
         for axis in ('X', 'Y')]
        for index, point in enumerate(polygon.findall('point'))
    ]  # fmt: skip
    if not points:
        raise FormatError(path, entry, 'a stroke without points')
    return Stroke(label, np.array(points, np.float64), entry=entry)


def _place(point: Element, axis: str, path: Path, entry: str) -> float:
    where = f'{entry}.{axis}'
    return coordinate(
        parse_number(point.findtext(axis), path, where), path, where
    )
