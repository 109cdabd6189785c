"""Checked access to the values of an annotation file.

Every function takes the source and the entry a value stands in, and raises
:class:`FormatError` with both and the value if it is not what it must be.
"""

import math
import re
import reprlib
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..labels.importers.annotation import FormatError

#: Larger coordinates are mistakes; float64 is exact to 1e-10 up to here.
MAX_COORDINATE = 1e6
#: Longest side and largest area of an image (JPEG allows 65535 a side).
MAX_SIDE = 65500
MAX_PIXELS = 2**28

_MISSING: Any = object()
_KINDS = {
    dict: 'an object',
    list: 'a list',
    str: 'a string',
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    type(None): 'null',
}
_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?', re.ASCII)
_INTEGER = re.compile(r'[+-]?\d{1,18}', re.ASCII)


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 3
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = 8
_BRIEF.maxstring = _BRIEF.maxother = 80


def shown(value: object, limit: int = 60) -> str:
    """Return a value as one short line for a message."""
    try:
        # The repr of a long list takes as long as the list, and lists may
        # hold one another: a file of a kilobyte can be gigabytes as a text.
        if isinstance(value, str | bytes):
            text = ascii(value[: limit + 1])
        else:
            text = _BRIEF.repr(value)
            text = text.encode('ascii', 'backslashreplace').decode()
    except (ValueError, RecursionError):  # an int of thousands of digits
        text = f'a {type(value).__name__} too long to show'
    return text if len(text) <= limit else text[: limit - 3] + '...'


def reason(error: BaseException, limit: int = 200) -> str:
    """Return the message of an error of a library, on one line."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return text.encode('ascii', 'backslashreplace').decode()[:limit]


def get(
    obj: object,
    key: str | int,
    kind: type | tuple[type, ...],
    source: object,
    entry: str = '',
    *,
    default: Any = _MISSING,
) -> Any:
    """Return ``obj[key]`` if it is of one of the kinds asked for.

    Args:
        obj: Must be a dict, or a list where ``key`` is an index.
        key: What to look up.
        kind: Types allowed. ``int`` does not allow bool; ``float`` allows
            whole numbers too, and makes the value finite and a float.
        source: File, for the message.
        entry: Where in it ``obj`` stands, for the message.
        default: Returned as it is if the key is missing; without it that is
            an error. A value of null counts as present.

    Raises:
        FormatError: If ``obj`` has not the key, or a value of another kind.
    """
    where = _join(entry, key)
    container = list if isinstance(key, int) else dict
    if not isinstance(obj, container):
        raise FormatError(
            source, entry, f'expected {_KINDS[container]}, got {shown(obj)}'
        )
    present = (
        -len(obj) <= key < len(obj) if isinstance(key, int) else key in obj
    )
    if not present:
        if default is not _MISSING:
            return default
        raise FormatError(source, where, 'missing')
    value = obj[key]  # type: ignore[index]
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) in kinds:
        return number(value, source, where) if type(value) is float else value
    if float in kinds and type(value) is int:
        return number(value, source, where)
    wanted = ' or '.join(_KINDS.get(k, k.__name__) for k in kinds)
    raise FormatError(source, where, f'expected {wanted}, got {shown(value)}')


def number(value: object, source: object, entry: str = '') -> float:
    """Return a finite float; strings and bools are no numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
        if math.isfinite(result):
            return result
    raise FormatError(
        source, entry, f'expected a finite number, got {shown(value)}'
    )


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


def coordinate(value: object, source: object, entry: str = '') -> float:
    """Return a finite number of at most :data:`MAX_COORDINATE` pixels."""
    result = number(value, source, entry)
    if abs(result) > MAX_COORDINATE:
        raise FormatError(
            source, entry,
            f'expected a coordinate within {MAX_COORDINATE:g} pixels, got '
            f'{shown(value)}',
        )  # fmt: skip
    return result


def xy_list(
    values: object, source: object, entry: str = '', *, least: int = 1
) -> NDArray[np.float64]:
    """Return ``[[x, y], ...]`` as ``(K, 2)``, every coordinate checked.

    Raises:
        FormatError: If it is no list of pairs of numbers, has fewer than
            ``least`` pairs, or a coordinate is not finite or beyond
            :data:`MAX_COORDINATE`.
    """
    if not isinstance(values, list | tuple):
        raise FormatError(
            source, entry, f'expected a list of [x, y], got {shown(values)}'
        )
    if len(values) < least:
        raise FormatError(
            source, entry,
            f'expected at least {least} points, got {len(values)}',
        )  # fmt: skip
    points = np.empty((len(values), 2))
    for index, pair in enumerate(values):
        where = f'{entry}[{index}]'
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise FormatError(
                source, where, f'expected [x, y], got {shown(pair)}'
            )
        for axis in (0, 1):
            points[index, axis] = coordinate(pair[axis], source, where)
    return points


def size(
    width: object, height: object, source: object, entry: str = ''
) -> tuple[int, int]:
    """Return ``(width, height)`` as ints of a size an image can have.

    Raises:
        FormatError: If one is no whole number from 1 to :data:`MAX_SIDE`, or
            the area is beyond :data:`MAX_PIXELS`.
    """
    sides = []
    for name, value in (('width', width), ('height', height)):
        side = number(value, source, _join(entry, name))
        if side != int(side) or not 1 <= side <= MAX_SIDE:
            raise FormatError(
                source, _join(entry, name),
                f'expected a whole number from 1 to {MAX_SIDE}, got '
                f'{shown(value)}',
            )  # fmt: skip
        sides.append(int(side))
    if sides[0] * sides[1] > MAX_PIXELS:
        raise FormatError(
            source, entry,
            f'{sides[0]} x {sides[1]} pixels are more than {MAX_PIXELS}',
        )  # fmt: skip
    return sides[0], sides[1]


def image_name(value: object, source: object, entry: str = '') -> str:
    """Return the name of an image with ``/`` between its folders.

    Raises:
        FormatError: If it is no text or empty, leads out of its folder
            (absolute, with a drive, or with ``..``), or has signs that cannot
            be printed.
    """
    if not isinstance(value, str) or not value.strip():
        raise FormatError(
            source, entry, f'expected the name of an image, got {shown(value)}'
        )
    name = value.replace('\\', '/')
    parts = [part for part in name.split('/') if part not in ('', '.')]
    leaves = name.startswith('/') or '..' in parts
    if leaves or re.match(r'[A-Za-z]:', name) or not parts:
        raise FormatError(
            source, entry,
            'expected the name of an image within its folder, got '
            f'{shown(value)}',
        )  # fmt: skip
    # Control characters, and halves of surrogate pairs, which no file has.
    if any(unicodedata.category(sign) in ('Cc', 'Cs') for sign in name):
        raise FormatError(
            source, entry, f'unprintable sign in the name {shown(value)}'
        )
    return '/'.join(parts)


def members(
    obj: object, source: object, entry: str = ''
) -> list[tuple[str, Any]]:
    """Return the items of a list as ``(entry, item)`` for loops."""
    if not isinstance(obj, list):
        raise FormatError(source, entry, f'expected a list, got {shown(obj)}')
    return [(f'{entry}[{i}]', item) for i, item in enumerate(obj)]


def _join(entry: str, key: str | int) -> str:
    if isinstance(key, int):
        return f'{entry}[{key}]'
    return f'{entry}.{key}' if entry else key
