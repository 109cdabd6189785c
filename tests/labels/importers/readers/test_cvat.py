"""CVAT for images 1.1: what CVAT exports, and written files."""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Stroke,
)
from mmseg_sparse.labels.importers.readers import cvat

from ....helpers.drawn import (
    LABELS,
    NAMES,
    pixel_regions,
    points,
    regions,
    strokes,
)
from ....helpers.fuzzing import MODEST, as_values
from ....helpers.writers_a import cvat as write

#: As CVAT 2 exports a task, every shape but those of videos once.
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>4</id>
      <name>segmentation</name>
      <labels>
        <label>
          <name>car</name>
          <color>#c06060</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
      </labels>
    </task>
    <dumped>2024-09-17 13:13:47.144236+00:00</dumped>
  </meta>
  <image id="0" name="day/a.jpg" width="500" height="375">
    <polyline label="road" source="manual" occluded="0" \
points="10.50,20.25;30.00,40.00;35.10,1.00" z_order="2">
      <attribute name="lane">left</attribute>
    </polyline>
    <points label="car" source="manual" occluded="0" \
points="1.00,2.50;30.00,4.00" z_order="0">
    </points>
    <polygon label="sky" source="manual" occluded="0" \
points="0.00,0.00;10.00,0.00;10.00,8.00" z_order="-1">
    </polygon>
    <box label="car" source="manual" occluded="0" xtl="100.00" ytl="50.00" \
xbr="140.00" ybr="70.00" z_order="0">
    </box>
    <box label="car" source="manual" occluded="1" xtl="100.00" ytl="50.00" \
xbr="140.00" ybr="70.00" rotation="90.00" z_order="0">
    </box>
    <ellipse label="car" source="manual" occluded="0" cx="200.00" \
cy="100.00" rx="30.00" ry="10.00" rotation="30.00" z_order="0">
    </ellipse>
    <mask label="car" source="semi-auto" occluded="0" \
rle="1, 2, 1, 1, 1" left="7" top="9" width="3" height="2" z_order="1">
    </mask>
    <tag label="sunny" source="manual">
    </tag>
  </image>
  <image id="1" name="b.jpg" subset="Train" task_id="4" width="64" height="48">
  </image>
</annotations>
"""


def read(path: Path, text: str | bytes) -> list[ImageAnnotation]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(cvat.read(path))


def test_an_export_of_cvat(tmp_path: Path) -> None:
    first, second = read(tmp_path / 'annotations.xml', CVAT)
    assert (first.image, first.size) == ('day/a.jpg', (500, 375))
    assert (second.image, second.size) == ('b.jpg', (64, 48))
    assert (second.shapes, second.tags) == ((), ())
    assert first.tags == ('sunny',)
    line, click, other, outline, box, turned, oval, mask = first.shapes
    assert isinstance(line, Stroke)
    assert line.points.tolist() == [[10.5, 20.25], [30, 40], [35.1, 1]]
    assert isinstance(click, Point)
    assert [click.xy, other.xy] == [(1, 2.5), (30, 4)]
    assert outline.rings[0].tolist() == [[0, 0], [10, 0], [10, 8]]
    assert [s.label for s in first.shapes] == ['road', 'car', 'car', 'sky',
                                               *['car'] * 4]  # fmt: skip
    assert [s.z for s in first.shapes] == [2, 0, 0, -1, 0, 0, 0, 1]
    assert box.rings[0].tolist() == [[100, 50], [140, 50], [140, 70],
                                     [100, 70]]  # fmt: skip
    # Turned clockwise about (120, 60), the top left corner is at top right.
    np.testing.assert_allclose(
        turned.rings[0], [[130, 40], [130, 80], [110, 80], [110, 40]]
    )
    assert isinstance(mask, PixelRegion)
    assert mask.origin == (7, 9)
    assert mask.pixels.tolist() == [[False, True, True], [False, True, False]]
    assert mask.entry == "image[0] 'day/a.jpg', mask[6]"
    # The ellipse's long axis points 30 degrees downwards to the right.
    far = oval.rings[0][0] - (200, 100)
    np.testing.assert_allclose(far, [30 * np.sqrt(0.75), 15])
    x, y = (oval.rings[0] - (200, 100)).T
    along, across = x * np.sqrt(0.75) + y / 2, y * np.sqrt(0.75) - x / 2
    np.testing.assert_allclose((along / 30) ** 2 + (across / 10) ** 2, 1)


@pytest.mark.parametrize('method', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_zip_file_of_an_export(tmp_path: Path, method: int) -> None:
    path = tmp_path / 'task_4.zip'
    with zipfile.ZipFile(path, 'w', method) as archive:
        archive.writestr('images/day/a.jpg', b'\xff\xd8')
        archive.writestr('annotations.xml', CVAT)
    packed = list(cvat.read(path))
    plain = read(tmp_path / 'a.xml', CVAT)
    assert [a.image for a in packed] == ['day/a.jpg', 'b.jpg']
    assert packed[0].source == str(path)
    for one, other in zip(packed[0].shapes, plain[0].shapes, strict=True):
        assert as_values(one) == as_values(other)


def test_masks_may_reach_over_the_edge(tmp_path: Path) -> None:
    text = CVAT.replace('left="7"', 'left="-1"')
    mask = read(tmp_path / 'a.xml', text)[0].shapes[-1]
    assert mask.origin == (-1, 9)


SHAPES = points() | strokes() | regions(holes=0) | pixel_regions()


@given(
    st.lists(
        st.tuples(
            NAMES,
            st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
            st.lists(st.tuples(SHAPES, st.integers(-3, 3)), max_size=4),
            st.lists(LABELS, unique=True),
        ),
        max_size=3,
    )
)
@MODEST
def test_round_trip(tmp_path: Path, drawn: Sequence[tuple]) -> None:
    annotations = [
        ImageAnnotation(
            name, '', size, tuple(replace(s, z=z) for s, z in shapes), (*tags,)
        )
        for name, size, shapes, tags in drawn
    ]
    path = tmp_path / 'ü.xml'
    back = read(path, write(annotations))
    assert len(back) == len(annotations)
    for one, other in zip(back, annotations, strict=True):
        assert (one.image, one.size, one.tags, one.source) == (
            other.image, other.size, other.tags, str(path),
        )  # fmt: skip
        assert [(*as_values(s), s.z) for s in one.shapes] == [
            (*as_values(s), s.z) for s in other.shapes
        ]


def test_places_of_masks_are_rounded_half_to_even(tmp_path: Path) -> None:
    text = CVAT.replace('left="7"', 'left="6.5"').replace(
        'width="3"', 'width="3.0"'
    )
    mask = read(tmp_path / 'a.xml', text)[0].shapes[-1]
    assert mask.origin == (6, 9)
    assert mask.pixels.shape == (2, 3)
