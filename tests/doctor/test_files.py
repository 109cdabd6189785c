"""The doctor finds what is wrong with single files, and nothing else."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image

from tests.helpers import sick_labels
from tests.helpers.sick_labels import (
    PALETTE,
    config,
    config_findings,
    findings,
    healthy,
    one,
    save,
    strokes,
)


def truncate(path: Path, keep: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])


def with_palette(path: Path, order: list[int]) -> None:
    # All 256 colours: with fewer, Pillow cuts the bits of 255 off.
    table = np.full((256, 3), 255, np.uint8)
    table[:3] = [PALETTE[k] for k in order]
    picture = Image.fromarray(strokes(1))
    picture.putpalette(table.tobytes())
    picture.save(path)


def colours(root: Path) -> None:
    table = np.full((256, 3), 255, np.uint8)
    table[:3] = PALETTE
    save(root / 'scribbles/b.png', table[strokes(1)])


def alpha(root: Path) -> None:
    labels = strokes(1)
    save(root / 'scribbles/b.png', np.stack([labels] * 4, axis=2))


def grey_alpha(root: Path) -> None:
    picture = Image.fromarray(strokes(1)).convert('LA')
    picture.save(root / 'scribbles/b.png')


def jpeg(root: Path) -> None:
    (root / 'scribbles/b.png').unlink()
    # One value all over, so that the loss does not show in the values.
    save(root / 'scribbles/b.jpg', np.full((12, 16), 2, np.uint8))


def wide(root: Path) -> None:
    labels = strokes(1).astype(np.uint16)
    labels[0, 0] = 300
    save(root / 'scribbles/b.png', labels)


def wide_without_need(root: Path) -> None:
    save(root / 'scribbles/b.png', strokes(1).astype(np.uint16))


def two_bits(root: Path) -> None:
    """Grey of two bits: Pillow, so LoadAnnotations, reads 1 as 85."""
    labels = strokes(1)
    labels[labels == 255] = 0
    rows = b''.join(
        b'\0' + bytes(
            row[k] << 6 | row[k + 1] << 4 | row[k + 2] << 2 | row[k + 3]
            for k in range(0, 16, 4)
        )
        for row in labels.tolist()
    )  # fmt: skip

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack('>I', zlib.crc32(name + data))
        return struct.pack('>I', len(data)) + name + data + check

    header = struct.pack('>IIBBBBB', 16, 12, 2, 0, 0, 0, 0)
    (root / 'scribbles/b.png').write_bytes(
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
    )  # fmt: skip


def mixed_up_palette(root: Path) -> None:
    """What a picture in colour becomes by convert('P')."""
    with_palette(root / 'scribbles/b.png', [2, 0, 1])


def other_size(root: Path) -> None:
    save(root / 'scribbles/b.png', strokes(1)[:, :-1])


def turned(root: Path) -> None:
    save(root / 'scribbles/b.png', strokes(1).T)


SICK: list[tuple[str, str, Callable[[Path], object], str]] = [
    ('unreadable', 'error',
     lambda root: truncate(root / 'scribbles/b.png'), ''),
    ('unreadable', 'error',
     lambda root: (root / 'scribbles/b.png').write_bytes(b''), 'no picture'),
    ('unreadable', 'error',
     lambda root: (root / 'scribbles/b.png').write_text('hello'),
     'no picture'),
    ('missing-label', 'error',
     lambda root: (root / 'scribbles/b.png').unlink(), ''),
    ('image-unreadable', 'error',
     lambda root: (root / 'images/b.jpg').write_bytes(b'no'), 'no image'),
    ('colour', 'error', colours, 'RGB, 3 channels, colours of the classes'),
    ('colour', 'error', alpha, 'RGBA, 4 channels, all with the same values'),
    ('colour', 'error', grey_alpha, 'LA, 2 channels'),
    ('lossy', 'error', jpeg, 'is a JPEG file'),
    ('wide', 'error', wide, 'uint16, values 0 to 300'),
    ('wide-values-fit', 'warning', wide_without_need, 'values 0 to 255'),
    ('low-bit-depth', 'error', two_bits, '2 bits a pixel: 1 is read as 85'),
    ('palette-order', 'error', mixed_up_palette,
     f'0 has the colour {PALETTE[2]} of class 2, and 2 more are mixed up'),
    ('size-mismatch', 'error', other_size,
     '15x12 pixels, its image 16x12'),
    ('size-mismatch', 'error', turned,
     '12x16 pixels, its image 16x12 (turned by a quarter)'),
]  # fmt: skip


def test_a_healthy_folder_has_no_findings(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    assert findings(root) == {}
    assert config_findings(config(root)) == {}


@pytest.mark.parametrize(('code', 'severity', 'hurt', 'detail'), SICK)
def test_a_bad_file_among_good_ones(
    code: str,
    severity: str,
    hurt: Callable[[Path], object],
    detail: str,
    tmp_path: Path,
) -> None:
    root = healthy(tmp_path)
    hurt(root)
    found = findings(root)
    assert set(found) == {code}
    finding = found[code]
    assert (finding.severity, finding.count) == (severity, 1)
    ((file, text),) = finding.files
    assert Path(file).stem == 'b'
    assert Path(file).parent.parent == root
    assert detail in text
    assert finding.mend
    # The other files are counted all the same.
    assert len(sick_labels.look(root).usable) >= 3


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.bmp'])
def test_truncated_images(suffix: str, tmp_path: Path) -> None:
    root = healthy(tmp_path)
    noise = cv2.imread(str(root / 'images/b.jpg'))
    (root / 'images/b.jpg').unlink()
    path = root / f'images/b{suffix}'
    assert cv2.imwrite(str(path), noise)
    assert findings(root) == {}
    truncate(path, 0.95)
    # Versions of OpenCV differ in what they make of such a file.
    lost = mmcv.imfrombytes(path.read_bytes()) is None
    found = one(
        findings(root), f'image-{"unreadable" if lost else "truncated"}'
    )
    assert found.severity == ('error' if lost else 'warning')
    # Pillow finds the truncated WebP itself.
    assert suffix == '.webp' or 'no end' in found.files[0][1]


def test_images_that_are_listed_and_missing(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    (root / 'list.txt').write_text('a\nb\ngone\n')
    save(root / 'scribbles/gone.png', strokes(7))
    found = config_findings(config(root, ann_file='list.txt'))
    assert set(found) == {'missing-image'}
    assert found['missing-image'].files == (
        (str(root / 'images/gone.jpg'), ''),
    )


@pytest.mark.parametrize(
    ('backend', 'codes'), [('pillow', set()), ('cv2', {'palette-misread'})]
)
def test_palettes_that_the_configs_loader_makes_colours_of(
    backend: str, codes: set[str], tmp_path: Path
) -> None:
    root = healthy(tmp_path)
    with_palette(root / 'scribbles/b.png', [0, 1, 2])
    loader = dict(type='LoadAnnotations', imdecode_backend=backend)
    found = config_findings(config(root, loader))
    assert set(found) == codes
    if codes:
        assert "imdecode_backend='pillow'" in found['palette-misread'].mend


def test_cv2_and_pillow_agree_on_grey_files(tmp_path: Path) -> None:
    loader = dict(type='LoadAnnotations', imdecode_backend='cv2')
    assert config_findings(config(healthy(tmp_path), loader)) == {}


def test_the_palette_of_the_classes_is_no_finding(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    with_palette(root / 'scribbles/b.png', [0, 1, 2])
    assert findings(root) == {}
