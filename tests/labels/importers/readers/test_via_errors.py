"""What is refused of VIA's JSON, and how that is said."""

from pathlib import Path
from typing import Any

import pytest

from mmseg_sparse.utils.untrusted import FormatError

from .test_via import LINE, read_content, region

POINT = {'name': 'point', 'cx': 1, 'cy': 2}


def refused(folder: Path, content: Any, message: str, **options: Any) -> None:
    with pytest.raises(FormatError, match=rf'via\.json: {message}'):
        read_content(folder, content, **options)


def one(*regions: Any) -> dict[str, Any]:
    return {'a.jpg9': {'filename': 'a.jpg', 'size': 9, 'regions': [*regions]}}


@pytest.mark.parametrize(
    ('attributes', 'options', 'message'),
    [
        ({'a': 'x', 'b': 'y'}, {}, r"which one .* \['a', 'b'\]"),
        ({'label': 'x', 'class': 'y'}, {}, r"which .* \['label', 'class'\]"),
        ({'a': 'x'}, {'attribute': 'kind'}, r"expected 'kind' .* \['a'\]"),
    ],
)
def test_the_attribute_cannot_be_told(
    tmp_path: Path, attributes: dict, options: dict, message: str
) -> None:
    content = one(region(POINT, **attributes))
    refused(tmp_path, content, f'region_attributes: {message}', **options)


@pytest.mark.parametrize(
    ('attributes', 'message'),
    [
        ({}, r"\['class'\]: expected one class, got \[\]"),
        ({'class': ' '}, r"\['class'\]: expected one class, got \[\]"),
        ({'class': {'a': True, 'b': True}}, r".* one class, got \['a', 'b'\]"),
        ({'class': {'a': False}}, r"\['class'\]: .* one class, got \[\]"),
        ({'class': {'a': 1}}, r"\['class'\]\.a: expected true or .* got 1"),
        ({'class': 7}, r"\['class'\]: expected a string .* got 7"),
        ({'class': 'a\nb'}, r"\['class'\]: unprintable character in the name"),
    ],
)
def test_a_region_without_one_class(
    tmp_path: Path, attributes: dict, message: str
) -> None:
    content = one(region(POINT, **{'class': 'a'}), region(POINT, **attributes))
    entry = r"'a\.jpg9'\.regions\[1\]\.region_attributes"
    refused(tmp_path, content, entry + message)


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ({'name': 'cube'}, r'\.name: expected point, .* got .cube.'),
        ({}, r'\.name: missing'),
        ({'name': 'point', 'cx': 1}, r'\.cy: missing'),
        ({'name': 'point', 'cx': '1', 'cy': 2}, r'\.cx: .*number, got .1.'),
        ({'name': 'point', 'cx': 1, 'cy': 1e9}, r'\.cy: .* got 1000000000'),
        ({'name': 'rect', 'x': 1, 'y': 2, 'width': -3, 'height': 4},
         r'\.width: expected a number >= 0\.0, got -3'),
        ({'name': 'circle', 'cx': 1, 'cy': 2, 'r': -1}, r'\.r: .* got -1'),
        ({'name': 'ellipse', 'cx': 1, 'cy': 2, 'rx': 1}, r'\.ry: missing'),
        ({'name': 'ellipse', 'cx': 1, 'cy': 2, 'rx': 1, 'ry': 1,
          'theta': None}, r'\.theta: expected a number, got None'),
        ({'name': 'polyline', **LINE, 'all_points_y': [1]},
         r': expected at least 1 x and as many y, got 3 and 1'),
        ({'name': 'polyline', 'all_points_x': [], 'all_points_y': []},
         r': expected at least 1 x and as many y, got 0 and 0'),
        ({'name': 'polygon', 'all_points_x': [1, 2, 1],
          'all_points_y': [1, 2, 1]}, r': .* at least 3 points, got 2'),
        ({'name': 'polygon', **LINE, 'all_points_x': [1, None, 2]},
         r'\.all_points_x\[1\]: expected a number, got None'),
    ],
)  # fmt: skip
def test_shapes(tmp_path: Path, shape: dict, message: str) -> None:
    content = one(region(shape, **{'class': 'a'}))
    entry = r"'a\.jpg9'\.regions\[0\]\.shape_attributes"
    refused(tmp_path, content, entry + message)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([], r'expected an object, got \[\]'),
        ({'_via_img_metadata': []},
         r'_via_img_metadata: expected an object, got'),
        ({'project': {}, 'config': {}, 'metadata': {}}, r'.* VIA 3, expected'),
        ({'k': []}, r"'k': expected an object, got \[\]"),
        ({'k': {'filename': 'a'}}, r"'k'\.regions: missing"),
        ({'k': {'regions': []}}, r"'k'\.filename: missing"),
        ({'k': {'filename': '', 'regions': []}}, r"'k'\.filename: .* got ''"),
        ({'k': {'filename': '../', 'regions': []}}, r".* got '\.\./'"),
        ({'k': {'filename': 'http://a', 'regions': []}},
         r".*filename: .* 'http://a'"),
        ({'k': {'filename': 'h://[/..', 'regions': []}}, r".* 'h://\[/\.\.'"),
        ({'k': {'filename': 'a', 'regions': [], 'file_attributes': {'x': 3}}},
         r"'k'\.file_attributes\['x'\]: expected a string .* got 3"),
    ],
)  # fmt: skip
def test_images(tmp_path: Path, content: Any, message: str) -> None:
    refused(tmp_path, content, message)


def test_regions_without_any_attribute(tmp_path: Path) -> None:
    refused(tmp_path, one(region(POINT)), r'.*expected one class, got \[\]')
