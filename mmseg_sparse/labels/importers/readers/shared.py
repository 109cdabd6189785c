"""What several readers do alike: list files, name classes, close outlines."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ....utils.values import shown
from ..annotation import FormatError, OnError

T = TypeVar('T')


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
            suffix; others are left alone.

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


def name_below(path: Path, source: Path) -> str:
    """Return a file's name without its suffix, with its folders.

    Args:
        path: One of ``source_files(source)``.
        source: Where it is a folder, the name is relative to it.
    """
    folder = source if path != source else path.parent
    return path.relative_to(folder).with_suffix('').as_posix()


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
        FormatError: If it is no text, empty, or text that cannot be written
            (control characters, halves of surrogate pairs).
    """
    if not isinstance(value, str) or not value.strip():
        raise FormatError(
            source, entry, f'expected the name of a class, got {shown(value)}'
        )
    name = value.strip()
    if any(unicodedata.category(sign) in ('Cc', 'Cs') for sign in name):
        raise FormatError(
            source, entry, f'unprintable sign in the name {shown(value)}'
        )
    return name


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
