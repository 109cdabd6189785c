"""Tracks of CVAT for video 1.1, as the images of CVAT for images."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, pairwise
from operator import itemgetter
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, OnError, shown
from .shared import each, parse_int, parse_number

#: A name with the number of the frame in it, as ``printf`` writes it.
NAME = re.compile(r'[^%]*%(?:0\d)?d[^%]*')
#: Most frames of a video, and most shapes of all its frames.
MAX_FRAMES, MAX_SHAPES = 10**6, 10**7
#: Numbers that are interpolated, with their defaults, of each kind of shape
#: that has them; the last is an angle in degrees.
_NUMBERS: dict[str, tuple[tuple[str, str], ...]] = {
    'box': (('xtl', ''), ('ytl', ''), ('xbr', ''), ('ybr', ''),
            ('rotation', '0')),
    'ellipse': (('cx', ''), ('cy', ''), ('rx', ''), ('ry', ''),
                ('rotation', '0')),
}  # fmt: skip
_LINES = ('polygon', 'polyline')
#: Shapes that stay as they are until the next key frame.
_STILL = ('points',)


@dataclass(frozen=True)
class _Key:
    """A shape of a track in a frame that the file has.

    Attributes:
        frame: Number of the frame.
        outside: Whether the shape is not seen.
        element: The shape.
        values: What moves: its numbers, or ``(K, 2)`` of its vertices.
        entry: Where in the file it stands.
    """

    frame: int
    outside: bool
    element: Element
    values: NDArray[np.float64]
    entry: str


def is_video(root: Element) -> bool:
    """Tell an export for video, which has no images, but maybe no track."""
    tracks, images = (root.find(tag) is not None for tag in ('track', 'image'))
    return tracks or (not images and root.find('.//original_size') is not None)


def video_images(
    root: Element, source: str, frame_name: str, on_error: OnError
) -> Iterator[Element]:
    """Yield an ``<image>`` for each frame of a video.

    A shape that the file has for a frame counts there as it stands. Between
    two of one track, boxes and ellipses move and turn evenly, the vertices
    of polygons and lines too, joined as :func:`between_lines` says; a single
    point moves evenly, several stay; masks are in their own frames alone.
    Behind the last one, a shape stays until the end. A shape that is
    ``outside`` is not in its frame, nor behind it until the next.

    Args:
        root: ``<annotations>`` with tracks.
        source: What to call the file in messages.
        frame_name: Name of the images, with ``%06d`` for the frame.
        on_error: Called with what is wrong with a track;
            where it returns, that is left out.

    Raises:
        FormatError: If the size of the video is missing, if there are images
            besides tracks, or several tasks, or too many frames.
    """
    if not NAME.fullmatch(frame_name):
        raise FormatError(
            source, 'option frame_name',
            f'expected a name with %06d in it, got {shown(frame_name)}',
        )  # fmt: skip
    if root.find('image') is not None or len(root.findall('.//task')) > 1:
        raise FormatError(
            source, 'track',
            'expected the tracks of one task; export every task by itself',
        )  # fmt: skip
    width, height = _size(root, source)
    tracks = list(
        each(
            enumerate(root.findall('track')),
            lambda index, track: [_keys(track, source, f'track[{index}]')],
            on_error,
        )
    )
    frames = _frames(root, tracks, source)
    shapes = merge(*(_shapes(k, frames) for k in tracks), key=itemgetter(0))
    groups = groupby(shapes, key=itemgetter(0))
    coming, group = next(groups, (None, iter(())))
    for frame in frames:
        image = Element(
            'image', name=frame_name % frame, width=width, height=height
        )
        if frame == coming:
            image.extend(element for _, element in group)
            coming, group = next(groups, (None, iter(())))
        yield image


def _size(root: Element, source: str) -> tuple[str, str]:
    size = root.find('.//original_size')
    texts = [
        (size.findtext(side) if size is not None else None)
        for side in ('width', 'height')
    ]
    for side, text in zip(('width', 'height'), texts, strict=True):
        parse_int(text, source, f'meta.original_size.{side}')
    return str(texts[0]), str(texts[1])


def _keys(track: Element, source: str, entry: str) -> list[_Key]:
    """Return a track's shapes by their frames, each with its label."""
    label = track.get('label')
    keys = []
    for index, element in enumerate(track):
        where = f'{entry}, {shown(element.tag)[1:-1]}[{index}]'
        frame = parse_int(element.get('frame'), source, f'{where}.frame')
        outside = element.get('outside', '0')
        if outside not in ('0', '1') or frame < 0:
            raise FormatError(
                source, where,
                'expected a frame from 0 and outside 0 or 1, got '
                f'{frame} and {shown(outside)}',
            )  # fmt: skip
        if label is not None:
            element.set('label', label)
        values = _values(element, source, where)
        keys.append(_Key(frame, outside == '1', element, values, where))
    keys.sort(key=lambda key: key.frame)
    for one, other in pairwise(keys):
        if one.frame == other.frame or one.element.tag != other.element.tag:
            raise FormatError(
                source, other.entry,
                'expected one kind of shape and one shape a frame, got '
                f'{one.entry} too',
            )  # fmt: skip
    return keys


def _values(element: Element, source: str, entry: str) -> NDArray[np.float64]:
    """Return what moves of a shape, if anything does."""
    if element.tag in _NUMBERS:
        return np.array([
            parse_number(element.get(name, default), source, f'{entry}.{name}')
            for name, default in _NUMBERS[element.tag]
        ])  # fmt: skip
    if element.tag not in (*_LINES, *_STILL):
        return np.empty(0)
    pairs = [
        [parse_number(value, source, f'{entry}.points')
         for value in pair.split(',')]
        for pair in element.get('points', '').split(';')
    ]  # fmt: skip
    if any(len(pair) != 2 for pair in pairs):
        raise FormatError(
            source, f'{entry}.points',
            f'expected x,y;x,y ..., got {shown(element.get("points"))}',
        )  # fmt: skip
    return np.array(pairs)


def _frames(
    root: Element, tracks: Sequence[Sequence[_Key]], source: str
) -> list[int]:
    """Return the numbers of the frames: the task's, and all with shapes."""
    part = root.find('.//task')
    part = root.find('.//job') if part is None else part
    numbers: list[int | None] = []
    for name in ('start_frame', 'stop_frame'):
        text = None if part is None else part.findtext(name)
        where = f'meta.{name}'
        numbers.append(parse_int(text, source, where) if text else None)
    filtered = None if part is None else part.findtext('frame_filter')
    step = re.search(r'step=([1-9]\d{0,5})', filtered or '')
    seen = {k.frame for keys in tracks for k in keys if not k.outside}
    start, stop = numbers
    frames = range(
        max(start or 0, 0),
        (max(seen, default=-1) if stop is None else stop) + 1,
        int(step[1]) if step else 1,
    )
    if len(frames) > MAX_FRAMES:
        raise FormatError(
            source, 'meta.stop_frame',
            f'{len(frames)} frames are more than {MAX_FRAMES}',
        )  # fmt: skip
    _check_number(tracks, frames, source)
    return sorted(seen.union(frames))


def _check_number(
    tracks: Sequence[Sequence[_Key]], frames: range, source: str
) -> None:
    """Raise if a small file would unfold to too many shapes."""
    total = 0
    for keys in tracks:
        stops = [*(key.frame for key in keys[1:]), frames.stop]
        for key, stop in zip(keys, stops, strict=True):
            if not key.outside:
                total += 1 + max(stop - key.frame, 0) // frames.step
    if total > MAX_SHAPES:
        raise FormatError(
            source, 'track',
            f'{total} shapes in all frames are more than {MAX_SHAPES}',
        )  # fmt: skip


def _intervals(
    keys: Sequence[_Key], frames: list[int]
) -> Iterator[tuple[_Key, int, int]]:
    """Yield each key, and the places in ``frames`` from it to the next."""
    places = [bisect_left(frames, key.frame) for key in keys]
    yield from zip(keys, places, [*places[1:], len(frames)], strict=True)


def _shapes(
    keys: Sequence[_Key], frames: list[int]
) -> Iterator[tuple[int, Element]]:
    """Yield a track's shape in each of its frames."""
    intervals = _intervals(keys, frames)
    for (key, start, stop), after in zip(
        intervals, [*keys[1:], None], strict=True
    ):
        for frame in frames[start:stop]:
            if key.outside or (key.element.tag == 'mask'
                               and frame > key.frame):  # fmt: skip
                break
            share = 0.0
            if after is not None:
                share = (frame - key.frame) / (after.frame - key.frame)
            yield frame, _between(key, after, share) if share else key.element


def _between(one: _Key, other: _Key | None, share: float) -> Element:
    """Return the shape at a share of the way from one to the other."""
    if other is None:
        return one.element
    kind, start, end = one.element.tag, one.values, other.values
    moved = dict(one.element.attrib)
    if kind in _NUMBERS:
        way = end - start
        way[-1] = (way[-1] + 180) % 360 - 180  # the shorter turn
        names = [name for name, _ in _NUMBERS[kind]]
        numbers = (start + share * way).tolist()
        moved |= zip(names, map(repr, numbers), strict=True)
    elif kind in _LINES:
        closed = kind == 'polygon'
        moved['points'] = _text(
            between_lines(start, end, share, closed=closed)
        )
    elif kind in _STILL and len(start) == len(end) == 1:
        moved['points'] = _text(start + share * (end - start))
    return Element(kind, moved)


def _text(points: NDArray[np.float64]) -> str:
    return ';'.join(f'{x!r},{y!r}' for x, y in points.tolist())


def between_lines(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    share: float,
    *,
    closed: bool,
) -> NDArray[np.float64]:
    """Return a line between two with any numbers of vertices, as CVAT does.

    A vertex is known by its share of the length of its line. Each vertex of
    ``one`` is joined to the nearest of ``other``, by these shares, and each of
    ``other`` that is still free to the nearest of ``one``; every pair makes a
    vertex, which moves evenly. (CVAT then drops vertices that lie close to
    one another; here they stay, and the line is that before.)

    Args:
        one: ``(K, 2)``, at the share 0.
        other: ``(L, 2)``, at the share 1.
        share: Where between them.
        closed: Whether they are outlines; their first vertices are a pair.
    """
    if closed:
        one, other = (np.concatenate([p, p[:1]]) for p in (one, other))
    places = [_along(points) for points in (one, other)]
    distance = np.abs(places[0][:, None] - places[1])
    pairs = {(i, int(j)) for i, j in enumerate(distance.argmin(1))}
    joined = {j for _, j in pairs}
    pairs |= {
        (int(i), j)
        for j, i in enumerate(distance.argmin(0))
        if j not in joined
    }
    first, second = np.array(sorted(pairs)).T
    line: NDArray[np.float64] = one[first] + share * (
        other[second] - one[first]
    )
    return line[:-1] if closed else line


def _along(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far along a line its vertices are, from 0 to 1."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = steps.sum()
    far = np.concatenate([[0.0], steps.cumsum()])
    return far / length if length else far
