"""The VOC12 configs read real ScribbleSup files over VOC's folders."""

import numpy as np
import pytest
from mmengine.runner import set_random_seed
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from tests.helpers.shipped import LEAVES, parse

NAME = 'ce_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512'
IMAGES = ('2007_000032', '2007_000033')


@pytest.fixture
def voc(data_root, tmp_path):
    samples = data_root / 'voc_samples'
    if not samples.is_dir():
        pytest.skip(f'no data: {samples}')
    for name, source in (
        ('JPEGImages', 'images'),
        ('ScribbleAug', 'scribbles'),
        ('SegmentationClass', 'masks'),
    ):
        (tmp_path / name).symlink_to((samples / source).resolve())
    splits = tmp_path / 'ImageSets' / 'Segmentation'
    splits.mkdir(parents=True)
    for split in ('trainaug', 'val'):
        (splits / f'{split}.txt').write_text('\n'.join(IMAGES))
    (leaf,) = (leaf for leaf in LEAVES if leaf.stem == NAME)
    cfg = parse(leaf)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(tmp_path)
    return cfg, samples


def test_training_keeps_classes_and_leaves_padding_to_the_model(voc):
    cfg, samples = voc
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 2
    model = MODELS.build(cfg.model.data_preprocessor)
    set_random_seed(0)
    ratios = []
    for index in range(20):
        name = IMAGES[index % 2]
        with Image.open(samples / 'scribbles' / f'{name}.png') as strokes:
            classes = {*np.unique(strokes)}
        item = dataset[index % 2]
        sample = item['data_samples']
        height, width = sample.img_shape
        assert item['inputs'].shape == (3, height, width)
        assert height <= 512
        assert width <= 512
        labels = sample.gt_sem_seg.data
        assert {*labels.unique().tolist()} <= classes
        assert (labels == 255).float().mean() > 0.9
        ratios.append(sample.scale_factor[0])
        batch = model(
            {'inputs': [item['inputs']], 'data_samples': [sample]}, True
        )
        assert batch['inputs'].shape == (1, 3, 512, 512)
        padded = batch['data_samples'][0]
        assert padded.img_shape == (height, width)
        assert (padded.gt_sem_seg.data[:, height:] == 255).all()
        assert (padded.gt_sem_seg.data[:, :, width:] == 255).all()
    assert min(ratios) >= 0.49
    assert max(ratios) <= 2.0
    assert max(ratios) - min(ratios) > 1


def test_validation_reads_masks_at_the_images_own_size(voc):
    cfg, samples = voc
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    for index, name in enumerate(IMAGES):
        with Image.open(samples / 'masks' / f'{name}.png') as image:
            mask = np.asarray(image)
        item = dataset[index]
        assert item['inputs'].shape[1:] == mask.shape
        labels = item['data_samples'].gt_sem_seg.data[0]
        np.testing.assert_array_equal(labels.numpy(), mask)
