"""CVAT files that are broken, hostile, or say what cannot be."""

import random
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers import cvat
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, fuzz_bytes, read_or_refuse
from .test_cvat import CVAT, read

ODD = ('', 'x', 'nan', 'inf', '-1', '1e400', '9' * 5000, '1_0', '1,', ';',
       '0x1', '../x', '1e9', '0.5', 'é', '1,2;3', '99999999,1')  # fmt: skip


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('<annotations>', '<a>', 'not valid XML'),
    ('name="day/a.jpg"', 'name="day/"', r"\[0\]\.name: .*'day/'"),
    ('name="day/a.jpg"', '', r'image\[0\]\.name: missing'),
    ('width="500"', 'width="0"', r"image\[0\] 'day/a.jpg'\.width: .* got 0"),
    ('width="500"', 'width="99999"', r'\.width: .* 1 to 65500, got 99999'),
    ('label="road"', '', r'polyline\[0\]\.label: .* a class, got None'),
    ('10.50,20.25', '10.5', r'polyline\[0\]\.points\[0\]: expected x,y, got'),
    ('10.50,20.25', 'nan,1', r"polyline\[0\]\.points\[0\]: .* got 'nan'"),
    ('30.00,40.00', '3,1e300', r'polyline\[0\].points\[1\]: .*within 1e\+06'),
    ('points="1.00,2.50;30.00,4.00"', '', r'points\[1\]\.points: missing'),
    (';10.00,8.00', '', r'polygon\[2\]: .* at least 3 points, got 2'),
    ('z_order="2"', 'z_order="high"', r"z_order: .*whole number, got 'high'"),
    ('xtl="100.00"', 'xtl="200.00"', r'box\[3\]: expected xtl <= xbr .*200'),
    ('xtl="100.00"', 'xtl="inf"', r"box\[3\]\.xtl: .*finite .* got 'inf'"),
    ('rotation="90.00"', 'rotation="a"', r'box\[4\]\.rotation: '),
    ('rx="30.00"', 'rx="-3"', r'ellipse\[5\]: .* at least 0, got \(-3'),
    ('rx="30.00"', 'rx="1e7"', r'ellipse\[5\]\.rx: .*within 1e\+06'),
    ('rle="1, 2', 'rle="1, 3', r'mask\[6\]\.rle: .* up to 6 pixels, got 7'),
    ('rle="1, 2', 'rle="1, -2', r'mask\[6\]\.rle\[1\]: .* got -2'),
    ('rle="1, 2', 'rle="1, two', r"mask\[6\]\.rle\[1\]: .*' two'"),
    ('width="3"', 'width="60000"', r'mask\[6\]'),
    ('left="7"', 'left="99999999"', r'mask\[6\]\.left'),
    ('<tag label="sunny" source="manual">\n    </tag>',
     '<cuboid label="car" xtl1="1"/>', r'cuboid\[7\]: <cuboid> is not supp'),
    ('<tag label="sunny" source="manual">\n    </tag>',
     '<skeleton label="car"/>', r'skeleton\[7\]: <skeleton> is not supported'),
    ('<image id="1"', '<track id="0" label="a"/><image id="1"',
     'track: expected the tracks of one task; export every task by itself'),
])  # fmt: skip
def test_wrong_values_are_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in CVAT
    with pytest.raises(FormatError, match=rf'a\.xml.*{message}'):
        read(tmp_path / 'a.xml', CVAT.replace(old, new, 1))


def test_other_xml_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match='expected <annotations> of CVAT, '):
        read(tmp_path / 'a.xml', '<annotation><folder/></annotation>')


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = (
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>\n'
        '<annotations>&y;</annotations>'
    )
    with pytest.raises(FormatError, match=r'a\.xml: a DOCTYPE .* refused'):
        read(tmp_path / 'a.xml', bomb)


@pytest.mark.parametrize('names', [
    ['images/a.jpg'], ['annotations.xml', 'b/annotations.xml'],
    ['annotations.xml', '../a.jpg'],
])  # fmt: skip
def test_archives_without_the_one_file(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, CVAT)
    with pytest.raises(FormatError, match=r'a\.zip: '):
        list(cvat.read(path))


def test_cut_archives(tmp_path: Path) -> None:
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('annotations.xml', CVAT)
    data = path.read_bytes()
    for stop in range(0, len(data), 23):
        path.write_bytes(data[:stop])
        with pytest.raises(FormatError, match=r'a\.zip'):
            list(cvat.read(path))


def test_cut_files(tmp_path: Path) -> None:
    for stop in range(0, len(CVAT) - 2, 31):
        with pytest.raises(FormatError, match=r'a\.xml'):
            read(tmp_path / 'a.xml', CVAT[:stop])


@given(seed=st.integers(0, 2**32))
@MODEST
def test_broken_files(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    value = rng.choice(list(re.finditer('"[^"]*"', CVAT)))
    text = (
        CVAT[: value.start() + 1] + rng.choice(ODD) + CVAT[value.end() - 1 :]
    )
    path = tmp_path / 'a.xml'
    path.write_text(text)
    read_or_refuse(cvat.read, path)
    fuzz_bytes(cvat.read, path, CVAT.encode(), seed)


@given(seed=st.integers(0, 2**32))
@MODEST
def test_broken_archives(tmp_path: Path, seed: int) -> None:
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('annotations.xml', CVAT)
    fuzz_bytes(cvat.read, path, path.read_bytes(), seed)
