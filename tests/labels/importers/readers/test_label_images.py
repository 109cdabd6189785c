"""Label images: 0 is no label, in PNG and TIFF."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.importers.readers import label_images
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import label_maps
from ....helpers.fuzzing import MODEST, fuzz_bytes
from .test_index_png import painted

KINDS = [
    ('png', np.uint8, None), ('png', np.uint16, None),
    ('tif', np.uint8, None), ('tif', np.uint16, None),
    ('tif', np.int32, None), ('TIFF', np.int32, 'tiff_adobe_deflate'),
    ('tif', np.uint8, 'tiff_lzw'),
]  # fmt: skip


def encoded(
    labels: NDArray, suffix: str, compression: str | None = None
) -> bytes:
    file = io.BytesIO()
    Image.fromarray(labels).save(
        file, format='PNG' if suffix == 'png' else 'TIFF',
        **({'compression': compression} if compression else {}),
    )  # fmt: skip
    return file.getvalue()


@given(label_maps(5, np.uint8), st.sampled_from(KINDS))
@MODEST
def test_round_trip(tmp_path: Path, labels: NDArray, kind: tuple) -> None:
    suffix, dtype, compression = kind
    labels = labels.astype(dtype) * (60 if dtype == np.uint8 else 300)
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(encoded(labels, suffix, compression))
    (annotation,) = label_images.read(path)
    assert annotation.image == 'a'
    assert annotation.size == labels.shape[::-1]
    assert np.array_equal(painted(annotation, 0), labels)
    assert '0' not in [region.label for region in annotation.shapes]


@pytest.mark.parametrize('dtype', [np.int64, np.uint16, np.bool_, '>i4'])
def test_arrays(dtype, tmp_path: Path) -> None:
    labels = np.array([[0, 1, 1], [1, 0, 0]])
    np.save(tmp_path / 'a.npy', labels.astype(dtype))
    (annotation,) = label_images.read(tmp_path)
    assert annotation.size == (3, 2)
    assert np.array_equal(painted(annotation, 0), labels)


@pytest.mark.parametrize(
    ('values', 'error'),
    [
        (np.ones((2, 3)), r'whole numbers, got \(2, 3\) of float64'),
        (np.ones((1, 2, 3), int), r'got \(1, 2, 3\) of int64'),
        (np.full((2, 3), -1), '0 to 65535, got -1 to -1'),
        (np.full((2, 0), 1), 'width: .* got 0'),
    ],
)
def test_other_arrays(values, error, tmp_path: Path) -> None:
    np.save(tmp_path / 'a.npy', values)
    with pytest.raises(FormatError, match=rf'a\.npy: .*{error}'):
        list(label_images.read(tmp_path / 'a.npy'))


def test_napari_s_names(tmp_path: Path) -> None:
    (tmp_path / 'x').mkdir()
    data = encoded(np.array([[1]], np.uint8), 'png')
    for name in ('a_labels.png', 'b.png', 'x/c_labels.png', '_labels.png'):
        (tmp_path / name).write_bytes(data)

    def names(**options: str) -> list[str]:
        return [a.image for a in label_images.read(tmp_path, **options)]

    assert names() == ['_labels', 'a', 'b', 'x/c']
    assert names(suffix='_labels') == names(suffix='_labels.tif')
    assert names(suffix='_labels') == ['_labels', 'a', 'x/c']
    assert names(suffix='') == ['_labels', 'a_labels', 'b', 'x/c_labels']
    path = tmp_path / 'a_labels.png'
    assert [a.image for a in label_images.read(path)] == ['a']


def test_255_is_a_class_and_0_is_none(tmp_path: Path) -> None:
    labels = np.array([[0, 255, 1], [0, 0, 2]], np.uint8)
    (tmp_path / 'b.png').write_bytes(encoded(labels, 'png'))
    (tmp_path / 'a.tif').write_bytes(encoded(labels * 0, 'tif'))
    (tmp_path / 'notes.txt').write_text('no image')
    none, some = label_images.read(tmp_path)
    assert (none.image, none.shapes) == ('a', ())
    assert [r.label for r in some.shapes] == ['1', '2', '255']
    assert [r.origin for r in some.shapes] == [(2, 0), (2, 1), (1, 0)]


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (np.array([[-1, 2]], np.int32), r'from 0 to 65535, got -1 to 2'),
        (np.array([[0, 70000]], np.int32), r'got 0 to 70000'),
        (np.zeros((2, 2), np.float32), r'whole numbers\), got one in F'),
        (np.zeros((2, 2, 3), np.uint8), r'whole numbers\), got one in RGB'),
        (np.arange(1, 301, dtype=np.int32)[None], r'300 different values'),
    ],
)
def test_what_is_no_label_image(
    tmp_path: Path, values: NDArray, message: str
) -> None:
    path = tmp_path / 'a.tif'
    path.write_bytes(encoded(values, 'tif'))
    with pytest.raises(FormatError, match=rf'a\.tif: .*{message}'):
        list(label_images.read(path))


def plain_tiff(
    values: NDArray, kind: int, order: str = '<', packed: bool = False
) -> bytes:
    """Write a TIFF by hand, of depths that Pillow does not know."""
    height, width = values.shape
    data = values.astype(order + values.dtype.str[1:]).tobytes()
    data = zlib.compress(data) if packed else data
    tags = [
        (256, width), (257, height), (258, 8 * values.itemsize),
        (259, 8 if packed else 1),
        (262, 1), (273, 8 + 2 + 12 * 10 + 4), (277, 1), (278, height),
        (279, len(data)), (339, kind),
    ]  # fmt: skip
    directory = b''.join(
        struct.pack(f'{order}HHII', t, 4, 1, v) for t, v in tags
    )
    head = b'II' if order == '<' else b'MM'
    head += struct.pack(f'{order}HIH', 42, 8, len(tags))
    return head + directory + bytes(4) + data


def test_plain_tiffs_are_read(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2], [7, 0, 1]], np.uint8)
    (tmp_path / 'a.tif').write_bytes(plain_tiff(values, 1))
    (annotation,) = label_images.read(tmp_path / 'a.tif')
    assert np.array_equal(painted(annotation, 0), values)


@pytest.mark.parametrize(
    ('order', 'packed'), [('<', False), ('<', True), ('>', False)]
)
@pytest.mark.parametrize(('dtype', 'kind'), [('int64', 2), ('uint64', 1)])
def test_numbers_of_64_bits(
    tmp_path: Path, dtype: str, kind: int, order: str, packed: bool
) -> None:
    values = np.array([[0, 1, 2], [7, 0, 300], [0, 0, 65535]], dtype)
    path = tmp_path / 'a.tif'
    path.write_bytes(plain_tiff(values, kind, order, packed))
    (annotation,) = label_images.read(path)
    assert annotation.size == (3, 3)
    assert np.array_equal(painted(annotation, 0), values)
    values[0, 0] = 2**32 + 1
    path.write_bytes(plain_tiff(values, kind, order, packed))
    with pytest.raises(
        FormatError, match='from 0 to 65535, got 0 to 42949672'
    ):
        list(label_images.read(path))
    data = plain_tiff(values, kind, order, packed)
    for stop in range(1, len(data), 3):
        path.write_bytes(data[:stop])
        with pytest.raises(FormatError, match=r'a\.tif: '):
            list(label_images.read(path))


@pytest.mark.parametrize(
    ('dtype', 'kind', 'found'),
    [
        ('float16', 3, 'fractions of 16 bits'),
        ('float64', 3, 'fractions of 64 bits'),
    ],
)
def test_other_depths_are_told(
    tmp_path: Path, dtype: str, kind: int, found: str
) -> None:
    data = plain_tiff(np.ones((3, 4), dtype), kind)
    (tmp_path / 'a.tif').write_bytes(data)
    problem = rf'8 to 64 bits, got {found}; save it as uint8'
    with pytest.raises(FormatError, match=rf'a\.tif: .*{problem}'):
        list(label_images.read(tmp_path / 'a.tif'))
    for stop in range(1, 140, 7):
        (tmp_path / 'a.tif').write_bytes(data[:stop])
        with pytest.raises(FormatError, match=r'a\.tif: '):
            list(label_images.read(tmp_path / 'a.tif'))


def test_several_pages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'stack.tif'
    page = Image.fromarray(np.ones((3, 4), np.uint8))
    page.save(path, save_all=True, append_images=[page, page])
    with pytest.raises(FormatError, match=r'one page, got 3'):
        list(label_images.read(path))


def test_size_is_checked_before_decoding(tmp_path: Path) -> None:
    data = bytearray(encoded(np.zeros((3, 4), np.uint8), 'tif'))
    width = data.index(b'\x00\x01\x04\x00' + b'\x01\x00\x00\x00')
    data[width + 8 : width + 12] = (10**6).to_bytes(4, 'little')
    path = tmp_path / 'huge.tif'
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r'huge\.tif: width: .* 1000000'):
        list(label_images.read(path))


@given(st.integers(0, 2**32), st.sampled_from(KINDS))
@MODEST
def test_fuzz(tmp_path: Path, seed: int, kind: tuple) -> None:
    suffix, dtype, compression = kind
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 9, (11, 17)).astype(dtype)
    data = encoded(labels, suffix, compression)
    for turn in range(4):
        fuzz_bytes(
            label_images.read, tmp_path / f'a.{suffix}', data, seed + turn
        )
