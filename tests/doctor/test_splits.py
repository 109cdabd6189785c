"""The doctor compares a training set with its validation set."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmseg_sparse.doctor import diagnose, examine, from_config, from_folder
from mmseg_sparse.doctor.copies import find_copies, thumbnail
from tests.helpers.sick_labels import CLASSES, PALETTE, save

SIZE = (60, 80)


def scene(seed: int) -> np.ndarray:
    """Return a picture of a few rectangles, of 60 x 80 pixels."""
    rng = np.random.default_rng(seed)
    picture = np.full((*SIZE, 3), rng.integers(0, 255, 3), np.uint8)
    for _ in range(6):
        y, x = rng.integers(0, (45, 60))
        picture[y : y + 20, x : x + 30] = rng.integers(0, 255, 3)
    return picture


def write(root: Path, split: str, number: int, road: int = 4) -> None:
    """Write images, and masks of three columns: sky, tree, and road."""
    for index in range(number):
        path = root / f'images/{split}/{index}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), scene(index + 1000 * (split == 'val')))
        mask = np.zeros(SIZE, np.uint8)
        mask[:, 20:] = 1
        mask[:, 80 - road :] = 2
        mask[0, index % 80] = 0  # no two are equal
        save(root / f'masks/{split}/{index}.png', mask)
        labels = np.full(SIZE, 255, np.uint8)
        labels[10:12, index % 9 : 19] = 0
        labels[10 + index % 9, 21:78] = 1
        if road:
            labels[20:30, 80 - road] = 2
        save(root / f'scribbles/{split}/{index}.png', labels)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, 'train', 24)
    write(tmp_path, 'val', 22)
    return tmp_path


def codes(root: Path, **options: Any) -> dict[str, Any]:
    """Return the findings that compare the two sets."""
    data = from_folder(
        root / 'scribbles/train', classes=CLASSES, validation=True, **options
    )
    wanted = ('val-in-train', 'class-only-in-val', 'class-shares-differ',
              'class-never-labelled')  # fmt: skip
    found = diagnose(examine(data))
    assert all(f.mend for f in found)
    return {f.code: f for f in found if f.code in wanted}


def test_sets_that_are_alike(root: Path) -> None:
    assert codes(root) == codes(root, dense='') == {}


def jpeg(path: Path, picture: np.ndarray) -> None:
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 40])


@pytest.mark.parametrize('how', ['copied', 'scaled', 'saved again'])
def test_images_in_both_sets(how: str, root: Path) -> None:
    picture = cv2.imread(str(root / 'images/train/7.png'))
    path = root / 'images/val/3.png'
    if how == 'copied':
        assert cv2.imwrite(str(path), picture)
    elif how == 'scaled':
        assert cv2.imwrite(str(path), cv2.resize(
            picture, (123, 91), interpolation=cv2.INTER_CUBIC))  # fmt: skip
    else:
        path.unlink()
        path = path.with_suffix('.jpg')
        jpeg(path, picture)
    found = codes(root)
    assert set(found) == {'val-in-train'}
    finding = found['val-in-train']
    assert (finding.severity, finding.count) == ('warning', 1)
    assert finding.files == (
        (str(path), f'shows what {root}/images/train/7.png shows'),
    )


def test_pictures_that_show_nothing_are_no_copies(tmp_path: Path) -> None:
    paths = [str(tmp_path / f'{k}.png') for k in range(2)]
    for path in paths:
        assert cv2.imwrite(path, np.full((40, 40), 9, np.uint8))
    empty, other = map(thumbnail, paths)
    assert find_copies([empty], [other]) == []
    assert find_copies([None], []) == []
    assert thumbnail(str(tmp_path / 'none.png')) is None


def test_copies_are_the_nearest_of_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 200, (16, 16), np.uint8)
    one, two = small + np.uint8(1), small.copy()
    two[0, 0] += 9
    # RMS of 1 and of 9 / 16.
    assert find_copies([small, small[::-1]], [one, None, two]) == [(0, 2)]
    assert find_copies([small], [small + np.uint8(3)]) == []


def test_a_class_that_only_val_has(root: Path) -> None:
    write(root, 'train', 24, road=0)
    found = codes(root)
    assert set(found) == {'class-only-in-val'}
    finding = found['class-only-in-val']
    assert finding.severity == 'warning'
    assert 'road (5280 pixels in 22 images)' in finding.message


def test_shares_that_differ(root: Path) -> None:
    write(root, 'train', 24, road=1)
    # Of 80 columns one and four; rare classes must be worth a word.
    found = codes(root)['class-shares-differ']
    assert found.severity == 'note'
    assert 'shares of the pixels differ' in found.message
    assert found.message.endswith(': road 1.25 % and 5.00 %')
    assert 'ClassBalancedDataset' in found.mend
    # By the labels alone, as many images have the class.
    assert codes(root, dense='') == {}
    for index in range(18):
        path = root / f'scribbles/train/{index}.png'
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        labels[labels == 2] = 255
        save(path, labels)
    found = codes(root, dense='')['class-shares-differ']
    assert 'shares of the images differ' in found.message
    assert 'road 25.0 % and 100.0 %' in found.message
    assert 'this is a guess' in found.message


def test_a_config_names_both_sets(root: Path) -> None:
    write(root, 'train', 24, road=0)

    def loader(split: str) -> dict[str, Any]:
        return dict(dataset=dict(
            type='BaseSegDataset', data_root=str(root), img_suffix='.png',
            metainfo=dict(classes=CLASSES, palette=list(PALETTE)),
            data_prefix=dict(
                img_path=f'images/{split}', seg_map_path=f'masks/{split}'),
        ))  # fmt: skip

    cfg = dict(train_dataloader=loader('train'), val_dataloader=loader('val'))
    data = from_config(cfg, validation=True)
    assert 'class-only-in-val' in {f.code for f in diagnose(examine(data))}
    assert from_config(cfg).validation is None
    # Sets of different classes, or that cannot be read, are not compared.
    cfg['val_dataloader']['dataset']['data_root'] = 'nowhere'
    assert from_config(cfg, validation=True).validation is None
    del cfg['val_dataloader']
    assert from_config(cfg, validation=True).validation is None
