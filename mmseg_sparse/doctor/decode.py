"""Decodes label files, and finds where a loader of mmseg differs."""

import io
import warnings
from dataclasses import dataclass

import mmcv
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..labels.colours import NO_CLASS, misnumbered
from ..labels.label_map import Labels
from ..utils.untrusted import one_line
from .inputs import Reading

#: Formats that change the values.
LOSSY = ('JPEG', 'MPO', 'WEBP', 'JPEG2000')


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file.

    Attributes:
        code: The kind of finding it counts for.
        file: The path.
        detail: What was found in it.
    """

    code: str
    file: str
    detail: str = ''


@dataclass(frozen=True)
class Decoded:
    """A label file, decoded as far as it can be.

    Attributes:
        values: What the file stores, ``(H, W)``; None if this is not class
            indices.
        size: ``(width, height)``, None if the file is unreadable.
        problems: What is wrong with the file.
    """

    values: Labels | None
    size: tuple[int, int] | None
    problems: tuple[Problem, ...] = ()


def decode(content: bytes, path: str, reading: Reading) -> Decoded:
    """Decode a label file, and compare the result with the loader's.

    Pillow decodes the indices; the loader is mmcv's with ``reading.backend``,
    as mmseg's ``LoadAnnotations`` calls it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
                plane = _plane(picture, content)
    except Exception as error:  # Pillow has no common error of broken files
        return _unreadable(path, error)
    size = picture.size
    problems = []
    if picture.format in LOSSY:
        problems.append(Problem('lossy', path, f'is a {picture.format} file'))
    if plane.ndim != 2:
        detail = _describe_colours(plane, picture.mode, reading)
        problems.append(Problem('colour', path, detail))
        return Decoded(None, size, tuple(problems))
    if plane.dtype != np.uint8:
        problems.append(_wide(plane, path))
        if problems[-1].code == 'wide':
            return Decoded(None, size, tuple(problems))
    values: Labels = plane.astype(np.uint8)
    try:
        problems += _misread(content, path, picture, values, reading)
    except Exception as error:
        return _unreadable(path, error)
    if picture.mode == 'P':
        problems += _misnumbered(path, picture, values, reading)
    return Decoded(values, size, tuple(problems))


def _unreadable(path: str, error: Exception) -> Decoded:
    text = one_line(error)
    if 'cannot identify image' in text:
        text = 'no picture'
    return Decoded(None, None, (Problem('unreadable', path, text[:120]),))


def _plane(picture: Image.Image, content: bytes) -> NDArray[np.generic]:
    """Return the numbers that a picture stores, one or more a pixel."""
    values = np.array(picture)
    if picture.format == 'PNG' and picture.mode in ('1', 'L'):
        values = values.astype(np.uint8)
        depth = _depth(picture, content)
        if picture.mode == 'L' and depth < 8:  # Pillow stretches these to 255
            values //= 255 // (2**depth - 1)
    return values.astype(np.uint8) if values.dtype == bool else values


def _depth(picture: Image.Image, content: bytes) -> int:
    """Return the bits of a pixel of a PNG; 8 for other formats."""
    # IHDR is the first chunk; the bit depth is its byte 24.
    return content[24] if picture.format == 'PNG' else 8


def _wide(plane: NDArray[np.generic], path: str) -> Problem:
    low, high = plane.min().item(), plane.max().item()
    fits = 0 <= low <= high <= 255 and plane.dtype.kind in 'iu'
    return Problem(
        'wide-values-fit' if fits else 'wide',
        path,
        f'{plane.dtype}, values {low:g} to {high:g}',
    )


def _misread(
    content: bytes,
    path: str,
    picture: Image.Image,
    plane: Labels,
    reading: Reading,
) -> list[Problem]:
    """Find where the loader delivers other values."""
    depth = _depth(picture, content)
    if reading.backend == 'pillow' and (picture.mode == 'P' or depth >= 8):
        return []  # this loader made the plane
    loaded = mmcv.imfrombytes(
        content, flag='unchanged', backend=reading.backend
    )
    if loaded is None:
        raise ValueError(f'{reading.backend} cannot decode it')
    if loaded.ndim == 3 and loaded.shape[2] == 1:
        loaded = loaded[..., 0]
    if loaded.ndim == 2 and np.array_equal(loaded.astype(np.uint8), plane):
        return []
    if loaded.ndim != 2:
        return [Problem(
            'palette-misread', path,
            f'the backend {reading.backend!r} makes {loaded.shape[2]} '
            'channels of colours of its palette',
        )]  # fmt: skip
    wrong = loaded != plane
    return [Problem(
        'low-bit-depth', path,
        f'{depth} bits a pixel: {plane[wrong][0]} is read as '
        f'{int(loaded[wrong][0])}',
    )]  # fmt: skip


def _misnumbered(
    path: str, picture: Image.Image, plane: Labels, reading: Reading
) -> list[Problem]:
    """Find palettes of pictures in colour that were converted to 256."""
    text = misnumbered(
        plane, picture.getpalette() or [], reading.palette, reading.table
    )
    return [Problem('palette-order', path, text)] if text else []


def _describe_colours(
    plane: NDArray[np.generic], mode: str, reading: Reading
) -> str:
    colours = plane[..., :3]
    text = f'{mode}, {plane.shape[2]} channels'
    if plane.shape[2] >= 3 and (colours == colours[..., :1]).all():
        return f'{text}, all with the same values'
    if plane.shape[2] < 3:
        return text
    known = {tuple(c) for c in reading.palette} | NO_CLASS
    # Some of the pixels are enough.
    some = colours.reshape(-1, 3)[:: max(1, colours.size // 30000)]
    found, counts = np.unique(some, axis=0, return_counts=True)
    first = found[np.argsort(-counts, kind='stable')[:3]].tolist()
    if reading.palette and {tuple(c) for c in found.tolist()} <= known:
        text += ', colours of the classes'
    return f'{text}: mostly {", ".join(str(tuple(c)) for c in first)}'
