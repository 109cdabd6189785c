"""Heat maps move as the image does, pixel by pixel."""

import random

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_sparse.labels import write_heatmaps

HEIGHT, WIDTH, CLASSES = 37, 50, 9


def item(seed=0, maps=5):
    """Noise; each map is a channel of the image, by 1/255 as bright."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    labels = np.full((HEIGHT, WIDTH), 255, np.uint8)
    known = rng.random(labels.shape) < 0.2
    labels[known] = image[..., 0][known] // 86
    channels = np.arange(maps) % 3
    return dict(
        img=image,
        img_path='x.jpg',
        img_shape=image.shape[:2],
        ori_shape=image.shape[:2],
        gt_seg_map=labels,
        seg_fields=['gt_seg_map'],
        heatmap=image[..., channels].astype(np.float32) / 255,
        heatmap_classes=np.arange(maps) + 1,
        heatmap_num_classes=CLASSES,
        heatmap_moves=(None, (1.0, 1.0)),
    )


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def scales(name):
    return dict(type=name, scale=(60, 45), ratio_range=(0.5, 2.0))


GEOMETRIC = {
    'resize': [dict(type='Resize', scale=(71, 40), keep_ratio=False)],
    'smaller': [dict(type='Resize', scale=(31, 20), keep_ratio=True)],
    'random-resize': [dict(scales('RandomResize'), keep_ratio=True)],
    'choice': [
        dict(type='RandomChoiceResize', scales=[(90, 40), (33, 28)],
             resize_type='Resize')
    ],
    'crop': [dict(type='RandomCrop', crop_size=(17, 23), cat_max_ratio=0.4)],
    'flip': [dict(type='RandomFlip', prob=0.5)],
    'flip-vertical': [
        dict(type='RandomFlip', prob=0.7, direction=['vertical', 'horizontal'])
    ],
    'rotate': [dict(type='RandomRotate', prob=0.9, degree=40)],
    'pad': [dict(type='Pad', size=(60, 70), pad_val=dict(img=0, seg=255))],
    'sparse-resize': [dict(type='SparseResize', scale=(31, 20))],
    'sparse-random-resize': [dict(scales('SparseRandomResize'))],
    'sparse-crop': [
        dict(type='SparseRandomCrop', crop_size=(17, 23), cat_max_ratio=0.4)
    ],
    'sparse-rotate': [dict(type='SparseRandomRotate', prob=0.9, degree=40)],
    'all': [
        dict(scales('SparseRandomResize'), keep_ratio=True),
        dict(type='SparseRandomCrop', crop_size=(16, 24), cat_max_ratio=0.4),
        dict(type='RandomFlip', prob=0.5),
    ],
}  # fmt: skip


def move(*configs):
    return TRANSFORMS.build(dict(type='MoveHeatmaps', transforms=configs))


@pytest.mark.parametrize('name', GEOMETRIC)
@pytest.mark.parametrize('maps', [0, 1, 5])
def test_image_labels_and_heat_map_move_together(name, maps):
    stock = [TRANSFORMS.build(dict(cfg)) for cfg in GEOMETRIC[name]]
    together = move(*GEOMETRIC[name])
    changed = 0
    for seed in range(5):
        seed_all(seed)
        wanted = item(maps=maps)
        for transform in stock:
            wanted = transform(wanted)
        ends = random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        seed_all(seed)
        found = together(item(maps=maps))
        # the image and the labels are the stock ones, and so is what is
        # drawn afterwards
        assert ends == (
            random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        )  # fmt: skip
        for key in ('img', 'gt_seg_map'):
            assert np.array_equal(found[key], wanted[key])
        for key in ('img_shape', 'flip', 'scale_factor'):
            assert found.get(key) == wanted.get(key)
        # each map is its channel of the image, which is rounded to bytes
        channels = found['img'][..., np.arange(maps) % 3] / 255
        assert found['heatmap'].shape == channels.shape
        assert found['heatmap'].dtype == np.float32
        if maps:
            error = np.abs(found['heatmap'] - channels).max()
            assert error < 1.6 / 255
        changed += not np.array_equal(found['img'], item()['img'])
    assert changed >= 2


def test_inputs_are_not_changed():
    given = item()
    arrays = {key: given[key] for key in ('heatmap', 'img', 'gt_seg_map')}
    move(*GEOMETRIC['all'])(given)
    for key, array in arrays.items():
        assert np.array_equal(array, item()[key])


def test_a_sample_without_heat_maps_is_transformed_as_ever():
    given = item()
    for key in [key for key in given if key.startswith('heatmap')]:
        del given[key]
    found = move(*GEOMETRIC['smaller'])(given)
    assert found['img'].shape[:2] == found['gt_seg_map'].shape
    assert 'heatmap' not in found


class OwnNumbers(BaseTransform):
    """Crops as it likes, each time otherwise."""

    width = 5

    def transform(self, results):
        self.width += 1
        results['img'] = results['img'][:, : self.width]
        return results


def test_what_cannot_move_alike_is_refused():
    with pytest.raises(ValueError, match='PhotoMetricDistortion in MoveHeat'):
        move(dict(type='PhotoMetricDistortion'))
    transform = move(dict(type='RandomFlip', prob=0.0))
    transform.transforms.append(OwnNumbers())
    with pytest.raises(ValueError, match=r'x\.jpg: a transform in MoveHeatma'):
        transform(item())


def pack(results, **options):
    packer = TRANSFORMS.build(dict(type='PackHeatmapInputs', **options))
    return packer(results)['data_samples']


def test_packs_maps_of_all_classes():
    given = item(maps=2)
    given['heatmap_classes'] = np.array([7, 2])
    found = pack(given, num_classes=4, background=0)
    data = found.heatmap.data
    assert data.shape == (CLASSES, HEIGHT, WIDTH)
    assert data.dtype == torch.float32
    maps = torch.from_numpy(given['heatmap'])
    assert torch.equal(data[7], maps[..., 0])
    assert torch.equal(data[2], maps[..., 1])
    assert data.sum() == pytest.approx(maps.sum().item(), rel=1e-5)
    assert found.gt_label.shape == (3,)


@pytest.mark.parametrize('name', ['resize', 'crop', 'flip', 'all'])
def test_moving_the_image_alone_is_noticed(name):
    results = item()
    seed_all(1)
    for cfg in GEOMETRIC[name]:
        results = TRANSFORMS.build(dict(cfg, **(
            dict(prob=1.0) if 'prob' in cfg else {}
        )))(results)  # fmt: skip
    with pytest.raises(ValueError, match=r'x\.jpg: .* into MoveHeatmaps'):
        pack(results)
    with pytest.raises(ValueError, match=r'no heat maps: put LoadHeatmaps'):
        pack({k: v for k, v in item().items() if k != 'heatmap'})


def load(results, root, **options):
    cfg = dict(type='LoadHeatmaps', root=str(root), **options)
    return TRANSFORMS.build(cfg)(results)


def fresh():
    return {k: v for k, v in item().items() if not k.startswith('heatmap')}


def test_loads_what_was_written_and_checks_it(tmp_path):
    maps = item()['heatmap'].transpose(2, 0, 1)
    classes = [3, 1, 2, 0, 8]
    write_heatmaps(tmp_path / 'x.npz', maps, classes, num_classes=CLASSES)
    found = load(fresh(), tmp_path)
    assert found['heatmap_classes'].tolist() == [0, 1, 2, 3, 8]
    wanted = maps[[3, 1, 2, 0, 4]].transpose(1, 2, 0)
    assert np.allclose(found['heatmap'], wanted, atol=5e-4)
    data = pack(found).heatmap.data
    assert np.allclose(data[classes], maps, atol=5e-4)
    elsewhere = dict(fresh(), heatmap_path=str(tmp_path / 'x.npz'))
    assert 'heatmap' in load(elsewhere, 'nowhere')
    with pytest.raises(ValueError, match=r'x\.npz: .* 9 classes, expected 4'):
        load(dict(fresh(), num_classes=4), tmp_path)
    with pytest.raises(ValueError, match=r'9 classes, expected 21'):
        load(fresh(), tmp_path, num_classes=21)
    with pytest.raises(FileNotFoundError, match=r'no heat maps of a/y\.jpg'):
        load(dict(fresh(), img_path='a/y.jpg'), tmp_path)
    flipped = dict(fresh(), flip=True, flip_direction='horizontal')
    for moved in (dict(fresh(), ori_shape=(9, 9)), flipped):
        with pytest.raises(ValueError, match='before what resizes, crops or'):
            load(moved, tmp_path)
    write_heatmaps(tmp_path / 'x.npz', maps[:, 1:], classes, num_classes=9)
    with pytest.raises(ValueError, match='is 50x36 pixels, its image 50x37'):
        load(fresh(), tmp_path)
    with pytest.raises(ValueError, match='put it after LoadImageFromFile'):
        load(dict(img_path='x.jpg'), tmp_path)


def test_augmented_testing_moves_them_too():
    scales = [dict(type='Resize', scale=s) for s in ((50, 37), (80, 60))]
    flips = [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)]
    moved = [
        [dict(type='MoveHeatmaps', transforms=[cfg]) for cfg in configs]
        for configs in (scales, flips)
    ]
    pipeline = dict(
        type='TestTimeAug',
        transforms=[*moved, [dict(type='PackHeatmapInputs')]],
    )
    found = TRANSFORMS.build(pipeline)(item())
    seen = set()
    for image, sample in zip(*found.values(), strict=True):
        wanted = image[np.arange(5) % 3].float() / 255
        data = sample.heatmap.data[1:6]
        assert (data - wanted).abs().max() < 1.6 / 255
        seen.add((sample.metainfo['flip'], tuple(data.shape[1:])))
    assert len(seen) == 4
