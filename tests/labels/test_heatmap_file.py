"""Files of heat maps."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from mmseg_sparse.labels import heatmap_path, read_heatmaps, write_heatmaps
from mmseg_sparse.labels.heatmap_file import decode_heatmaps


def some_maps(classes=3, height=7, width=11):
    rng = np.random.default_rng(0)
    return rng.random((classes, height, width), np.float32)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'a' / 'x.npz'
    write_heatmaps(path, some_maps(), [5, 0, 2], num_classes=8)
    return path


def test_maps_come_back_in_order_of_classes(path):
    found = read_heatmaps(path)
    maps = some_maps().astype(np.float16)
    assert found.classes.tolist() == [0, 2, 5]
    assert found.maps.dtype == np.float16
    assert np.array_equal(found.maps, maps[[1, 2, 0]])
    dense = found.dense()
    assert dense.shape == (8, 7, 11)
    assert dense.dtype == np.float32
    assert np.array_equal(dense[[5, 0, 2]], maps.astype(np.float32))
    assert not dense[[1, 3, 4, 6, 7]].any()


def test_an_image_without_classes_has_its_size(tmp_path):
    path = tmp_path / 'x.npz'
    write_heatmaps(path, np.zeros((0, 4, 9)), [], num_classes=3)
    assert read_heatmaps(path).dense().shape == (3, 4, 9)


def test_the_same_maps_make_the_same_bytes(path, tmp_path):
    again = tmp_path / 'y.npz'
    write_heatmaps(again, some_maps()[::-1], [2, 0, 5], num_classes=8)
    assert path.read_bytes() == again.read_bytes()


def test_a_failed_writing_leaves_the_old_file_alone(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError('no space left')

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError, match='no space'):
        write_heatmaps(path, some_maps(1), [1], num_classes=2)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ['x.npz']


def test_every_truncated_file_is_an_error(path):
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        with pytest.raises(ValueError, match='x: is not a whole file of heat'):
            decode_heatmaps(data[:length], 'x')


def test_damaged_bytes_never_give_other_maps(path):
    data = bytearray(path.read_bytes())
    wanted = read_heatmaps(path)
    refused = 0
    for place in range(0, len(data), 3):
        damaged = data.copy()
        damaged[place] ^= 0x55
        try:
            found = decode_heatmaps(bytes(damaged), 'x')
        except ValueError as error:
            assert str(error).startswith('x: ')  # noqa: PT017
            refused += 1
        else:  # a byte that says nothing, such as a date
            assert np.array_equal(found.maps, wanted.maps)
            assert np.array_equal(found.classes, wanted.classes)
    assert refused > len(data) / 3 / 2


class Evil:
    def __reduce__(self):
        return os.system, ('touch /tmp/should-not-exist',)


def test_foreign_files_are_named_and_run_no_code(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(os, 'system', ran.append)
    path = tmp_path / 'x.npz'
    np.savez(path, maps=np.array([Evil()], object))
    with pytest.raises(ValueError, match='is not a whole file of heat maps'):
        read_heatmaps(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match='is not a whole file of heat maps'):
        read_heatmaps(path)
    assert ran == []
    np.savez(path, logits=np.zeros(3))
    with pytest.raises(
        ValueError, match=r'not a file of heat maps; .*got logi'
    ):
        read_heatmaps(path)
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('maps', 'hello')
    with pytest.raises(ValueError, match='other things than arrays'):
        read_heatmaps(path)
    with open(path, 'wb') as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match='one array alone'):
        read_heatmaps(path)
    with pytest.raises(FileNotFoundError):
        read_heatmaps(tmp_path / 'y.npz')


@pytest.mark.parametrize(
    ('maps', 'classes', 'message'),
    [
        (some_maps(2), [1], r'each of 2 maps, got int64 of shape \(1,\)'),
        (some_maps(2), [1, 1], r'different and below 8, got \[1, 1\]'),
        (some_maps(2), [1, 8], r'different and below 8, got \[1, 8\]'),
        (some_maps(2), [-1, 3], r'below 8, got \[-1, 3\]'),
        (some_maps(2), [1.0, 2.0], 'got float64'),
        (some_maps(2) - 0.5, [1, 2], 'not logits'),
        (some_maps(2) * 1e6, [1, 2], 'to 65504'),
        (some_maps(2) * np.nan, [1, 2], 'must be numbers'),
        (some_maps(2)[0], [1, 2], r'\(K, H, W\), got float16 of shape \(7, 1'),
        (some_maps(2)[:, :0], [1, 2], r'got float16 of shape \(2, 0, 11\)'),
    ],
)
def test_what_cannot_be_right_is_not_written(tmp_path, maps, classes, message):
    path = tmp_path / 'x.npz'
    with pytest.raises(ValueError, match=message):
        write_heatmaps(path, maps, classes, num_classes=8)
    assert not path.exists()
    with pytest.raises(ValueError, match=r'must end in \.npz'):
        write_heatmaps(tmp_path / 'x.png', some_maps(1), [1], num_classes=8)


def test_where_the_file_of_an_image_is():
    assert heatmap_path('maps/', 'data/a/b.x.jpg') == 'maps/b.x.npz'
    found = heatmap_path('s3://maps', 'data/a/b.jpg', 'data')
    assert found == 's3://maps/a/b.npz'
    with pytest.raises(ValueError, match='not below img_root=other'):
        heatmap_path('maps', 'data/a/b.jpg', 'other')
