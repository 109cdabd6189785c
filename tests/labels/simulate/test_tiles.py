"""Tiles of a dense data set: their pixels, their tags, and bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.datasets.sparse_seg import SparseSegDataset
from mmseg_sparse.labels import label_folder
from mmseg_sparse.labels.simulate.folder import FolderJob
from mmseg_sparse.labels.simulate.tiles import Tiling, tile_dataset

NAMES = ('ground', 'cat', 'dog')
SIZES = {'a.v1': (11, 17), 'deep/b': (6, 9), 'c': (12, 16)}


def job(**changes: object) -> FolderJob:
    options = dict(background=0, min_share=0.2)
    return FolderJob('tags', NAMES, options=options, **changes)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Images of noise; masks of three classes and void."""
    rng = np.random.default_rng(0)
    for name, (height, width) in SIZES.items():
        for kind, shape in (('images', (height, width, 3)),
                            ('masks', (height, width))):  # fmt: skip
            path = tmp_path / kind / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == 'masks':
                blocks = rng.choice([0, 1, 2, 255], (3, 4))
                pixels = np.kron(blocks, np.ones((4, 5)))
                pixels = pixels[:height, :width].astype(np.uint8)
            else:
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    return tmp_path


def cut(data: Path, tiling: Tiling, **kwargs: object) -> dict:
    return tile_dataset(
        kwargs.pop('job', job()), tiling, data / 'images', data / 'masks',
        data / 'out', **kwargs,
    )  # fmt: skip


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_boxes_by_hand() -> None:
    # 11 rows in tiles of 4: 0-4, 4-8 and a rest of 3
    ends = {
        'overlap': [(0, 4), (4, 8), (7, 11)],
        'keep': [(0, 4), (4, 8), (8, 11)],
        'drop': [(0, 4), (4, 8)],
    }
    for edges, rows in ends.items():
        boxes = Tiling(4, 10, edges).boxes(11, 10)
        assert boxes == [(top, 0, bottom, 10) for top, bottom in rows]
    assert Tiling(4, 5).boxes(3, 10) == [(0, 0, 3, 5), (0, 5, 3, 10)]
    assert Tiling(4, 5, 'drop').boxes(3, 10) == []
    assert Tiling(4, 5).boxes(4, 5) == [(0, 0, 4, 5)]


@pytest.mark.parametrize('edges', ['overlap', 'keep', 'drop'])
def test_tiles_are_the_pixels_of_their_boxes(data: Path, edges: str) -> None:
    made = cut(data, Tiling(5, 6, edges))
    assert made == json.loads((data / 'out/labels.json').read_text())
    covered = {name: np.zeros(size, int) for name, size in SIZES.items()}
    for tile, info in made['images'].items():
        name = info['source'].removesuffix('.png')
        left, top, right, bottom = info['box']
        box = (slice(top, bottom), slice(left, right))
        assert tile == f'{name}_{top}_{left}'
        assert info['size'] == [right - left, bottom - top]
        for kind in ('images', 'masks'):
            whole = read(data / kind / f'{name}.png')
            part = read(data / 'out' / kind / f'{tile}.png')
            assert np.array_equal(part, whole[box])
        labels = read(data / 'masks' / f'{name}.png')[box]
        assert (labels != 255).any()
        share = {n: (labels == i).mean() for i, n in enumerate(NAMES)}
        expected = [n for n in NAMES[1:] if share[n] >= 0.2]
        assert info['tags'] == expected
        covered[name][box] += 1
    names = {p.relative_to(data / 'out/masks').with_suffix('').as_posix()
             for p in (data / 'out/masks').rglob('*.png')}  # fmt: skip
    assert names == set(made['images'])
    for name, count in covered.items():
        known = read(data / 'masks' / f'{name}.png') != 255
        if edges == 'keep':
            assert (count[known] == 1).all()
        elif edges == 'overlap':
            assert (count[known] >= 1).all()
        else:
            assert count.max() == 1
            height, width = count.shape
            assert not count[height // 5 * 5 :].any()
            assert not count[:, width // 6 * 6 :].any()


def test_the_data_set_reads_the_tags_alone(data: Path) -> None:
    made = cut(data, Tiling(5, 6))
    found = SparseSegDataset(
        classes=NAMES,
        data_root=str(data / 'out'),
        data_prefix=dict(img_path='images'),
        ann_file='labels.json',
        img_suffix='.png',
        background=0,
        pipeline=[],
    )
    assert len(found) == len(made['images'])
    for item, info in zip(found, made['images'].values(), strict=True):
        hot = [float(name in info['tags']) for name in NAMES[1:]]
        assert item['gt_label'].tolist() == hot
        assert item['supervision'] == 'tag'
        assert 'seg_map_path' not in item
        assert Path(item['img_path']).is_file()


def test_masks_of_another_numbering(data: Path) -> None:
    path = data / 'masks/c.png'
    Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8)).save(path)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(data / 'images/c.png')
    for other in ('a.v1', 'deep/b'):
        (data / f'masks/{other}.png').unlink()
    made = cut(data, Tiling(2, 2), job=job(reduce_zero_label=True))
    assert read(data / 'out/masks/c_0_0.png').tolist() == [[255, 0], [1, 2]]
    assert made['images']['c_0_0']['tags'] == ['cat', 'dog']
    assert read(data / 'out/images/c_0_0.png').ndim == 2  # grey stays


def test_all_or_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / 'images/deep/b.png').unlink()
    with pytest.raises(ValueError, match=r'deep/b\.png: no image of the name'):
        cut(data, Tiling(5, 6))
    assert sorted(p.name for p in data.iterdir()) == ['images', 'masks']

    Image.fromarray(np.zeros((6, 8), np.uint8)).save(
        data / 'images/deep/b.png'
    )
    with pytest.raises(ValueError, match=r'is 9x6 pixels, the image .* 8x6'):
        cut(data, Tiling(5, 6))
    (data / 'images/deep/b.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'b\.png: no readable image'):
        cut(data, Tiling(5, 6))
    Image.fromarray(np.zeros((6, 9), np.uint8)).save(
        data / 'images/deep/b.png'
    )

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(label_folder, 'write_sidecar', fail)
        with pytest.raises(KeyboardInterrupt):
            cut(data, Tiling(5, 6))
    assert sorted(p.name for p in data.iterdir()) == ['images', 'masks']


def test_overwrites_its_own_alone(data: Path) -> None:
    cut(data, Tiling(5, 6))
    with pytest.raises(FileExistsError, match='name another folder'):
        cut(data, Tiling(4, 4))
    cut(data, Tiling(4, 4), overwrite=True)
    assert (data / 'out/masks/c_8_12.png').is_file()
    assert not (data / 'out/masks/c_5_6.png').exists()
    (data / 'out/masks/mine.txt').touch()
    with pytest.raises(FileExistsError, match=r'does not name .*mine\.txt'):
        cut(data, Tiling(5, 6), overwrite=True)


@pytest.mark.parametrize(
    ('tiling', 'words'),
    [
        (dict(height=0, width=3), 'at least one pixel, got 0x3'),
        (dict(height=2, width=3, edges='pad'), "overlap, keep, drop, got 'p"),
    ],
)
def test_refuses_tilings(tiling: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Tiling(**tiling)


def test_refuses_folders(data: Path) -> None:
    for out in ('masks/out', 'images', '.'):
        with pytest.raises(ValueError, match='the folder'):
            tile_dataset(
                job(), Tiling(2, 2), data / 'images', data / 'masks',
                data / out,
            )  # fmt: skip
    with pytest.raises(FileNotFoundError, match=r'no \*_ids\.png in it'):
        cut(data, Tiling(2, 2), suffix='_ids.png')
    with pytest.raises(ValueError, match='no tile of 3 masks has a label'):
        cut(data, Tiling(50, 50, 'drop'))
