"""Label folders: what is in them, and that nothing else is lost or left."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.label_folder import (
    LabelFile,
    check_label_folder,
    label_file,
    read_sidecar,
    write_label_folder,
)
from mmseg_sparse.labels.label_map import (
    distinct_palette,
    encode_index_png,
    save_index_png,
)
from mmseg_sparse.utils.untrusted import FormatError

META = {'tool': 't', 'format': 'f', 'classes': ['a', 'b']}
PALETTE = [(200, 0, 0), (0, 90, 0)]


def labels(value=1):
    result = np.full((4, 6), 255, np.uint8)
    result[1, 2:5] = value
    return result


def file(name, value=1, **more):
    return label_file(
        name, labels(value), PALETTE, supervision='scribble', size=(6, 4),
        **more,
    )  # fmt: skip


def entries(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*')
    )


def test_pngs_and_sidecar(tmp_path):
    tags = label_file(
        'z', None, PALETTE, supervision='tag', size=(8, 9), tags=['b']
    )
    out = tmp_path / 'deep' / 'out'
    written = write_label_folder(
        out, iter([tags, file('x/y.1', conflicts=7)]), META
    )
    assert entries(out) == ['labels.json', 'x', 'x/y.1.png']
    assert entries(out.parent) == ['out', *(f'out/{e}' for e in entries(out))]
    assert written == read_sidecar(out) == read_sidecar(out / 'labels.json')
    assert written == {
        'version': 1, **META,
        'images': {
            'x/y.1': {'supervision': 'scribble', 'size': [6, 4],
                      'labeled_pixels': 3, 'conflicts': 7, 'tags': []},
            'z': {'supervision': 'tag', 'size': [8, 9], 'tags': ['b']},
        },
    }  # fmt: skip
    assert list(written['images']) == ['x/y.1', 'z']
    with Image.open(out / 'x' / 'y.1.png') as picture:
        assert picture.mode == 'P'
        assert np.array_equal(np.asarray(picture), labels())
        colours = np.asarray(picture.convert('RGB'))
    assert colours[1, 2].tolist() == [0, 90, 0]
    assert colours[0, 0].tolist() == [255, 255, 255]
    assert (out.stat().st_mode & 0o777) == 0o777 & ~label_folder_umask()


def label_folder_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_error_midway_leaves_nothing(tmp_path):
    def broken():
        yield file('a')
        raise RuntimeError('no more')

    with pytest.raises(RuntimeError, match='no more'):
        write_label_folder(tmp_path / 'out', broken(), META)
    assert entries(tmp_path) == []
    write_label_folder(tmp_path / 'out', [file('a')], META)
    before = (tmp_path / 'out' / 'a.png').read_bytes()
    with pytest.raises(RuntimeError, match='no more'):
        write_label_folder(tmp_path / 'out', broken(), META, overwrite=True)
    assert entries(tmp_path) == ['out', 'out/a.png', 'out/labels.json']
    assert (tmp_path / 'out' / 'a.png').read_bytes() == before


def test_a_failing_move_brings_the_old_folder_back(tmp_path, monkeypatch):
    out = tmp_path / 'out'
    write_label_folder(out, [file('a')], META)
    real, calls = os.replace, []

    def replace(a, b):
        calls.append(b)
        if len(calls) == 2:
            raise OSError('disk gone')
        real(a, b)

    monkeypatch.setattr(os, 'replace', replace)
    with pytest.raises(OSError, match='disk gone'):
        write_label_folder(out, [file('b')], META, overwrite=True)
    assert entries(tmp_path) == ['out', 'out/a.png', 'out/labels.json']


def test_overwriting(tmp_path):
    out = tmp_path / 'out'
    out.mkdir()  # an empty folder is free
    write_label_folder(out, [file('a'), file('sub/b')], META)
    with pytest.raises(FileExistsError, match=r'out exists: .*--overwrite'):
        write_label_folder(out, [file('c')], META)
    write_label_folder(out, [file('c')], META, overwrite=True)
    assert entries(tmp_path) == ['out', 'out/c.png', 'out/labels.json']


def test_only_label_folders_are_overwritten(tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'thesis.tex').write_text('x')
    with pytest.raises(FileExistsError, match='it is not a label folder'):
        check_label_folder(out, overwrite=True)
    write_label_folder(tmp_path / 'made', [file('a')], META)
    for extra in ('thesis.tex', 'sub/more.png'):
        path = tmp_path / 'made' / extra
        path.parent.mkdir(exist_ok=True)
        path.write_text('x')
        with pytest.raises(FileExistsError, match=f'does not name .*{extra}'):
            check_label_folder(tmp_path / 'made', overwrite=True)
        path.unlink()
    check_label_folder(tmp_path / 'made', overwrite=True)
    for mine in (out / 'thesis.tex', tmp_path / 'made' / 'a.png'):
        with pytest.raises(FileExistsError, match=r'not a label f|exists'):
            write_label_folder(mine, [file('a')], META, overwrite=True)
        assert mine.is_file()


@pytest.mark.parametrize('name', ['../a', '/a', 'a/../../b', 'C:a', ''])
def test_names_stay_in_the_folder(name, tmp_path):
    with pytest.raises(ValueError, match='name of an image'):
        write_label_folder(
            tmp_path / 'x' / 'out', [LabelFile(name, b'', {})], META
        )
    assert not list(tmp_path.rglob('*.png'))


def test_names_come_once(tmp_path):
    with pytest.raises(ValueError, match="two label maps for 'a/b'"):
        write_label_folder(tmp_path / 'o', [file('a/b'), file('a//b')], META)
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        ({'version': 2}, 'version: expected 1, got 2'),
        ({'version': None}, 'version: expected a whole number, got None'),
        ({'classes': ['a', 3]}, r'classes\[1\]: expected a name, got 3'),
        ({'classes': []}, r'classes: expected 1 to 255 classes, got 0'),
        ({'classes': [f'c{i}' for i in range(300)]}, '255 classes, got 300'),
        ({'classes': ['a', ' ']}, r"classes\[1\]: expected a name, got ' '"),
        ({'classes': ['a', 'b', 'a']}, r"classes\[2\]: 'a' comes twice"),
        ({'images': {'x': {'supervision': 'lasso'}}},
         r"'x'\]\.supervision: expected one of dense, .*, tag, got 'lasso'"),
        ({'tool': 5}, 'tool: expected a string, got 5'),
        ({'images': []}, r'images: expected an object, got \[\]'),
        ({'images': {'../x': {}}}, r"'../x'"),
        ({'images': {'x': {}}}, 'supervision: missing'),
        ({'images': {'x': {'supervision': 'tag', 'tags': [1]}}},
         r'tags\[0\]: expected a string, got 1'),
    ],
)  # fmt: skip
def test_bad_sidecars(change, problem, tmp_path):
    write_label_folder(tmp_path / 'out', [file('a')], META)
    path = tmp_path / 'out' / 'labels.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FormatError, match=problem):
        read_sidecar(path)
    path.write_text('{')
    with pytest.raises(FormatError, match=r'labels.json: line 1, column 2'):
        read_sidecar(path.parent)


def test_what_is_no_file_is_no_sidecar(tmp_path):
    path = tmp_path / 'labels.json'
    path.mkdir()
    with pytest.raises(FormatError, match=r'expected a file, got a fol'):
        read_sidecar(path)
    path.rmdir()
    os.mkfifo(path)  # reading it would wait for ever
    with pytest.raises(
        FormatError, match='got something that is not a regular file'
    ):
        read_sidecar(tmp_path)


def test_single_maps(tmp_path):
    save_index_png(tmp_path / 'a' / 'b.png', labels(0), PALETTE)
    read = np.asarray(Image.open(tmp_path / 'a' / 'b.png'))
    assert np.array_equal(read, labels(0))
    full = encode_index_png(labels(0), [(0, 0, 0)] * 256)
    with Image.open(io.BytesIO(full)) as picture:
        assert picture.getpalette()[-6:] == [0, 0, 0, 255, 255, 255]
    with pytest.raises(ValueError, match='must be uint8'):
        encode_index_png(labels().astype(int), PALETTE)
    with pytest.raises(ValueError, match=r'of \(4, 6\), got \(4, 6\)'):
        label_file('a', labels(), PALETTE, supervision='point', size=(4, 6))


def test_colours_differ_and_none_is_white():
    colours = distinct_palette(254)
    assert len({tuple(c) for c in colours}) == 254
    assert [255, 255, 255] not in colours
    few = np.array(distinct_palette(12), float)
    distance = np.linalg.norm(few[:, None] - few, axis=-1)
    assert distance[~np.eye(12, dtype=bool)].min() > 40
    assert distinct_palette(12) == colours[:12]
