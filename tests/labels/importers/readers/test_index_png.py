"""Index PNGs: the real scribbles, written maps and broken files."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import index_png, shared
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import label_maps
from ....helpers.fuzzing import MODEST, fuzz_bytes


def save(path: Path, labels: NDArray, mode: str | None = None) -> Path:
    picture = Image.fromarray(labels)
    if mode == 'P':
        picture.putpalette(bytes(range(256)) * 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def painted(annotation: ImageAnnotation, unlabeled: int) -> NDArray:
    """Put the regions back on a map, each pixel at most once."""
    width, height = annotation.size
    labels = np.full((height, width), unlabeled)
    for region in annotation.shapes:
        x, y = region.origin
        h, w = region.pixels.shape
        box = labels[y : y + h, x : x + w]
        assert box.shape == (h, w)
        assert (box[region.pixels] == unlabeled).all()
        box[region.pixels] = int(region.label)
    return labels


def test_real_scribbles_agree_with_the_mask(data_root: Path) -> None:
    samples = data_root / 'voc_samples'
    annotations = list(index_png.read(samples / 'scribbles'))
    assert [a.image for a in annotations] == ['2007_000032', '2007_000033']
    assert [a.size for a in annotations] == [(500, 281), (500, 366)]
    agreement = []
    for annotation in annotations:
        mask, strokes = (
            np.asarray(
                Image.open(samples / folder / f'{annotation.image}.png')
            )
            for folder in ('masks', 'scribbles')
        )
        read = painted(annotation, 255)
        assert np.array_equal(read, strokes)
        known = (read != 255) & (mask != 255)  # void is no class
        agreement.append((read == mask)[known].mean())
    # Strokes are drawn by hand: 44 of 4270 and 6 of 4992 pixels disagree.
    assert agreement == pytest.approx([0.98970, 0.99880], abs=1e-5)
    assert [[r.label for r in a.shapes] for a in annotations] == [
        ['0', '1', '15'], ['0', '1'],
    ]  # fmt: skip


@given(
    label_maps(5, np.uint8).map(lambda a: np.where(a == 4, 255, a)),
    st.sampled_from([None, 'P']),
    st.sampled_from([255, 0, 3]),
)
@MODEST
def test_round_trip(
    tmp_path: Path, labels: NDArray, mode: str | None, unlabeled: int
) -> None:
    path = save(tmp_path / 'a.b.png', labels.astype(np.uint8), mode)
    (annotation,) = index_png.read(path, ignore_index=unlabeled)
    assert annotation.image == 'a.b'
    assert annotation.source == str(path)
    assert annotation.size == labels.shape[::-1]
    assert np.array_equal(painted(annotation, unlabeled), labels)
    values = [int(region.label) for region in annotation.shapes]
    assert values == sorted(set(labels.ravel().tolist()) - {unlabeled})


def test_sixteen_bits(tmp_path: Path) -> None:
    labels = np.array([[300, 65535], [0, 300]], np.uint16)
    path = save(tmp_path / 'a.png', labels)
    (annotation,) = index_png.read(path, ignore_index=65535)
    assert [r.label for r in annotation.shapes] == ['0', '300']
    assert np.array_equal(painted(annotation, 65535), labels)


def test_folders_name_images_and_regions_are_cut_out(tmp_path: Path) -> None:
    labels = np.full((6, 9), 255, np.uint8)
    labels[2:4, 5:8] = 3
    labels[2, 6] = 255
    save(tmp_path / 'ulm/b.png', labels)
    save(tmp_path / 'aachen/a.PNG', np.full((2, 2), 255, np.uint8))
    save(tmp_path / 'aachen/._a.png', labels)
    empty, full = index_png.read(tmp_path)
    assert (empty.image, empty.shapes, empty.size) == ('aachen/a', (), (2, 2))
    assert full.image == 'ulm/b'
    (region,) = full.shapes
    assert region.origin == (5, 2)
    assert region.pixels.tolist() == [[True, False, True], [True] * 3]
    assert region.entry == 'value 3'


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r'no \*\.png in the folder'):
        list(index_png.read(tmp_path))
    with pytest.raises(OSError, match='missing'):
        list(index_png.read(tmp_path / 'missing'))
    path = tmp_path / 'a.png'
    save(path, np.arange(27, dtype=np.uint8).reshape(3, 3, 3))
    with pytest.raises(FormatError, match=r'a\.png: .*indices.* 9 colours'):
        list(index_png.read(path))
    save(path, np.arange(300, dtype=np.uint16).reshape(15, 20))
    with pytest.raises(FormatError, match=r'a\.png: 299 different .* 256'):
        list(index_png.read(path))
    path.write_bytes(b'\xff\xd8 no PNG')
    with pytest.raises(FormatError, match=r'a\.png: not a PNG'):
        list(index_png.read(path))


def test_regions_that_fill_the_memory_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, 'MAX_TOTAL', 25)
    # Boxes of 4 (the row of 0), then 12, 6, 6 and 12 pixels.
    labels = np.array([[1, 2, 3, 4], [0] * 4, [4, 3, 2, 1]], np.uint8)
    path = save(tmp_path / 'a.png', labels)
    with pytest.raises(FormatError, match=r'a\.png: .* up to value 3, more'):
        list(index_png.read(path))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    shape = random.Random(seed).choice([(5, 8), (1, 90), (40, 30)])
    labels = np.random.default_rng(seed).integers(0, 9, shape, np.uint8)
    file = io.BytesIO()
    Image.fromarray(labels).save(file, format='PNG')
    fuzz_bytes(index_png.read, tmp_path / 'a.png', file.getvalue(), seed)


def test_names_with_a_suffix(tmp_path: Path) -> None:
    (tmp_path / 'x').mkdir()
    for name in ('a_mask', 'a_color', 'x/b_mask', '_mask'):
        Image.fromarray(np.zeros((1, 1), np.uint8)).save(
            tmp_path / f'{name}.png'
        )
    for suffix in ('_mask', '_mask.png'):
        read = index_png.read(tmp_path, suffix=suffix)
        assert [a.image for a in read] == ['_mask', 'a', 'x/b']
    with pytest.raises(FormatError, match=r'no \*_ids\.png in the folder'):
        list(index_png.read(tmp_path, suffix='_ids'))
