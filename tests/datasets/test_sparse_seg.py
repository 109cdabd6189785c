"""SparseSegDataset reads images labelled in any way."""

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset

from tests.helpers.own_data import (
    CLASSES,
    SIZE,
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


@pytest.fixture
def root(tmp_path):
    return make(tmp_path)


def test_an_item_knows_how_it_is_labelled(root):
    dataset = build(root)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [i['supervision'] for i in infos] == [
        'dense', 'scribble', 'point', 'tag',
    ]  # fmt: skip
    assert [i.get('seg_map_path') for i in infos] == [
        str(root / 'masks/a.png'), str(root / 'scribbles/b.png'),
        str(root / 'points/c.png'), None,
    ]  # fmt: skip
    tags = [i.get('gt_label') for i in infos]
    assert tags[0] is tags[2] is None
    assert [tags[1].tolist(), tags[3].tolist()] == [[0, 1], [1, 1]]
    assert tags[3].dtype == np.float32
    assert infos[-1]['img_path'] == str(root / 'images/d.jpg')
    assert dataset.metainfo['classes'] == CLASSES
    assert len(dataset.metainfo['palette']) == 3


def test_pipeline_gives_each_kind_its_labels(root):
    dataset = build(root, pipeline=LOAD)
    maps = [dataset[i]['gt_seg_map'] for i in range(4)]
    assert np.bincount(maps[0].ravel()).tolist() == [27, 0, 8]
    np.testing.assert_array_equal(maps[1], label_map((0, 1, 0), (4, 6, 1)))
    np.testing.assert_array_equal(maps[2], label_map((2, 3, 2)))
    np.testing.assert_array_equal(maps[3], label_map())
    # and tags for all, where hybrid training asks for them; b lists a dog,
    # and a cat is labelled in it
    step = dict(type='LoadSparseAnnotations', with_tags=True)
    dataset = build(root, pipeline=[LOAD[0], step])
    assert [dataset[i]['gt_label'].tolist() for i in range(4)] == [
        [0, 1], [1, 1], [0, 1], [1, 1],
    ]  # fmt: skip


@pytest.mark.parametrize('serialize', [True, False])
def test_samplers_and_wrappers(root, serialize):
    options = dict(serialize_data=serialize, pipeline=LOAD)
    lazy = build(root, lazy_init=True, ann_file='no.txt', **options)
    with pytest.raises(FileNotFoundError, match=r'ann_file .*no\.txt'):
        lazy.full_init()
    assert len(build(root, indices=[3, 1], **options)) == 2
    assert build(root, indices=1, **options)[0]['supervision'] == 'dense'
    dataset = build(root, **options)
    assert dataset.get_subset([2])[0]['supervision'] == 'point'
    dataset[0]['gt_seg_map'][:] = 9
    dataset.get_data_info(3)['gt_label'][:] = 9
    assert dataset[0]['gt_seg_map'].max() == 2
    assert dataset[3]['gt_label'].max() == 1
    assert len(RepeatDataset(dataset, 3)) == 12
    strong = build(root, filter_cfg=dict(supervision='dense'), **options)
    weak = build(root, filter_cfg=dict(supervision=['tag', 'point']))
    assert (len(strong), len(weak)) == (1, 2)
    both = ConcatDataset([strong, weak])
    assert both.get_data_info(1)['supervision'] == 'point'


def test_class_balance_counts_tags_and_maps(root):
    dataset = build(root)
    assert [dataset.get_cat_ids(i) for i in range(4)] == [
        [2], [2], [2], [1, 2],
    ]  # fmt: skip
    # cat is in 1 of 4 images: d is repeated sqrt(1 / 0.25) = 2 times
    assert len(ClassBalancedDataset(dataset, 1.0)) == 5


def test_without_a_list_the_folder_counts(root):
    write_image(root / 'images' / 'sub' / 'e.jpg')
    for name in ('c', 'd', 'sub/e', 'a'):
        write_labels(root / 'scribbles' / f'{name}.png', label_map())
    dataset = build(root, ann_file='')
    paths = [dataset.get_data_info(i)['seg_map_path'] for i in range(5)]
    assert paths == [
        str(root / 'scribbles' / f'{n}.png')
        for n in ('a', 'b', 'c', 'd', 'sub/e')
    ]
    with pytest.raises(
        FileNotFoundError,
        match=r'images/b\.jpg: label file '
        r'.*masks/b\.png is missing; so are 3 more',
    ):
        build(root, ann_file='', supervision='dense')  # fmt: skip


def test_a_sidecar_is_a_list(root):
    path = write_sidecar(root / 'labels.json', CLASSES, {
        'b': dict(supervision='scribble', size=SIZE, tags=[]),
        'd': dict(supervision='tag', size=SIZE, tags=['dog']),
    })  # fmt: skip
    dataset = build(root, ann_file='labels.json')
    infos = [dataset.get_data_info(i) for i in range(2)]
    assert [i['supervision'] for i in infos] == ['scribble', 'tag']
    assert 'gt_label' not in infos[0]
    assert infos[1]['gt_label'].tolist() == [0, 1]
    write_sidecar(path, CLASSES, {'b': dict(supervision='lasso', size=SIZE)})
    with pytest.raises(ValueError, match=r'labels\.json'):
        build(root, ann_file='labels.json')


def test_tag_file_serves_images_whose_line_has_no_tags(root):
    one_hot = {
        'b': np.array([1, 0]), 'd': np.array([1, 0]), 'e': np.array([0, 1]),
    }  # fmt: skip
    np.save(root / 'tags.npy', one_hot, allow_pickle=True)
    write_image(root / 'images' / 'sub' / 'e.jpg')
    (root / 'train.txt').write_text('b\nd tag dog\nsub/e tag\na dense\n')
    dataset = build(root, tag_file='tags.npy')
    tags = [dataset.get_data_info(i).get('gt_label') for i in range(4)]
    assert [t.tolist() for t in tags[:3]] == [[1, 0], [0, 1], [0, 1]]
    assert tags[3] is None
    # two images of one base name: which of them the tags mean is not known
    write_image(root / 'images' / 'other' / 'e.jpg')
    (root / 'train.txt').write_text('sub/e tag\nother/e tag\n')
    with pytest.raises(
        ValueError,
        match=r'train\.txt:1: no tags of this '
        r'image in .*tags\.npy either',
    ):
        build(root, tag_file='tags.npy')  # fmt: skip


def test_background_is_found_or_named(root):
    def tags(**changes):
        dataset = build(root, filter_cfg=dict(supervision='tag'), **changes)
        return dataset.get_data_info(0)['gt_label'].tolist()

    assert tags() == tags(background=0) == [1, 1]
    assert tags(background=None) == [0, 1, 1]
    assert tags(classes=('sky', 'cat', 'dog')) == [0, 1, 1]
    assert tags(classes=('cat', 'dog', 'background')) == [1, 1]


def test_a_choice_of_classes_holds_for_maps_and_tags(root):
    np.save(root / 'tags.npy', {'b': np.eye(20)[[7, 11]].sum(0)})  # cat, dog
    write_labels(root / 'scribbles' / 'b.png', label_map((0, 1, 8), (4, 6, 1)))
    (root / 'train.txt').write_text('b\nd tag cat, dog\na dense bird\n')
    dataset = build(
        root, type='SparsePascalVOCDataset', pipeline=LOAD,
        tag_file='tags.npy', classes=['background', 'aeroplane', 'dog'],
    )  # fmt: skip
    samples = [dataset[i] for i in range(3)]
    assert set(samples[0]['gt_seg_map'].flat) == {1, 255}  # the cat is out
    # aeroplane: labelled; dog: a tag of the file
    tags = [sample['gt_label'].tolist() for sample in samples]
    assert tags == [[1, 1], [0, 1], [0, 0]]


def test_pseudo_labels_have_a_folder_of_their_own(root):
    write_labels(root / 'made/d.png', label_map((1, 1, 2)))
    (root / 'train.txt').write_text('a dense\nd pseudo cat, dog\n')
    folders = dict(img_path='images', dense='masks', pseudo='made')
    dataset = build(root, data_prefix=folders, pipeline=LOAD)
    weak = dataset[1]
    assert weak['supervision'] == 'pseudo'
    assert weak['gt_label'].tolist() == [1, 1]
    np.testing.assert_array_equal(weak['gt_seg_map'], label_map((1, 1, 2)))
