"""What several readers share: files, class names, coordinates and masks."""

import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from msgspec import Meta, Raw
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, OnError, shown
from ...image_finder import possible_names
from ..annotation import ImageAnnotation, PixelRegion, Shape

T = TypeVar('T')

#: Larger coordinates are mistakes; float64 is exact to 1e-10 up to here.
MAX_COORDINATE = 1e6
#: Types of numbers and points in JSON.
Coordinate = Annotated[
    float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)
]  # fmt: skip
Length = Annotated[float, Meta(ge=0, le=MAX_COORDINATE)]
XY = tuple[Coordinate, Coordinate]
Line = Annotated[list[XY], Meta(min_length=1)]
#: Default of a part that is decoded only where it is needed.
NULL = Raw(b'null')
#: Pixels of all masks of one image, a byte each.
MAX_TOTAL = 2**31
_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?', re.ASCII)
_INTEGER = re.compile(r'[+-]?\d{1,18}', re.ASCII)


def source_files(
    source: Path,
    suffixes: Sequence[str],
    *,
    recursive: bool = False,
    ending: str = '',
) -> list[Path]:
    """Return ``source`` itself, or the files in it if it is a folder.

    Hidden files, as systems scatter them (``._x.json``), are left out.

    Args:
        source: A file, of any suffix, or a folder.
        suffixes: Which files of a folder are meant, in lower case.
        recursive: Look into the folder's folders too.
        ending: What the names of a folder's files end with, before the
            suffix; others are ignored.

    Returns:
        Files, sorted by their path.

    Raises:
        FormatError: If the folder has no such file.
        OSError: If ``source`` is missing.
    """
    source.stat()
    if not source.is_dir():
        return [source]
    found = sorted(
        path
        for path in (source.rglob('*') if recursive else source.iterdir())
        if path.suffix.lower() in suffixes
        and path.stem.endswith(ending)
        and not path.name.startswith('.')
        and path.is_file()
    )
    if not found:
        wanted = ' or '.join(f'*{ending}{suffix}' for suffix in suffixes)
        raise FormatError(source, '', f'no {wanted} in the folder')
    return found


def image_of_file(
    stored: str, path: Path, source: Path, entry: str, image: str | None
) -> ImageAnnotation:
    """Return the annotation of an annotation file's image, without shapes.

    Args:
        stored: Name of the image in the file.
        path: One of ``source_files(source)``.
        source: As there.
        entry: Where the name stands, for messages.
        image: What names the image: 'path' = the name in the file, 'file' =
            that of the file, None = both.

    Raises:
        FormatError: If the name can be none.
        ValueError: If ``image`` is something else.
    """
    if image not in (None, 'path', 'file'):
        raise ValueError(f"image: expected 'path' or 'file', got {image!r}")
    name = name_below(path, source)
    base = name.rpartition('/')[0]
    if image == 'file':
        return ImageAnnotation(name, str(path))
    return ImageAnnotation(
        image=stored_name(stored, path, entry),
        source=str(path),
        base=base,
        beside=name if image is None else '',
    )


def name_below(path: Path, source: Path) -> str:
    """Return a file's name without its suffix, with its folders.

    Args:
        path: One of ``source_files(source)``.
        source: Where it is a folder, the name is relative to it.
    """
    folder = source if path != source else path.parent
    return path.relative_to(folder).with_suffix('').as_posix()


def members(entry: str, items: Iterable[T]) -> Iterator[tuple[str, T]]:
    """Yield the items of a list with their entries, for :func:`each`."""
    return ((f'{entry}[{i}]', item) for i, item in enumerate(items))


def each(
    items: Iterable[tuple[Any, ...]],
    read: Callable[..., Iterable[T]],
    on_error: OnError,
) -> Iterator[T]:
    """Yield what is read of each item, or call ``on_error`` with its error.

    Args:
        items: Arguments of ``read``, such as ``(entry, item)``.
        read: What it yields before an error is left out too.
        on_error: Raises, or returns to go on with the next item.
    """
    for item in items:
        try:
            found = list(read(*item))
        except FormatError as error:
            on_error(error)
        else:
            yield from found


def each_file(
    paths: Iterable[Path],
    read: Callable[[Path], Iterable[T]],
    on_error: OnError,
) -> Iterator[T]:
    """Yield what is read of each file, as :func:`each` does of items."""
    return each(((path,) for path in paths), read, on_error)


def half_pixel(lines: Iterable[NDArray[np.float64]]) -> float:
    """Return 0.5 where all coordinates are whole numbers, else 0.

    A tool that counts pixels means their middles by whole numbers; one that
    has fractions counts from the corner of the image.
    """
    return 0.0 if any(np.any(points % 1) for points in lines) else 0.5


def class_name(value: object, source: object, entry: str) -> str:
    """Return the name of a class without white space around it.

    Raises:
        FormatError: If it is not a text, is empty, or is a text that cannot
            be written (control characters, halves of surrogate pairs).
    """
    if not isinstance(value, str) or not value.strip():
        raise FormatError(
            source, entry, f'expected the name of a class, got {shown(value)}'
        )
    name = value.strip()
    if any(unicodedata.category(sign) in ('Cc', 'Cs') for sign in name):
        raise FormatError(
            source, entry, f'unprintable character in the name {shown(value)}'
        )
    return name


def stored_name(value: object, source: object, entry: str = '') -> str:
    """Return the name of an image as it is stored, if it can be one.

    It may be a path of another machine or a URL; what it means is found out
    when the image is looked for.

    Raises:
        FormatError: If it is not a text, names no file, is a picture itself
            (``data:``), or has characters that cannot be printed.
    """
    if isinstance(value, str) and value.startswith('data:'):
        raise FormatError(
            source, entry,
            f'a picture within the file has no name: {shown(value)}',
        )  # fmt: skip
    if (
        not isinstance(value, str)
        or not value.strip()
        or not possible_names(value)
    ):
        raise FormatError(
            source, entry, f'expected the name of an image, got {shown(value)}'
        )
    # Control characters, and halves of surrogate pairs, which no file has.
    if any(unicodedata.category(sign) in ('Cc', 'Cs') for sign in value):
        raise FormatError(
            source, entry, f'unprintable character in the name {shown(value)}'
        )
    return value


def ring(
    points: NDArray[np.float64], source: object, entry: str
) -> NDArray[np.float64]:
    """Return an outline without its first point repeated at the end.

    Raises:
        FormatError: If fewer than three points are left.
    """
    if len(points) > 1 and np.array_equal(points[0], points[-1]):
        points = points[:-1]
    if len(points) < 3:
        raise FormatError(
            source, entry,
            f'expected an outline of at least 3 points, got {len(points)}',
        )  # fmt: skip
    return points


def parse_number(text: object, source: object, entry: str = '') -> float:
    """Return the finite number that a text spells (XML, CSV)."""
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        result = float(text)
        if math.isfinite(result):
            return result
    raise FormatError(
        source, entry, f'expected a finite number, got {shown(text)}'
    )


def parse_int(text: object, source: object, entry: str = '') -> int:
    """Return the whole number that a text spells (XML, CSV)."""
    if isinstance(text, str) and _INTEGER.fullmatch(text.strip()):
        return int(text)
    raise FormatError(
        source, entry, f'expected a whole number, got {shown(text)}'
    )


def coordinate(value: float, source: object, entry: str = '') -> float:
    """Return a number of at most :data:`MAX_COORDINATE` pixels.

    Raises:
        FormatError: If it is larger.
    """
    if abs(value) > MAX_COORDINATE:
        raise FormatError(
            source, entry,
            f'expected a coordinate within {MAX_COORDINATE:g} pixels, got '
            f'{shown(value)}',
        )  # fmt: skip
    return value


def pixel_regions(
    label: str, mask: NDArray[np.bool_], *, entry: str
) -> tuple[PixelRegion, ...]:
    """Return what is set of a mask, cut to its bounding box.

    Otherwise hundreds of masks of one image would take its area each.

    Args:
        label: Class name.
        mask: Bool ``(H, W)``, of the whole image.
        entry: Where in the source the mask stands.

    Returns:
        One region, or none if nothing is set.
    """
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return ()
    columns = np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1].copy()
    return (PixelRegion(label, box, (left, top), entry=entry),)


def by_annotator(
    image: ImageAnnotation, shapes: Iterable[tuple[str, Shape]], entry: str
) -> Iterator[ImageAnnotation]:
    """Yield an image once for each row of shapes of one annotator.

    So the order of the shapes stays, where everybody's are drawn.

    Args:
        image: What is common to all; the tags come with the first row.
        shapes: Who made a shape, empty if that is unknown, and the shape.
        entry: Where in the source the image stands, for messages.

    Raises:
        FormatError: As :func:`within_memory`.
    """
    people: list[str] = []

    def drawn() -> Iterator[Shape]:
        for who, shape in shapes:
            people.append(who)
            yield shape

    kept = tuple(within_memory(drawn(), image.source, entry))
    start = 0
    for who, row in itertools.groupby(people):
        stop = start + sum(1 for _ in row)
        yield replace(image, annotator=who, shapes=kept[start:stop])
        image, start = replace(image, tags=()), stop
    if not kept:
        yield image


def within_memory(
    shapes: Iterable[Shape], source: object, entry: str = ''
) -> Iterator[Shape]:
    """Yield shapes one by one while their masks together are not too many.

    Run lengths of a few bytes decode to an image's area: without a limit, a
    small file could fill the memory.

    Raises:
        FormatError: At the mask that exceeds :data:`MAX_TOTAL`.
    """
    total = 0
    for shape in shapes:
        if isinstance(shape, PixelRegion):
            total += shape.pixels.size
        if total > MAX_TOTAL:
            raise FormatError(
                source, entry,
                f'the masks of one image have {total} pixels up to '
                f'{shape.entry}, more than {MAX_TOTAL}',
            )  # fmt: skip
        yield shape
