"""Reader of What's the Point: clicks on PASCAL VOC, in JSON."""

from collections.abc import Iterator
from pathlib import Path

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
from ..annotation import ImageAnnotation, Point
from .shared import coordinate, each

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
            source=str(source if image in above else background),
            shapes=(*below.get(image, ()), *above.get(image, ())),
        )


def _clicks(
    path: Path, on_error: OnError, only: int | None = None
) -> dict[str, list[Point]]:
    """Return the clicks of every image; of no class but ``only``, if given."""
    content = load_json(path)
    if not isinstance(content, dict):
        raise FormatError(
            path, '',
            f'expected an object of image ids, got {shown(content)}',
        )  # fmt: skip
    clicks: dict[str, list[Point]] = {}

    def one(key: str, values: object) -> Iterator[tuple[str, list[Point]]]:
        name = image_name(key, path, shown(key))
        if name in clicks:
            raise FormatError(path, shown(key), 'a second entry of the image')
        points = each(
            members(values, path, shown(key)),
            lambda entry, item: [_click(item, path, entry, only)],
            on_error,
        )
        yield name, list(points)

    for name, points in each(content.items(), one, on_error):
        clicks[name] = points
    return clicks


def _click(item: object, path: Path, entry: str, only: int | None) -> Point:
    number = get(item, 'cls', int, path, entry)
    if only not in (None, number) or not 0 <= number <= MAX_CLASS:
        wanted = f'0 to {MAX_CLASS}' if only is None else f'{only}'
        raise FormatError(
            path, f'{entry}.cls',
            f'expected {wanted} in this file, got {shown(number)}',
        )  # fmt: skip
    x, y = (
        coordinate(
            get(item, axis, float, path, entry), path, f'{entry}.{axis}'
        )
        for axis in ('x', 'y')
    )
    # The image is told to stem from the file of objects: name this one.
    where = entry if only is None else f'{path.name}: {entry}'
    return Point(str(number), (x, y), entry=where)
