"""Digest and labelled share of the labels that a config trains on."""

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_sparse.benchmark import training_labels
from mmseg_sparse.benchmark.training_labels import TrainingLabels


@pytest.fixture
def config(tmp_path):
    """Two images with a region each: 600 of 1200 and 300 of 800 pixels."""
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for name, shape, known in (('a', (30, 40), 600), ('b', (20, 40), 300)):
        labels = np.full(shape, 255, np.uint8)
        labels.flat[:known] = 1
        Image.fromarray(labels).save(tmp_path / f'masks/{name}.png')
        Image.new('RGB', shape[::-1]).save(tmp_path / f'images/{name}.jpg')

    def make(*steps, **more):
        dataset = dict(
            type='CamVidDataset',
            data_root=str(tmp_path),
            data_prefix=dict(img_path='images', seg_map_path='masks'),
            pipeline=[
                dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
                *steps, dict(type='RandomFlip', prob=1.0),
                dict(type='PackSegInputs'),
            ],
        )  # fmt: skip
        return Config(dict(train_dataloader=dict(dataset=dataset | more)))

    return make


def test_share_of_what_is_loaded_or_simulated(config):
    assert TrainingLabels(config()).share() == pytest.approx(100 * 900 / 2000)
    points = config(dict(type='SimulatePoints', seed=0))
    assert TrainingLabels(points).share() == pytest.approx(100 * 2 / 2000)
    twice = config()
    dataset = twice.train_dataloader.dataset
    twice.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[dataset, dataset]
    )
    assert TrainingLabels(twice).share() == pytest.approx(45)


def test_images_with_tags_alone_count_with_all_their_pixels(config, tmp_path):
    (tmp_path / 'list.txt').write_text('a tag dog\nb scribble\n')
    tags = config(
        type='SparseSegDataset',
        classes=('cat', 'dog'),
        ann_file='list.txt',
        pipeline=[dict(type='LoadSparseAnnotations')],
    )
    assert TrainingLabels(tags).share() == pytest.approx(100 * 300 / 2000)


def test_a_digest_is_of_the_labels(config, tmp_path):
    def digest(**more):
        training_labels._digest.cache_clear()
        return TrainingLabels(config(**more)).digest()

    first = digest()
    assert digest(pipeline=[dict(type='LoadAnnotations')]) == first
    labels = np.full((30, 40), 2, np.uint8)
    Image.fromarray(labels).save(tmp_path / 'masks/a.png')
    second = digest()
    assert second != first
    (tmp_path / 'images/a.jpg').rename(tmp_path / 'images/c.jpg')
    (tmp_path / 'masks/a.png').rename(tmp_path / 'masks/c.png')
    assert digest() not in (first, second)
    with pytest.raises(FileNotFoundError):
        digest(data_root='gone')
