"""Simulated labels for folders: the same for any number of workers."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_sparse.labels import simulate
from mmseg_sparse.labels.simulate.folder import FolderJob, simulate_folder

from ...helpers.files import contents
from ...helpers.masks import blobs, write_masks

NAMES = ('a', 'b', 'c', 'd', 'e')


@pytest.fixture(scope='module')
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_masks(tmp_path_factory.mktemp('data') / 'masks')


def test_workers_change_no_byte(masks: Path, tmp_path: Path) -> None:
    job = FolderJob('scribbles', NAMES, options=dict(seed=5, noise=0.2))
    seen: list[tuple[int, int]] = []
    simulate_folder(
        job, masks, tmp_path / 'a', progress=lambda *now: seen.append(now)
    )
    simulate_folder(job, masks, tmp_path / 'b', workers=2)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    assert len(contents(tmp_path / 'a')) == 13
    assert seen == [(done, 12) for done in range(1, 13)]


@pytest.mark.parametrize('kind', ['points', 'blocks', 'shrink', 'drop'])
def test_labels_are_those_of_the_function(
    kind: str, masks: Path, tmp_path: Path
) -> None:
    options = dict(ratio=0.4) if kind in ('shrink', 'drop') else {}
    job = FolderJob(kind, NAMES, options=dict(seed=1, **options))
    made = simulate_folder(job, masks, tmp_path / 'out')
    function = getattr(
        simulate,
        f'simulate_{kind}' if not options else f'{kind}_scribbles',
    )
    for number, name in ((0, 'deep/0.v1'), (3, '3')):
        expected = function(
            blobs(number), seed=1, image_id=Path(name).name, **options
        )
        picture = Image.open(tmp_path / 'out' / f'{name}.png')
        assert picture.mode == 'P'
        assert np.array_equal(np.array(picture), expected)
        info = made['images'][name]
        assert info['labeled_pixels'] == (expected != 255).sum()
        assert info['size'] == [140, 90]


def test_bad_masks_are_named_and_leave_nothing(tmp_path: Path) -> None:
    masks, out = tmp_path / 'masks', tmp_path / 'out'
    masks.mkdir()
    job = FolderJob('points', NAMES, options=dict(seed=0))
    with pytest.raises(FileNotFoundError, match=r'masks: no \*.png in it'):
        simulate_folder(job, masks, out)
    Image.fromarray(blobs(0)).save(masks / 'a.png')
    bad = blobs(1)
    bad[30, 7] = 77
    wrong = {
        r'b.png: row 30, column 7: value 77 is not a class .* 1 such': bad,
        r'b.png: expected a PNG of class indices .* RGB': np.zeros(
            (9, 9, 3), np.uint8
        ),
        r'b.png: value 300 is above 255': np.full((9, 9), 300, np.uint16),
    }
    for message, array in wrong.items():
        Image.fromarray(array).save(masks / 'b.png')
        for workers in (0, 1):
            with pytest.raises(ValueError, match=message):
                simulate_folder(job, masks, out, workers=workers)
    (masks / 'b.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match=r'b.png: not a PNG'):
        simulate_folder(job, masks, out)
    assert [path.name for path in tmp_path.iterdir()] == ['masks']


def test_void_and_zero_label_are_translated(tmp_path: Path) -> None:
    masks = tmp_path / 'masks'
    masks.mkdir()
    labels = blobs(0)[10:, 10:]
    Image.fromarray(labels + 1).save(masks / 'x.png')  # 1 to 5
    expected = simulate.simulate_blocks(labels, seed=0, image_id='x')
    job = FolderJob('blocks', NAMES, reduce_zero_label=True,
                    options=dict(seed=0))  # fmt: skip
    simulate_folder(job, masks, tmp_path / 'out')
    made = np.array(Image.open(tmp_path / 'out' / 'x.png'))
    assert np.array_equal(made, expected)
    job = FolderJob(
        'blocks', (*NAMES, 'f'), void=3, options=dict(seed=0, share=1.0)
    )
    simulate_folder(job, masks, tmp_path / 'void')
    made = np.array(Image.open(tmp_path / 'void' / 'x.png'))
    assert set(np.unique(made)) == {1, 2, 4, 5, 255}


def test_bad_jobs_are_named(masks: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    for message, job in (
        ('kind must be one of scribbles, .* got', FolderJob('lines', NAMES)),
        ('expected 1 to 255 classes, got 0', FolderJob('tags', ())),
        (
            'expected 5 colours, .* got 1',
            FolderJob('tags', NAMES, ((1, 2, 3),)),
        ),
        ('void .* got 256', FolderJob('tags', NAMES, void=256)),
        ('ratio', FolderJob('drop', NAMES, options=dict(ratio=2, seed=0))),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_folder(job, masks, out)
    with pytest.raises(TypeError, match='seed'):
        simulate_folder(FolderJob('points', NAMES), masks, out)
    job = FolderJob('tags', NAMES)
    with pytest.raises(ValueError, match=r'lies in the folder .*/masks$'):
        simulate_folder(job, masks, masks / 'out')
    with pytest.raises(ValueError, match=r'workers .* got -1'):
        simulate_folder(job, masks, out, workers=-1)
    assert not out.exists()


def test_random_numbers_are_the_same_in_every_process() -> None:
    crc = zlib.crc32(b'x')
    expected = np.random.default_rng([3, crc]).random()
    assert simulate.image_rng(3, 'x').random() == expected
    other = np.random.default_rng([3, crc, zlib.crc32(b'noise')]).random()
    assert simulate.image_rng(3, 'x', 'noise').random() == other


def test_suffix_leaves_other_files_alone(tmp_path: Path) -> None:
    masks = tmp_path / 'masks'
    masks.mkdir()
    blob = blobs(3)
    assert cv2.imwrite(str(masks / 'a_ids.png'), blob)
    colour = np.zeros((*blob.shape, 3), np.uint8)
    assert cv2.imwrite(str(masks / 'a_color.png'), colour)
    job = FolderJob('points', NAMES, options=dict(seed=1))
    with pytest.raises(ValueError, match=r'a_color\.png'):
        simulate_folder(job, masks, tmp_path / 'out')
    simulate_folder(job, masks, tmp_path / 'out', suffix='_ids.png')
    assert set(contents(tmp_path / 'out')) == {'a_ids.png', 'labels.json'}
    made = np.asarray(Image.open(tmp_path / 'out' / 'a_ids.png'))
    # The points of the image a.jpg, as the pipeline draws them.
    wanted = simulate.simulate_points(blob, seed=1, image_id='a')
    assert np.array_equal(made, wanted)
    with pytest.raises(ValueError, match=r"end in '\.png', got '\.jpg'"):
        simulate_folder(job, masks, tmp_path / 'no', suffix='.jpg')
    with pytest.raises(FileNotFoundError, match=r'no \*_x.png in it'):
        simulate_folder(job, masks, tmp_path / 'no', suffix='_x.png')


def test_cityscapes_images_and_masks_are_called_differently(
    tmp_path: Path,
) -> None:
    blob = blobs(2)
    place, name = 'train/ulm', 'ulm_000000_000019'
    for kind, ending, picture in (
        ('gtFine', 'gtFine_labelTrainIds', blob),
        ('leftImg8bit', 'leftImg8bit', np.zeros((*blob.shape, 3))),
    ):
        folder = tmp_path / kind / place
        folder.mkdir(parents=True)
        assert cv2.imwrite(str(folder / f'{name}_{ending}.png'), picture)
    dataset = DATASETS.build(
        dict(
            type='CityscapesDataset',
            data_root=str(tmp_path),
            data_prefix=dict(
                img_path='leftImg8bit/train', seg_map_path='gtFine/train'
            ),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type='SimulatePoints', seed=1, per_region=2),
            ],
        )
    )
    job = FolderJob('points', dataset.metainfo['classes'],
                    options=dict(seed=1, per_region=2),
                    img_suffix='_leftImg8bit.png')  # fmt: skip
    suffix = '_gtFine_labelTrainIds.png'
    simulate_folder(
        job, tmp_path / 'gtFine/train', tmp_path / 'out', suffix=suffix
    )
    made = Image.open(tmp_path / 'out/ulm' / f'{name}{suffix}')
    assert np.array_equal(made, dataset[0]['gt_seg_map'])


@pytest.mark.parametrize('suffix', ['', '.jpg', '.tif'])
def test_the_type_of_images_changes_nothing(
    suffix: str, masks: Path, tmp_path: Path
) -> None:
    job = FolderJob('points', NAMES, options=dict(seed=5), img_suffix=suffix)
    simulate_folder(job, masks, tmp_path / 'out')
    made = np.asarray(Image.open(tmp_path / 'out/3.png'))
    wanted = simulate.simulate_points(blobs(3), seed=5, image_id='3')
    assert np.array_equal(made, wanted)
