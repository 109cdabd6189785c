"""CVAT's videos: key frames, outside, interpolation and broken tracks."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import cvat
from mmseg_sparse.labels.importers.readers.cvat_video import between_lines
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import lines, pixel_regions, points, regions, strokes
from ....helpers.fuzzing import MODEST, fuzz_bytes
from ....helpers.writers_a import cvat_shape
from ....helpers.writers_c import cvat_video as write
from ....helpers.writers_c import drawn_map
from ....reference import cvat_tracks as reference

SIZE = (40, 30)
OUTSIDE = {'outside': 1}


def box(left: float, top: float, **more: Any) -> dict[str, Any]:
    return {'tag': 'box', 'xtl': left, 'ytl': top, 'xbr': left + 10,
            'ybr': top + 6, **more}  # fmt: skip


def line(tag: str, *pairs: tuple[float, float], **more: Any) -> dict[str, Any]:
    text = ';'.join(f'{x},{y}' for x, y in pairs)
    return {'tag': tag, 'points': text, **more}


def read(
    folder: Path, *tracks: Any, frames: Any = None, **options: Any
) -> dict[str, tuple[Any, ...]]:
    """Return the shapes of each frame."""
    path = folder / 'annotations.xml'
    path.write_bytes(write(tracks, SIZE, frames or {}))
    found = list(cvat.read(path, **options))
    assert all(a.size == SIZE for a in found)
    return {a.image: a.shapes for a in found}


def corners(shapes: Any) -> list[list[float]]:
    (shape,) = shapes
    return shape.rings[0].tolist()


def test_boxes_move_between_key_frames_and_leave(tmp_path: Path) -> None:
    track = ('cat', [(1, box(0, 0)), (5, box(8, 4)), (7, box(8, 4, **OUTSIDE)),
                     (9, box(20, 20))])  # fmt: skip
    found = read(tmp_path, track, frames={'stop_frame': 10, 'size': 11})
    assert list(found) == [f'frame_{i:06d}' for i in range(11)]
    lefts = {
        int(name[-2:]): corners(shapes)[0][0]
        for name, shapes in found.items() if shapes
    }  # fmt: skip
    # From 0 to 8 in 4 frames, there for one more, away, and at 20 to the end.
    assert lefts == {1: 0, 2: 2, 3: 4, 4: 6, 5: 8, 6: 8, 9: 20, 10: 20}
    assert corners(found['frame_000002']) == [[2, 1], [12, 1], [12, 7], [2, 7]]
    assert found['frame_000002'][0].label == 'cat'


def test_boxes_and_ellipses_turn_the_shorter_way(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        ('a', [(0, box(4, 4, rotation=350)), (2, box(4, 4, rotation=30))]),
    )
    (expected,) = read(tmp_path, ('a', [(0, box(4, 4, rotation=10))])).values()
    np.testing.assert_allclose(
        found['frame_000001'][0].rings[0], expected[0].rings[0]
    )
    round_ = {'tag': 'ellipse', 'cx': 10, 'cy': 9, 'rx': 5, 'ry': 3}
    found = read(tmp_path, ('a', [(0, round_), (2, round_ | {'rx': 9})]))
    middle = found['frame_000001'][0].rings[0]
    np.testing.assert_allclose([np.ptp(middle[:, 0]), np.ptp(middle[:, 1])],
                               [14, 6], rtol=1e-3)  # fmt: skip


def test_points_masks_and_what_is_written_stay(tmp_path: Path) -> None:
    mask = {'tag': 'mask', 'rle': '0, 4', 'left': 1, 'top': 2, 'width': 2,
            'height': 2}  # fmt: skip
    found = read(
        tmp_path,
        ('one', [(0, line('points', (2, 4))), (4, line('points', (6, 2)))]),
        ('two', [(0, line('points', (2, 4), (1, 1))),
                 (4, line('points', (6, 2), (9, 9)))]),
        ('mask', [(0, mask), (4, mask)]),
        ('box', [(0, box(0, 0)), (2, box(30, 0, keyframe=0)),
                 (4, box(8, 0))]),
    )  # fmt: skip
    one, two, other, boxed = found['frame_000002']
    assert [one.label, one.xy] == ['one', (4, 3)]
    assert [two.xy, other.xy] == [(2, 4), (1, 1)]
    assert (boxed.label, boxed.rings[0][0].tolist()) == ('box', [30, 0])
    assert [s.label for s in found['frame_000004']].count('mask') == 1


def test_steps_other_names_and_one_task_only(tmp_path: Path) -> None:
    track = ('a', [(10, box(0, 0)), (30, box(10, 0))])
    frames = {'start_frame': 5, 'stop_frame': 35, 'frame_filter': 'step=10'}
    found = read(tmp_path, track, frames=frames, frame_name='f%d.png')
    assert {name: bool(shapes) for name, shapes in found.items()} == {
        'f5.png': False, 'f10.png': True, 'f15.png': True, 'f25.png': True,
        'f30.png': True, 'f35.png': True,
    }  # fmt: skip
    assert corners(found['f15.png'])[0] == [2.5, 0]


@given(lines(least=2), lines(least=2), st.floats(0, 1), st.booleans())
@MODEST
def test_lines_move_as_in_the_reference(
    one: Any, other: Any, share: float, closed: bool
) -> None:
    found = between_lines(one, other, share, closed=closed)
    expected = reference.between(one.tolist(), other.tolist(), share, closed)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_polygons_of_other_numbers_of_vertices(tmp_path: Path) -> None:
    square = line('polygon', (0, 0), (8, 0), (8, 8), (0, 8))
    more = line('polygon', (4, 0), (12, 0), (12, 4), (12, 8), (4, 8))
    found = read(tmp_path, ('a', [(0, square), (2, more)]))
    assert corners(found['frame_000001']) == [
        [2, 0], [10, 0], [10, 2], [10, 8], [2, 8]
    ]  # fmt: skip


@given(
    st.lists(
        st.lists(
            points() | strokes() | regions(holes=0) | pixel_regions(),
            max_size=3,
        ), min_size=1, max_size=3,
    )
)  # fmt: skip
@MODEST
def test_round_trip(tmp_path: Path, scenes: Any) -> None:
    """Shapes of single frames become tracks, as CVAT writes them."""
    tracks = []
    for frame, shapes in enumerate(scenes):
        for shape in shapes:
            kind, fields = cvat_shape(shape)
            there = {'tag': kind, **fields}
            tracks.append(
                (shape.label, [(frame, there), (frame + 1, there | OUTSIDE)])
            )
    frames = {'size': len(scenes), 'stop_frame': len(scenes) - 1}
    found = read(tmp_path, *tracks, frames=frames)
    labels = sorted({s.label for shapes in scenes for s in shapes})
    for back, shapes in zip(found.values(), scenes, strict=True):
        maps = [
            drawn_map(ImageAnnotation('', '', SIZE, tuple(s)), SIZE, labels)
            for s in (back, shapes)
        ]
        np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize(
    ('shapes', 'frames', 'problem'),
    [
        ([(0, box(0, 0)), (0, box(1, 1))], {},
         r'track\[0\], box\[1\]: expected one kind .* one shape a frame'),
        ([(0, box(0, 0)), (1, line('points', (1, 1)))], {},
         r'points\[1\]: expected one kind of shape'),
        ([(0, box(0, 0, outside=2))], {}, r"outside 0 or 1, got 0 and '2'"),
        ([('x', box(0, 0))], {}, r'box\[0\]\.frame: expected a whole number'),
        ([(0, box(0, 0) | {'xtl': 'x'})], {}, r'box\[0\]\.xtl: expected a f'),
        ([(0, line('polygon', (0, 0)) | {'points': '1;2'})], {},
         r"polygon\[0\]\.points: expected x,y;x,y .*, got '1;2'"),
        ([(0, {'tag': 'cuboid'})], {}, '<cuboid> is not supported'),
        ([(0, box(0, 0))], {'stop_frame': 10**9},
         r'meta\.stop_frame: 1000000001 frames are more than'),
        ([(10**9, box(0, 0))], {}, 'frames are more than'),
        ([(0, box(0, 0))], {'stop_frame': 'x'},
         r'meta\.stop_frame: expected a whole number'),
    ],
)  # fmt: skip
def test_refused(
    tmp_path: Path, shapes: Any, frames: Any, problem: str
) -> None:
    with pytest.raises(FormatError, match=rf'annotations\.xml: .*{problem}'):
        read(tmp_path, ('a', shapes), frames=frames)


def test_small_files_do_not_unfold_to_too_many_shapes(tmp_path: Path) -> None:
    tracks = [('a', [(0, box(0, 0))])] * 2000
    began = time.process_time()
    with pytest.raises(FormatError, match=r'160000\d{4} shapes .* are more'):
        read(tmp_path, *tracks, frames={'stop_frame': 800_000})
    assert time.process_time() - began < 5
    with pytest.raises(FormatError, match='a name with %06d in it, got'):
        read(tmp_path, *tracks, frame_name='%s')


def test_a_bad_track_can_be_left_out(tmp_path: Path) -> None:
    errors: list[FormatError] = []
    found = read(
        tmp_path, ('a', [(0, box(0, 0))]), ('b', [(0, box(0, 0, outside=7))]),
        on_error=errors.append,
    )  # fmt: skip
    assert [s.label for s in found['frame_000000']] == ['a']
    assert len(errors) == 1


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    data = write([('cat', [(0, box(0, 0)), (3, box(9, 9, rotation=5))]),
                  ('dog', [(1, line('polygon', (1, 1), (5, 1), (5, 9)))])],
                 SIZE, {'stop_frame': 5})  # fmt: skip
    for turn in range(2):
        fuzz_bytes(cvat.read, tmp_path / 'a.xml', data, seed + turn)
