"""Index planes of PNGs, whatever their bits and palettes."""

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.label_map import load_png_index
from mmseg_sparse.utils.untrusted import FormatError


def chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return (
        struct.pack('>I', len(data))
        + kind
        + data
        + struct.pack('>I', checksum)
    )


def png(width, height, depth, colour, rows, palette=b''):
    """Write a PNG by the book; rows are bytes without their filter."""
    header = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
    data = b''.join(b'\0' + row for row in rows)
    chunks = (
        chunk(b'IHDR', header),
        palette,
        chunk(b'IDAT', zlib.compress(data)),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks) + chunk(b'IEND', b'')


PALETTE = chunk(b'PLTE', bytes(range(30)))


@pytest.mark.parametrize(
    ('depth', 'colour', 'row', 'values'),
    [
        (1, 0, b'\xa0', [1, 0, 1]),
        (2, 0, b'\x6c', [1, 2, 3]),
        (4, 0, b'\x12\xf0', [1, 2, 15]),
        (8, 0, b'\x01\x02\xff', [1, 2, 255]),
        (16, 0, b'\x01\x00\x00\x02\xff\xff', [256, 2, 65535]),
        (1, 3, b'\xa0', [1, 0, 1]),
        (2, 3, b'\x6c', [1, 2, 3]),
        (4, 3, b'\x12\x90', [1, 2, 9]),
        (8, 3, b'\x01\x02\x09', [1, 2, 9]),
    ],
)
def test_numbers_as_stored(depth, colour, row, values, tmp_path):
    path = tmp_path / 'a.png'
    palette = PALETTE if colour == 3 else b''
    path.write_bytes(png(3, 2, depth, colour, [row, row], palette))
    labels = load_png_index(path)
    assert labels.dtype == (np.uint16 if depth == 16 else np.uint8)
    assert labels.tolist() == [values, values]


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA'])
def test_colour_is_refused(mode, tmp_path):
    Image.new(mode, (3, 2)).save(tmp_path / 'a.png')
    problem = f'a.png: expected a PNG of class indices .* in {mode}'
    with pytest.raises(FormatError, match=problem):
        load_png_index(tmp_path / 'a.png')


def test_other_files_are_refused(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('L', (3, 2)).save(path, 'JPEG')
    with pytest.raises(FormatError, match=r'a.png: not a PNG file'):
        load_png_index(path)
    for side in (2**31 - 1, 70_000, 40_000):
        path.write_bytes(png(side, side, 8, 0, [b'\0']))
        began = time.process_time()
        with pytest.raises(
            FormatError, match=r'expected a whole|exceeds|more'
        ):
            load_png_index(path)
        assert time.process_time() - began < 1
    with pytest.raises(FileNotFoundError):
        load_png_index(tmp_path / 'missing.png')


def test_damaged_files_are_refused_or_read(tmp_path):
    path = tmp_path / 'a.png'
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 9, (20, 30), np.uint8)).save(path)
    data = path.read_bytes()
    for cut in range(0, len(data), 7):
        path.write_bytes(data[:cut])
        with pytest.raises(FormatError, match=r'a.png: .*PNG') as caught:
            load_png_index(path)
        assert '\n' not in str(caught.value)
    for position in range(8, len(data)):
        path.write_bytes(
            data[:position]
            + bytes([data[position] ^ 4])
            + data[position + 1 :]
        )
        with pytest.raises(FormatError, match=r'a.png: '):
            load_png_index(path)
