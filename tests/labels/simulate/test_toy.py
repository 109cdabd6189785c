"""The toy data set: what it holds, how it is made, what it may not tell."""

import json
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.simulate import image_rng, toy
from mmseg_sparse.labels.simulate.toy_scene import TEXTURES, SceneStyle, render

PALETTE = toy.PALETTE


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('toy') / 'data'
    assert toy.make_toy_dataset(out, num_train=6, num_val=3)
    return out


def test_folders_and_label_files(made: Path) -> None:
    assert sorted(files(made)) == sorted(
        [f'{kind}/train/train_{i:04d}.png' for i in range(6)
         for kind in ('images', 'masks', 'scribbles')]
        + [f'{kind}/val/val_{i:04d}.png' for i in range(3)
           for kind in ('images', 'masks')]
        + [toy.STAMP, toy.ANNOTATIONS]
    )  # fmt: skip
    for number in range(6):
        name = f'train/train_{number:04d}.png'
        with Image.open(made / 'masks' / name) as picture:
            assert picture.mode == 'P'
            assert picture.getpalette()[:21] == [*chain(*PALETTE)]
            mask = np.asarray(picture)
        strokes = np.asarray(Image.open(made / 'scribbles' / name))
        known = strokes != 255
        assert mask.max() < len(PALETTE)
        assert np.array_equal(strokes[known], mask[known])
        assert 0.01 < known.mean() < 0.15


def test_files_hold_the_sample(made: Path) -> None:
    image, mask, strokes = toy.toy_sample('train', 4)
    name = 'train/train_0004.png'
    for kind, array in (
        ('images', image), ('masks', mask), ('scribbles', strokes),
    ):  # fmt: skip
        assert np.array_equal(
            np.asarray(Image.open(made / kind / name)), array
        )


def test_strokes_come_back_from_the_annotation_file(
    made: Path, tmp_path: Path
) -> None:
    import_labels(
        'cvat', made / toy.ANNOTATIONS, tmp_path / 'labels',
        images=made / 'images/train', classes=make_classes(toy.CLASSES),
        options=ImportOptions(stroke_width=2.0),
    )  # fmt: skip
    for number in range(6):
        name = f'train_{number:04d}.png'
        drawn = np.asarray(Image.open(made / 'scribbles/train' / name))
        found = np.asarray(Image.open(tmp_path / 'labels' / name))
        both = (drawn != 255) & (found != 255)
        assert np.array_equal(drawn[both], found[both])
        assert both.sum() > 0.7 * (drawn != 255).sum()
        assert both.sum() > 0.7 * (found != 255).sum()


def test_a_data_set_without_the_annotation_file_is_made_again(
    made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made, tmp_path / 'old')
    (tmp_path / 'old' / toy.ANNOTATIONS).unlink()
    assert toy.make_toy_dataset(tmp_path / 'old', num_train=6, num_val=3)
    assert files(tmp_path / 'old') == files(made)


def test_dataset_reads_it(made: Path) -> None:
    dataset = DATASETS.build(
        dict(
            type='ToyShapesDataset',
            data_root=str(made),
            data_prefix=dict(
                img_path='images/train', seg_map_path='scribbles/train'
            ),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
            ],
        )
    )
    assert len(dataset) == 6
    assert dataset.metainfo['classes'] == ('background', *TEXTURES)
    assert len(TEXTURES) >= 5
    image, _, strokes = toy.toy_sample('train', 2)
    assert np.array_equal(dataset[2]['img'], image[..., ::-1])  # BGR
    assert np.array_equal(dataset[2]['gt_seg_map'], strokes)


def test_same_arguments_same_bytes_and_kept(
    made: Path, tmp_path: Path
) -> None:
    again = tmp_path / 'again'
    toy.make_toy_dataset(again, num_train=6, num_val=3)
    before = files(again)
    assert before == files(made)
    assert not toy.make_toy_dataset(again, num_train=6, num_val=3)
    assert files(again) == before


def test_a_sample_does_not_depend_on_the_others(made: Path) -> None:
    first = toy.toy_sample('train', 0)
    assert not np.array_equal(first[0], toy.toy_sample('val', 0)[0])
    assert not np.array_equal(first[0], toy.toy_sample('train', 1)[0])
    assert not np.array_equal(first[0], toy.toy_sample('train', 0, seed=1)[0])
    for one, other in zip(first, toy.toy_sample('train', 0), strict=True):
        assert np.array_equal(one, other)


def test_outdated_data_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / 'data'
    toy.make_toy_dataset(out, num_train=3, num_val=1)
    assert toy.make_toy_dataset(out, num_train=2, num_val=1)
    assert len(list((out / 'images/train').iterdir())) == 2
    stamp = json.loads((out / toy.STAMP).read_text())
    (out / toy.STAMP).write_text(json.dumps({**stamp, 'version': 0}))
    assert toy.make_toy_dataset(out, num_train=2, num_val=1)
    assert json.loads((out / toy.STAMP).read_text()) == stamp
    assert [path.name for path in tmp_path.iterdir()] == ['data']


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(FileExistsError, match=r'is not a toy data set'):
        toy.make_toy_dataset(tmp_path, num_train=1, num_val=1)
    assert files(tmp_path) == {'mine.txt': b'mine'}


def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'data'
    toy.make_toy_dataset(out, num_train=1, num_val=1)
    before = files(out)

    def fail(done: int, total: int) -> None:
        if done == 2:
            raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        toy.make_toy_dataset(out, num_train=3, num_val=1, progress=fail)
    assert files(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ['data']


def test_numbers_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'num_train .* got 0'):
        toy.make_toy_dataset(tmp_path / 'x', num_train=0)
    with pytest.raises(ValueError, match=r'num_val .* got -1'):
        toy.make_toy_dataset(tmp_path / 'x', num_val=-1)


def test_every_class_is_common() -> None:
    masks = np.stack(
        [render(np.random.default_rng(i), SceneStyle())[1] for i in range(80)]
    )
    share = np.bincount(masks.ravel(), minlength=7) / masks.size
    assert 0.3 < share[0] < 0.7
    assert (share[1:] > 0.03).all()


def test_size_is_the_styles() -> None:
    rng = np.random.default_rng(0)
    image, labels = render(rng, SceneStyle(size=48))
    assert image.shape == (48, 48, 3)
    assert labels.shape == (48, 48)


def colour_classifier(
    images: NDArray[np.uint8], masks: NDArray[np.uint8], num_train: int
) -> tuple[float, float]:
    """Guess classes from colour alone, by a smoothed 12x12x12 histogram.

    Returns the accuracy over the classes, each with equal weight, of the
    shapes' pixels (chance: 1/6); and the mIoU over all classes.
    """
    index = (images // 22).astype(int) @ np.array([144, 12, 1])
    counts = np.zeros((1728, 7))
    np.add.at(counts, (index[:num_train], masks[:num_train]), 1)
    likelihood = (counts + 1) / (counts.sum(0) + 1728)
    index, masks = index[num_train:], masks[num_train:]
    shapes = masks > 0
    guess = likelihood[index, 1:].argmax(-1) + 1
    recall = [
        (guess[shapes & (masks == value)] == value).mean()
        for value in range(1, 7)
    ]
    prior = counts.sum(0) / counts.sum()
    guess = (likelihood[index] * prior).argmax(-1)
    iou = [
        ((guess == value) & (masks == value)).sum()
        / ((guess == value) | (masks == value)).sum()
        for value in range(7)
    ]
    return float(np.mean(recall)), float(np.mean(iou))


def test_colour_alone_does_not_give_the_class_away() -> None:
    scenes = [
        render(image_rng(0, toy.sample_name('train', i)), SceneStyle())
        for i in range(160)
    ]
    images = np.stack([image for image, _ in scenes])
    masks = np.stack([mask for _, mask in scenes])
    recall, miou = colour_classifier(images, masks, 120)
    assert recall == pytest.approx(1 / 6, abs=0.04)
    assert miou < 0.14  # all background: 0.08
    # The classifier would find a tint of the classes.
    tint = 0.4 * (np.array(PALETTE) - 128.0)[masks]
    tinted = np.clip(images + tint, 0, 255).astype(np.uint8)
    assert colour_classifier(tinted, masks, 120)[0] > recall + 0.08
