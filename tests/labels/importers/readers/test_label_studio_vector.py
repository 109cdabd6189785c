"""Label Studio's vectors: chains, curves, branches and round trips."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    Region,
    Stroke,
)
from mmseg_sparse.labels.importers.readers import label_studio
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import lines
from ....helpers.fuzzing import MODEST, fuzz_json
from ....helpers.writers_b import save_json
from ....helpers.writers_c import drawn_map
from ....helpers.writers_c import label_studio_vectors as write

#: Label Studio's own example, and what follows its second point: a corner.
VERTICES = [
    {'id': 'a', 'x': 25.0, 'y': 30.0, 'prevPointId': None, 'isBezier': False},
    {'id': 'b', 'x': 75.0, 'y': 70.0, 'prevPointId': 'a', 'isBezier': True,
     'controlPoint1': {'x': 50.0, 'y': 40.0},
     'controlPoint2': {'x': 60.0, 'y': 60.0}},
    {'id': 'c', 'x': 20, 'y': 90, 'prevPointId': 'b', 'isBezier': False},
]  # fmt: skip
STRAIGHT = [{**v, 'isBezier': False} for v in VERTICES]
CORNERS = np.array([[50, 30], [150, 70], [40, 90]])


def task(vertices: Any, closed: bool = False, **more: Any) -> Any:
    """Return a task with one path on an image of 200 x 100 pixels."""
    content = write(ImageAnnotation('a.png', '', (200, 100),
                    (Stroke('road', np.zeros((1, 2))),)), 0)  # fmt: skip
    value = {'vertices': vertices, 'closed': closed, 'vectorlabels': ['road']}
    content[0]['annotations'][0]['result'][0]['value'] = value | more
    return content


def read(folder: Path, content: Any) -> tuple[Any, ...]:
    path = save_json(folder / 'a.json', content)
    (annotation,) = label_studio.read(path)
    return annotation.shapes


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 0, 1]])
def test_open_paths_are_strokes_and_closed_ones_areas(
    tmp_path: Path, order: list[int]
) -> None:
    vertices = [STRAIGHT[index] for index in order]
    (stroke,) = read(tmp_path, task(vertices))
    assert isinstance(stroke, Stroke)
    np.testing.assert_allclose(stroke.points, CORNERS)
    (area,) = read(tmp_path, task(vertices, closed=True))
    assert isinstance(area, Region)
    np.testing.assert_allclose(area.rings[0], CORNERS)
    # A ring of ids says the same, and so does the order if there are no ids.
    ring = [{**v, 'prevPointId': v['prevPointId'] or 'c'} for v in STRAIGHT]
    bare = [{'x': v['x'], 'y': v['y']} for v in STRAIGHT]
    for vertices in (ring, bare):
        (area,) = read(tmp_path, task(vertices, closed=True))
        np.testing.assert_allclose(area.rings[0], CORNERS)


def point_of(handles: Any, t: float) -> Any:
    """Return a point of a Bézier curve by halving (de Casteljau)."""
    while len(handles) > 1:
        handles = [(1 - t) * p + t * q for p, q in pairwise(handles)]
    return handles[0]


def test_curves(tmp_path: Path) -> None:
    (stroke,) = read(tmp_path, task(VERTICES))
    a, b, c = CORNERS
    # A handle that is missing lies at 0.3 of the straight line.
    first = [a, a + 0.3 * (b - a), np.array([100, 40]), b]
    second = [b, np.array([120, 60]), c - 0.3 * (c - b), c]
    curve = np.array([
        point_of(handles, t)
        for handles in (first, second) for t in np.linspace(0, 1, 400)
    ])  # fmt: skip
    for one, other in ((stroke.points, curve), (curve, stroke.points)):
        far = np.abs(one[:, None] - other[None]).max(-1).min(1)
        assert far.max() < 1.5
    near = np.abs(stroke.points[:, None] - curve[None]).max(-1).min(1)
    assert near.max() < 0.25
    assert len(stroke.points) == 1 + 64 + 64
    (area,) = read(tmp_path, task(VERTICES, closed=True))
    np.testing.assert_allclose(area.rings[0], stroke.points)


def test_branches_are_strokes_of_their_own(tmp_path: Path) -> None:
    branch = [*STRAIGHT[:2], {**STRAIGHT[2], 'prevPointId': 'a'},
              {'id': 'd', 'x': 1, 'y': 2, 'prevPointId': None}]  # fmt: skip
    found = read(tmp_path, task(branch))
    assert [shape.points.round(6).tolist() for shape in found] == [
        [[50, 30], [150, 70]], [[50, 30], [40, 90]], [[2, 2]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (task([]), r'\.value\.vertices: the path has no point'),
        (task(STRAIGHT[1:]), r"vertices\[0\]\.prevPointId: no vertex has the"),
        (task([*STRAIGHT[:2], {**STRAIGHT[2], 'prevPointId': 'a'}], True),
         r'\.value\.closed: expected one path without branches'),
        (task(STRAIGHT[:2], True), 'vertices: .* at least 3 points, got 2'),
        (task([{'x': 1e9, 'y': 0}]), r'\.x: expected a number <='),
        (task([{'x': 1e6, 'y': 0}]), 'expected a coordinate within'),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(FormatError, match=rf'a\.json: .*{problem}'):
        read(tmp_path, content)


@given(
    st.lists(
        st.builds(Stroke, st.sampled_from('ab'), lines(st.floats(-3, 40)))
        | st.builds(
            Region, st.sampled_from('ab'),
            lines(st.floats(-3, 40), least=3).map(lambda line: (line,)),
        ), max_size=4,
    ), st.integers(0, 2**32),
)  # fmt: skip
@MODEST
def test_round_trip(tmp_path: Path, shapes: Any, seed: int) -> None:
    size = (100, 50)  # percent that floats hold exactly
    written = ImageAnnotation('a.png', '', size, tuple(shapes))
    found = read(tmp_path, write(written, seed))
    back = ImageAnnotation('a.png', '', size, found)
    for one, other in zip(found, shapes, strict=True):
        assert type(one) is type(other)
        line, wanted = (
            s.rings[0] if isinstance(s, Region) else s.points
            for s in (one, other)
        )
        np.testing.assert_allclose(line, wanted, atol=1e-9)
    maps = [drawn_map(a, size, ['a', 'b']) for a in (back, written)]
    assert (maps[0] != maps[1]).mean() < 0.01  # rounding at edges of pixels


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    sample = json.loads(json.dumps(task(VERTICES)))
    for turn in range(2):
        path = tmp_path / 'a.json'
        fuzz_json(label_studio.read, path, sample, seed + turn)
