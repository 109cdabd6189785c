"""Reader of CVAT 1.1, images or video: its XML, or the ZIP with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from lzma import LZMAError
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import (
    FormatError,
    OnError,
    load_xml,
    read_bytes,
    read_zip_member,
    reason,
    refuse,
    shown,
    size,
)
from ..annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Shape,
    Stroke,
)
from ..coverage import ellipse, rectangle
from .cvat_video import is_video, video_images
from .rle import decode_runs
from .shared import (
    class_name,
    coordinate,
    each,
    parse_int,
    parse_number,
    ring,
    stored_name,
    within_memory,
)

#: A ZIP file begins so; an empty one, with 'PK\5\6', has no XML anyway.
_ZIP = b'PK\x03\x04'


def read(
    source: Path,
    *,
    frame_name: str = 'frame_%06d',
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read an export of CVAT, "for images 1.1" or "for video 1.1".

    Polylines are strokes, points are points; polygons, boxes and ellipses
    (turned ones too) and masks are areas, tags are tags. ``z_order`` is
    kept; attributes, groups and the like are not used. Coordinates are pixels
    from the corner of the image, as here. Where several images have the name
    of one, that in the folder of its subset or task is meant. Of a video, the
    shapes of frames that the file does not have are interpolated.

    Args:
        source: ``annotations.xml``, or the ZIP file it came in.
        frame_name: Of a video: how its images are called, with ``%06d`` for
            the number of the frame.
        on_error: Called with what is wrong with an image or a shape;
            where it returns, that is left out.

    Yields:
        Every image of the export, without shapes too, in its order.

    Raises:
        FormatError: If the file is malformed, or has skeletons or cuboids,
            which are neither area nor line.
        OSError: If the file cannot be read.
    """
    name, data = _content(source)
    root = load_xml(name, data)
    if root.tag != 'annotations':
        raise FormatError(
            name, '',
            f'expected <annotations> of CVAT, got <{_tag(root)}>',
        )  # fmt: skip
    images: Iterable[Element] = root.findall('image')
    if is_video(root):
        images = video_images(root, name, frame_name, on_error)
    tasks = _tasks(root)

    def one(index: int, image: Element) -> Iterator[ImageAnnotation]:
        read = _read_image(image, tasks, name, f'image[{index}]', on_error)
        yield replace(read, source=str(source))

    yield from each(enumerate(images), one, on_error)


def _content(source: Path) -> tuple[str, bytes]:
    """Return what to call the XML in messages, and its bytes."""
    with open(source, 'rb') as file:
        packed = file.read(len(_ZIP)) == _ZIP
    if not packed:
        return str(source), read_bytes(source)
    try:
        member, data = read_zip_member(source, names=['annotations.xml'])
    except (OSError, OverflowError, LookupError, LZMAError) as error:
        # The archive could be opened: offsets in it lead nowhere.
        raise FormatError(
            source, '', f'not a readable ZIP file: {reason(error)}'
        ) from error
    return f'{source}/{member}', data


def _read_image(
    image: Element,
    tasks: Mapping[str, Element],
    source: str,
    entry: str,
    on_error: OnError,
) -> ImageAnnotation:
    name = stored_name(
        _attribute(image, 'name', source, entry), source, f'{entry}.name'
    )
    own, folders = _place(entry, image, tasks)
    entry = f'{entry} {shown(name)}'
    width, height = (
        parse_int(image.get(side), source, f'{entry}.{side}')
        for side in ('width', 'height')
    )
    extent = size(width, height, source, entry)
    labelled = [
        (f'{entry}, {_tag(element)}[{index}]', element)
        for index, element in enumerate(image)
    ]
    shapes = each(
        [item for item in labelled if item[1].tag != 'tag'],
        lambda where, element: _read_shape(element, source, where),
        on_error,
    )
    tags = each(
        [item for item in labelled if item[1].tag == 'tag'],
        lambda where, element: [_label(element, source, where)],
        on_error,
    )
    return ImageAnnotation(
        image=name,
        source=source,
        size=extent,
        shapes=tuple(within_memory(shapes, source, entry)),
        tags=tuple(dict.fromkeys(tags)),
        entry=own,
        folders=folders,
    )


def _tasks(root: Element) -> dict[str, Element]:
    """Return the tasks of a project by their ids, that of a task by ''."""
    tasks = {
        task.findtext('id', ''): task
        for task in root.iterfind('meta/project/tasks/task')
    }
    return {'': root.find('meta/task') or Element('task'), **tasks}


def _place(
    entry: str, image: Element, tasks: Mapping[str, Element]
) -> tuple[str, tuple[str, ...]]:
    """Return what to call an image, and the folders it may be in."""
    task = image.get('task_id', '')
    about = tasks.get(task, Element('task'))
    subset = image.get('subset') or about.findtext('subset') or ''
    words = [entry]
    words += [f'subset {shown(subset)}'] * bool(subset)
    words += [f'task {shown(task)[1:-1]}'] * bool(task)
    names = (subset, about.findtext('name') or '')
    return ', '.join(words), tuple(filter(None, names))


def _read_shape(element: Element, source: str, entry: str) -> list[Shape]:
    label = _label(element, source, entry)
    z = parse_int(element.get('z_order', '0'), source, f'{entry}.z_order')
    kind = element.tag
    if kind == 'polyline':
        points = _points(element, source, entry)
        return [Stroke(label, points, z, entry)]
    if kind == 'points':
        clicks = _points(element, source, entry).tolist()
        return [Point(label, (x, y), z, entry) for x, y in clicks]
    if kind == 'mask':
        pixels, origin = _mask(element, source, entry)
        return [PixelRegion(label, pixels, origin, z, entry)]
    if kind == 'polygon':
        outline = ring(_points(element, source, entry), source, entry)
    elif kind == 'box':
        outline = _box(element, source, entry)
    elif kind == 'ellipse':
        outline = _ellipse(element, source, entry)
    else:
        raise FormatError(source, entry, f'<{_tag(element)}> is not supported')
    return [Region(label, (outline,), z, entry)]


def _points(element: Element, source: str, entry: str) -> NDArray[np.float64]:
    """Return the points of ``points="x,y;x,y"``."""
    text = _attribute(element, 'points', source, entry)
    where = f'{entry}.points'
    points = []
    for index, pair in enumerate(text.split(';')):
        part = f'{where}[{index}]'
        values = pair.split(',')
        if len(values) != 2:
            raise FormatError(source, part, f'expected x,y, got {shown(pair)}')
        points.append(
            [
                coordinate(parse_number(value, source, part), source, part)
                for value in values
            ]
        )
    return np.array(points)


def _box(element: Element, source: str, entry: str) -> NDArray[np.float64]:
    left, top, right, bottom = (
        _number(element, key, source, entry)
        for key in ('xtl', 'ytl', 'xbr', 'ybr')
    )
    degrees = _degrees(element, source, entry)
    if left > right or top > bottom:
        raise FormatError(
            source, entry,
            'expected xtl <= xbr and ytl <= ybr, got '
            f'{(left, top, right, bottom)}',
        )  # fmt: skip
    return rectangle(left, top, right, bottom, degrees=degrees)


def _ellipse(element: Element, source: str, entry: str) -> NDArray[np.float64]:
    x, y, radius_x, radius_y = (
        _number(element, key, source, entry)
        for key in ('cx', 'cy', 'rx', 'ry')
    )
    degrees = _degrees(element, source, entry)
    if radius_x < 0 or radius_y < 0:
        raise FormatError(
            source, entry,
            f'expected rx and ry of at least 0, got {(radius_x, radius_y)}',
        )  # fmt: skip
    return ellipse((x, y), (radius_x, radius_y), degrees=degrees)


def _mask(
    element: Element, source: str, entry: str
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return a mask's pixels and the place of its top left one.

    The runs go along the rows of the mask's own box, outside first.
    """
    left, top = (
        round(_number(element, key, source, entry))  # half to even
        for key in ('left', 'top')
    )
    width, height = (
        parse_number(element.get(key), source, f'{entry}.{key}')
        for key in ('width', 'height')
    )
    width, height = size(width, height, source, entry)
    text = _attribute(element, 'rle', source, entry)
    where = f'{entry}.rle'
    runs = [
        parse_int(run, source, f'{where}[{index}]')
        for index, run in enumerate(text.split(','))
    ]
    flat = decode_runs(runs, width * height, source, where)
    return flat.reshape(height, width), (left, top)


def _label(element: Element, source: str, entry: str) -> str:
    return class_name(element.get('label'), source, f'{entry}.label')


def _attribute(element: Element, key: str, source: str, entry: str) -> str:
    value = element.get(key)
    if value is None:
        raise FormatError(source, f'{entry}.{key}', 'missing')
    return value


def _number(element: Element, key: str, source: str, entry: str) -> float:
    where = f'{entry}.{key}'
    text = _attribute(element, key, source, entry)
    return coordinate(parse_number(text, source, where), source, where)


def _degrees(element: Element, source: str, entry: str) -> float:
    text = element.get('rotation', '0')
    return parse_number(text, source, f'{entry}.rotation')


def _tag(element: Element) -> str:
    """Return an element's name, without the quotes of a message's value."""
    return shown(element.tag)[1:-1]
