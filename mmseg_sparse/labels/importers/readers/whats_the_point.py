"""Reader of What's the Point: clicks on PASCAL VOC, in JSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Raw, Struct

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    load_json,
    refuse,
    shown,
)
from ...image_finder import possible_names
from ..annotation import ImageAnnotation, Point
from .shared import Coordinate, each, members, stored_name

#: The class of background clicks.
BACKGROUND = 0
MAX_CLASS = 65535


def read(
    source: Path,
    *,
    background: Path | None = None,
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read the clicks of Bearman et al., "What's the Point", ECCV 2016.

    A file is one object: image id -> list of ``{"x", "y", "cls"}``. The
    ``rank`` of a click among those of its annotator is not used. Coordinates
    are floats from the corner of the image, as here. Labels are the decimal
    strings of ``cls``: ``'1'`` to ``'20'`` are VOC's classes, ``'0'`` its
    background.

    Args:
        source: The file of the clicks on objects.
        background: The file of the clicks on background, of the same form.
            Every ``cls`` in it must be 0, so that one file cannot be taken
            for the other. These clicks lie below those on objects.
        on_error: Called with what is wrong with an image or a click;
            where it returns, that is left out.

    Yields:
        The images of ``source`` in its order, then those that only
        ``background`` has.

    Raises:
        FormatError: If a file is malformed.
        OSError: If a file cannot be read.
    """
    above, below = _clicks(source, on_error), {}
    if background is not None:
        below = _clicks(background, on_error, BACKGROUND)
    for image in {**above, **below}:
        yield ImageAnnotation(
            image=image,
            entry=shown(image),
            source=str(source if image in above else background),
            shapes=(*below.get(image, ()), *above.get(image, ())),
        )


class _Click(Struct):
    x: Coordinate
    y: Coordinate
    cls: Annotated[int, Meta(ge=0, le=MAX_CLASS)]


def _clicks(
    path: Path, on_error: OnError, only: int | None = None
) -> dict[str, list[Point]]:
    """Return the clicks of every image; of no class but ``only``, if given."""
    clicks: dict[str, list[Point]] = {}
    seen: set[str] = set()

    def one(key: str, values: Raw) -> Iterator[tuple[str, list[Point]]]:
        entry = shown(key)
        name = stored_name(key, path, entry)
        same = possible_names(name)[0]
        if same in seen:
            raise FormatError(path, entry, 'a second entry of the image')
        seen.add(same)
        items = decode_json(values, list[Raw], path, entry)
        points = each(
            members(entry, items),
            lambda where, item: [_click(item, path, where, only)],
            on_error,
        )
        yield name, list(points)

    content = load_json(path, dict[str, Raw])
    for name, points in each(content.items(), one, on_error):
        clicks[name] = points
    return clicks


def _click(item: Raw, path: Path, entry: str, only: int | None) -> Point:
    click: _Click = decode_json(item, _Click, path, entry)
    if only not in (None, click.cls):
        raise FormatError(
            path, f'{entry}.cls',
            f'expected {only} in this file, got {click.cls}',
        )  # fmt: skip
    # The source of the image is the file of objects: name this one.
    where = entry if only is None else f'{path.name}: {entry}'
    return Point(str(click.cls), (click.x, click.y), entry=where)
