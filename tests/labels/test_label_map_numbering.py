"""What the values of label files mean: the file's say, or the dataset's."""

import numpy as np
import pytest
from mmseg.registry import DATASETS

from mmseg_sparse.datasets.benchmarks import (
    SparseADE20KDataset,
    SparseCityscapesDataset,
)
from mmseg_sparse.labels.simulate.folder import FolderJob, simulate_folder
from tests.helpers.own_data import (
    build,
    label_map,
    make,
    write_image,
    write_labels,
    write_sidecar,
)

LOAD = [
    dict(type='LoadImageFromFile'), dict(type='LoadSparseAnnotations'),
]  # fmt: skip
ULM = 'ulm/ulm_000000_000019'


def row(dataset, index=0):
    """Return the first labels of an image."""
    return dataset[index]['gt_seg_map'][0, :5].tolist()


def write_row(path, *values):
    write_labels(path, label_map(*((0, i, v) for i, v in enumerate(values))))


def test_numbering_of_the_dataset(tmp_path):
    make(tmp_path)
    write_row(tmp_path / 'scribbles' / 'b.png', 0, 7, 8)
    (tmp_path / 'train.txt').write_text('b')
    numbers = {0: 255, 7: 2, 8: 1}
    dataset = build(tmp_path, pipeline=LOAD, label_map=numbers)
    assert row(dataset) == [255, 2, 1, 255, 255]
    dataset = build(tmp_path, pipeline=LOAD, reduce_zero_label=True)
    with pytest.raises(ValueError, match=r'b\.png: 2 pixels .* 7, 8, which'):
        dataset[0]
    dataset = build(tmp_path, pipeline=LOAD, ignore_index=0, label_map=[1] * 9)
    assert row(dataset) == [255, 1, 1, 255, 255]


@pytest.fixture
def ade(tmp_path):
    for name in ('a', 'b'):
        write_image(tmp_path / 'images' / f'{name}.jpg')
        write_row(tmp_path / 'masks' / f'{name}.png', 0, 1, 150)
        write_row(tmp_path / 'blocks' / f'{name}.png', 0, 1, 149)
    (tmp_path / 'list.txt').write_text('a dense\nb block')
    return dict(
        type='SparseADE20KDataset', data_root=str(tmp_path),
        data_prefix=dict(
            img_path='images', seg_map_path='masks', block='blocks'
        ),
        ann_file='list.txt', pipeline=LOAD,
    )  # fmt: skip


def test_ade_counts_from_one(ade):
    dataset = DATASETS.build(ade)
    assert row(dataset, 0) == [255, 0, 149, 255, 255]
    assert row(dataset, 1) == [255, 0, 148, 255, 255]


def test_labels_of_our_tools_count_from_zero_beside_them(ade, tmp_path):
    classes = SparseADE20KDataset.METAINFO['classes']
    write_sidecar(tmp_path / 'blocks' / 'labels.json', classes, {})
    dataset = DATASETS.build(ade)
    assert row(dataset, 0) == [255, 0, 149, 255, 255]
    assert row(dataset, 1) == [0, 1, 149, 255, 255]
    # in ADE20K's own numbering after all: its sidecar has a class 0
    write_sidecar(tmp_path / 'blocks' / 'labels.json', ('other', *classes), {})
    assert row(DATASETS.build(ade), 1) == [255, 0, 148, 255, 255]
    # with a choice of classes
    chosen = ade | dict(classes=(classes[1], classes[0]))
    write_sidecar(tmp_path / 'blocks' / 'labels.json', classes, {})
    assert row(DATASETS.build(chosen), 1) == [1, 0, 255, 255, 255]
    write_sidecar(tmp_path / 'blocks' / 'labels.json', chosen['classes'], {})
    write_row(tmp_path / 'blocks' / 'b.png', 0, 1, 1)
    assert row(DATASETS.build(chosen), 1) == [0, 1, 1, 255, 255]


@pytest.fixture
def cityscapes(tmp_path):
    write_image(tmp_path / 'img' / f'{ULM}_leftImg8bit.png')
    write_row(tmp_path / 'gt' / f'{ULM}_gtFine_labelIds.png', 7, 24, 26, 4)
    return dict(
        type='SparseCityscapesDataset', data_root=str(tmp_path),
        data_prefix=dict(img_path='img', seg_map_path='gt'), pipeline=LOAD,
    )  # fmt: skip


def test_cityscapes_label_ids(cityscapes, tmp_path):
    assert row(DATASETS.build(cityscapes)) == [0, 11, 13, 255, 255]
    chosen = DATASETS.build(cityscapes | dict(classes=('car', 'road')))
    assert row(chosen) == [1, 255, 0, 255, 255]
    assert chosen.metainfo['label_map'][26] == 0
    write_row(tmp_path / 'gt' / f'{ULM}_gtFine_labelIds.png', 7, 34)
    with pytest.raises(ValueError, match='1 pixels have the value 34, which'):
        DATASETS.build(cityscapes)[0]


def test_cityscapes_train_ids_of_our_tools(cityscapes, tmp_path):
    ending = '_gtFine_labelTrainIds'
    write_row(tmp_path / 'blocks' / f'{ULM}{ending}.png', 0, 18)
    classes = SparseCityscapesDataset.METAINFO['classes']
    sidecar = write_sidecar(tmp_path / 'blocks' / 'labels.json', classes, {
        f'{ULM}{ending}': dict(supervision='block', size=[7, 5]),
    })  # fmt: skip
    ours = cityscapes | dict(
        seg_map_suffix=f'{ending}.png',
        data_prefix=dict(img_path='img', seg_map_path='blocks'),
    )
    for listed in (ours, ours | dict(ann_file=str(sidecar))):
        dataset = DATASETS.build(listed)
        assert row(dataset) == [0, 18, 255, 255, 255]
    assert dataset.get_data_info(0)['supervision'] == 'block'
    # and their tags
    write_sidecar(tmp_path / 'tags' / 'labels.json', classes, {
        f'{ULM}{ending}': dict(supervision='tag', size=[7, 5], tags=['sky']),
    })  # fmt: skip
    tagged = DATASETS.build(ours | dict(tag_file='tags/labels.json'))
    hot = tagged.get_data_info(0)['gt_label']
    assert np.flatnonzero(hot).tolist() == [classes.index('sky')]


def test_simulated_blocks_agree_with_the_masks_they_were_made_of(tmp_path):
    meta = SparseADE20KDataset.METAINFO
    write_image(tmp_path / 'images' / 'a.jpg', (64, 48))
    mask = np.repeat(np.arange(151, 139, -1), 4 * 64).reshape(48, 64)
    mask[mask == 151] = 0
    write_labels(tmp_path / 'masks' / 'a.png', mask)
    job = FolderJob('blocks', meta['classes'], options=dict(seed=0, share=0.5),
                    reduce_zero_label=True)  # fmt: skip
    simulate_folder(job, tmp_path / 'masks', tmp_path / 'blocks')
    maps = [
        DATASETS.build(dict(
            type='SparseADE20KDataset', data_root=str(tmp_path), pipeline=LOAD,
            data_prefix=dict(img_path='images', seg_map_path=folder),
        ))[0]['gt_seg_map']
        for folder in ('masks', 'blocks')
    ]  # fmt: skip
    known = maps[1] != 255
    assert 0.2 < known.mean() <= 0.5
    np.testing.assert_array_equal(maps[1][known], maps[0][known])
