"""Spoilt files for the readers' tests, and what a reader may do with them."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Stroke,
)
from mmseg_sparse.utils.untrusted import FormatError

Reader = Callable[..., Iterable[ImageAnnotation]]

#: Hypothesis writes each example into the same folder of the test.
MODEST = settings(
    max_examples=40, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
ODD_VALUES = (
    None, True, -1, 0, 1.5, 10**30, 1e308, float('nan'), float('-inf'), '',
    'x', '../x', '\ud800', 'é', [], {}, [[]], [None, None], [1e9, 0],
    {'x': 1},
)  # fmt: skip


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Cut, flip, remove or insert bytes."""
    at = rng.randrange(len(data))
    end = min(len(data), at + rng.randint(1, 40))
    kind = rng.randrange(4)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.randint(1, 9)) + data[at:]
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        spoilt[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(spoilt)


def spoilt(content: Any, rng: random.Random) -> Any:
    """Replace or remove one value, anywhere in a JSON document."""
    content = [deepcopy(content)]
    container, key = rng.choice(list(_slots(content)))
    if container is not content and rng.random() < 0.2:
        del container[key]
    else:
        container[key] = deepcopy(rng.choice(ODD_VALUES))
    return content[0]


def _slots(container: Any) -> Iterator[tuple[Any, Any]]:
    keys = container if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _slots(container[key])


def fuzz_json(read: Reader, path: Path, content: Any, seed: int) -> None:
    """Read a document with one odd value, then one with broken bytes."""
    rng = random.Random(seed)
    path.write_text(json.dumps(spoilt(content, rng)))
    read_or_refuse(read, path)
    fuzz_bytes(read, path, json.dumps(content).encode(), seed)


def fuzz_bytes(read: Reader, path: Path, data: bytes, seed: int) -> None:
    path.write_bytes(damaged(data, random.Random(seed)))
    read_or_refuse(read, path)


def read_or_refuse(read: Reader, path: Path) -> None:
    """Read sane annotations, or get an error that names the file.

    And once more, going on behind what is wrong.
    """
    strict, refusals = attempt(read, path)
    errors: list[FormatError] = []
    going_on, ends = attempt(read, path, on_error=errors.append)
    if refusals:
        assert errors or ends
        refusals += [*map(str, errors), *ends]
    else:
        assert not errors
        assert len(going_on) == len(strict)
    for refusal in refusals:
        assert str(path) in refusal
        assert '\n' not in refusal
    check_annotations([*strict, *going_on], path)


def attempt(
    read: Reader, path: Path, **options: Any
) -> tuple[list[ImageAnnotation], list[str]]:
    try:
        return list(read(path, **options)), []
    except FormatError as error:
        return [], [f'{error}']


def check_annotations(annotations: list[ImageAnnotation], path: Path) -> None:
    for annotation in annotations:
        assert annotation.image
        assert annotation.source == str(path)
        for label in annotation.tags:
            assert label.encode()
        for shape in annotation.shapes:
            check_shape(shape)


def check_shape(shape: Any) -> None:
    assert shape.label
    assert shape.label.encode()
    if isinstance(shape, PixelRegion):
        assert shape.pixels.dtype == bool
        assert shape.pixels.ndim == 2
        return
    if isinstance(shape, Point):
        arrays = [np.array([shape.xy])]
    elif isinstance(shape, Stroke):
        arrays = [shape.points]
    else:
        assert isinstance(shape, Region)
        arrays = list(shape.rings)
    for array in arrays:
        assert array.shape == (len(array), 2)
        assert len(array)
        assert np.abs(array).max() <= 2.1e6  # NaN fails too


def as_values(shape: Any) -> tuple[Any, ...]:
    """Return what a shape is, without where it stood, to compare it."""
    if isinstance(shape, Point):
        return 'point', shape.label, shape.xy
    if isinstance(shape, Stroke):
        return 'stroke', shape.label, shape.points.tolist(), shape.width
    if isinstance(shape, Region):
        return 'region', shape.label, [r.tolist() for r in shape.rings]
    return 'pixels', shape.label, shape.pixels.tolist(), shape.origin
