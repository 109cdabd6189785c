"""Whole images of a data set: the pipeline they go through, their names."""

import pytest
from mmengine.config import Config

from mmseg_sparse.pseudo_labels.whole_images import (
    whole_image_pipeline,
    whole_images,
)
from tests.helpers import generator_case as case


def steps(*names):
    return [dict(type=name) for name in names]


def test_own_steps_load_and_those_of_testing_resize():
    own = [
        *steps('LoadImageFromFile', 'LoadAnnotations', 'SimulateTags'),
        dict(type='LoadHeatmaps', root='own'),
        *steps('RandomFlip', 'mmseg_sparse.PackHeatmapInputs'),
    ]
    test = [
        *steps('LoadImageFromFile'),
        dict(type='LoadHeatmaps', root='test'),
        *steps('Resize', 'LoadSparseAnnotations', 'PackSegInputs'),
    ]
    found = whole_image_pipeline(own, test)
    assert [step['type'] for step in found] == [
        'LoadImageFromFile', 'LoadHeatmaps', 'Resize', 'LoadAnnotations',
        'SimulateTags', 'mmseg_sparse.PackHeatmapInputs',
    ]  # fmt: skip
    assert found[1]['root'] == 'own'
    bare = whole_image_pipeline(own, steps('LoadImageFromFile', 'Pack'))
    assert [step['type'] for step in bare] == [
        'LoadImageFromFile', 'LoadAnnotations', 'SimulateTags',
        'mmseg_sparse.PackHeatmapInputs',
    ]  # fmt: skip
    assert whole_image_pipeline([], test) == [*test[:3], test[4]]


def two_folders(root, other):
    parts = [
        dict(
            case.loader(folder, steps('LoadImageFromFile', 'PackSegInputs'))[
                'dataset'
            ]['dataset']
        )
        for folder in (root, other)
    ]
    joined = dict(type='ConcatDataset', datasets=parts)
    loader = dict(dataset=joined)
    return Config(dict(val_dataloader=loader, test_dataloader=loader))


def test_joined_data_sets_and_their_names(tmp_path):
    for name in 'ab':
        case.write_images(tmp_path / name)
    cfg = two_folders(tmp_path / 'a', tmp_path / 'b')
    with pytest.raises(ValueError, match=r'a/images/a/0\.png and .*b/images'):
        whole_images(cfg, 'val')
    with pytest.raises(ValueError, match=r"ann_file='x': .* joined of 2"):
        whole_images(cfg, 'val', ann_file='x')
    (tmp_path / 'b/list.txt').write_text('other dense')
    for kind in ('images', 'masks'):
        (tmp_path / f'b/{kind}/2.png').rename(tmp_path / f'b/{kind}/other.png')
    found = whole_images(cfg, 'val')
    assert [i.name for i in found.items] == [*case.IMAGES, 'other']
    assert found.roots == (
        str(tmp_path / 'a/images'), str(tmp_path / 'b/images')
    )  # fmt: skip
    assert found.items[-1].load()['inputs'].shape == (3, 33, 45)
    cfg.val_dataloader.dataset.datasets[1].classes = ['x']
    with pytest.raises(ValueError, match='joined of data sets with differe'):
        whole_images(cfg, 'val')
