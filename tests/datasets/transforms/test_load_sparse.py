"""LoadSparseAnnotations: the stock loader, less its silent mistakes."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmseg_sparse.labels.label_map import (
    complete_label_map,
    decode_labels,
    lookup_table,
)


def loader(**arguments):
    return TRANSFORMS.build(dict(type='LoadSparseAnnotations') | arguments)


def item(path, labels=None, **more):
    if labels is not None:
        Image.fromarray(np.asarray(labels)).save(path)
    return dict(
        seg_map_path=str(path), reduce_zero_label=False, label_map=None,
        seg_fields=[],
    ) | more  # fmt: skip


MAPS = st.none() | st.dictionaries(
    st.integers(0, 20), st.integers(0, 9) | st.just(255), max_size=12
)


@settings(
    derandomize=True, deadline=None, max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=2)),
    st.booleans(),
    MAPS,
)
def test_labels_are_those_of_the_stock_transform(
    tmp_path, labels, reduce_zero_label, label_map
):
    path = tmp_path / 'x.png'
    arguments = dict(reduce_zero_label=reduce_zero_label, label_map=label_map)
    stock = LoadAnnotations()(item(path, labels, **arguments))
    ours = loader()(item(path, **arguments))
    np.testing.assert_array_equal(ours['gt_seg_map'], stock['gt_seg_map'])
    assert ours['gt_seg_map'].dtype == stock['gt_seg_map'].dtype
    assert ours['seg_fields'] == stock['seg_fields'] == ['gt_seg_map']
    assert ours.keys() == stock.keys()


def test_palette_and_one_bit_and_thin_pictures_are_index_maps(tmp_path):
    labels = np.array([[0, 1, 255], [1, 0, 0]], np.uint8)
    picture = Image.fromarray(labels)
    picture.putpalette(list(range(255, -1, -1)) * 3)
    picture.save(tmp_path / 'p.png')
    result = loader()(item(tmp_path / 'p.png', ori_shape=(2, 3)))
    np.testing.assert_array_equal(result['gt_seg_map'], labels)
    result = loader()(item(tmp_path / 'b.png', labels == 1))
    np.testing.assert_array_equal(result['gt_seg_map'], labels == 1)
    # The stock transform makes one row of pixels a vector.
    result = loader()(item(tmp_path / 't.png', labels[:1]))
    assert result['gt_seg_map'].shape == (1, 3)
    result = loader()(item(tmp_path / 'w.png', labels.astype(np.uint16)))
    np.testing.assert_array_equal(result['gt_seg_map'], labels)


def test_ignore_index_of_the_file_becomes_255(tmp_path):
    labels = np.array([[0, 1, 250], [255, 0, 2]], np.uint8)
    result = loader()(
        item(tmp_path / 'x.png', labels, ignore_index=250, num_classes=3)
    )
    assert result['gt_seg_map'].tolist() == [[0, 1, 255], [255, 0, 2]]
    result = loader()(
        item(tmp_path / 'x.png', ignore_index=0, label_map={0: 2, 250: 255})
    )
    assert result['gt_seg_map'].tolist() == [[255, 1, 255], [255, 255, 2]]


@pytest.mark.parametrize(
    ('labels', 'more', 'message'),
    [
        (np.zeros((2, 3, 3), np.uint8), {}, r'x\.png: has 3 channels; a'),
        (np.zeros((2, 3, 4), np.uint8), {}, r'x\.png: has 4 channels'),
        (np.full((2, 3), 256, np.uint16), {},
         r'x\.png: has u?int\d+ values from 256 to 256'),
        (np.array([[0, 1, 3], [7, 3, 255]], np.uint8), dict(num_classes=3),
         r'x\.png: 3 pixels have the value 3, 7, which is none of the 3'),
        # told by the value in the file, not by what it was mapped to
        (np.array([[0, 1, 4]], np.uint8),
         dict(num_classes=3, reduce_zero_label=True), '1 pixels have .* 4,'),
        (np.array([[0, 1, 40]], np.uint8),
         dict(num_classes=3, label_map=complete_label_map([2, 255], 3)),
         '1 pixels have the value 40,'),
        (np.zeros((2, 3), np.uint8), dict(ori_shape=(3, 2)),
         r'x\.png: is 3x2 pixels, its image 2x3 \(as turned by its EXIF'),
    ],
)  # fmt: skip
def test_nonsense_is_an_error(tmp_path, labels, more, message):
    with pytest.raises(ValueError, match=message):
        loader()(item(tmp_path / 'x.png', labels, **more))


def test_truncated_and_float_files(tmp_path):
    memory = io.BytesIO()
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(memory, 'png')
    for content in (memory.getvalue()[:60], b'', b'no picture'):
        with pytest.raises(ValueError, match=r'y\.png: cannot be decoded'):
            decode_labels(content, 'y.png')
    Image.fromarray(np.full((2, 3), 0.5, np.float32)).save(tmp_path / 'f.tif')
    with pytest.raises(ValueError, match=r'float32 values from 0\.5'):
        loader()(item(tmp_path / 'f.tif'))


def test_tags_alone_give_a_silent_map_of_the_images_own_size():
    results = dict(
        img_path='d.jpg', seg_fields=[], ori_shape=(5, 7), img_shape=(50, 70)
    )
    labels = loader()(results)['gt_seg_map']
    assert labels.shape == (5, 7)
    assert labels.dtype == np.uint8
    assert (labels == 255).all()
    with pytest.raises(
        ValueError,
        match=r'd\.jpg: has tags alone; its image '
        'must be loaded before',
    ):
        loader()(dict(img_path='d.jpg', seg_fields=[]))  # fmt: skip


def test_tags_from_the_map_only_if_asked_and_not_known(tmp_path):
    labels = np.array([[0, 2, 255]], np.uint8)
    path = tmp_path / 'x.png'
    assert 'gt_label' not in loader()(item(path, labels, num_classes=4))
    told = dict(num_classes=4, background=0)
    result = loader(with_tags=True)(item(path, **told))
    assert result['gt_label'].tolist() == [0, 1, 0]
    assert result['gt_label'].dtype == np.float32
    known = np.array([1, 0, 0], np.float32)
    result = loader(with_tags=True)(item(path, gt_label=known, **told))
    # What is labelled is there, whatever the tags say.
    assert result['gt_label'].tolist() == [1, 1, 0]
    assert known.tolist() == [1, 0, 0]
    # a dataset that does not say
    result = loader(with_tags=True, num_classes=3)(item(path))
    assert result['gt_label'].tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match='needs num_classes'):
        loader(with_tags=True)(item(path))


def test_reduce_zero_label_must_agree(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        transform = loader(reduce_zero_label=True)
    labels = np.array([[0, 1]], np.uint8)
    with pytest.raises(ValueError, match=r'is True in LoadSparse.* and False'):
        transform(item(tmp_path / 'x.png', labels))


@pytest.mark.parametrize(
    ('label_map', 'message'),
    [
        ({256: 0}, 'expected values of a label file, 0 to 255, got 256'),
        ({-1: 0}, '0 to 255, got -1'),
        ({'road': 0}, "0 to 255, got 'road'"),
        (
            {7: 3},
            r'class in 0\.\.2, or 255 for no label, for the value 7, got 3',
        ),
        ([0, -1], 'for the value 1, got -1'),
        ({255: 0}, '255 means no label, it cannot be class 0'),
    ],
)
def test_wrong_label_map(label_map, message):
    with pytest.raises(ValueError, match=message):
        complete_label_map(label_map, 3)


def test_label_map_forms_agree():
    full = complete_label_map([255, 0, 2], 3)
    assert full == complete_label_map({'0': 255, '1': 0, '2': 2}, 3)
    assert [full[v] for v in (0, 1, 2, 3, 254)] == [255, 0, 2, 254, 254]


def test_no_label_stays_no_label():
    table = lookup_table(reduce_zero_label=True, label_map={255: 1, 0: 5})
    assert table[[0, 1, 2, 254, 255]].tolist() == [255, 5, 1, 253, 255]


def test_dense_masks_move_with_the_labels(tmp_path):
    """They are read beside the strokes, turned with them, and packed."""
    rng = np.random.default_rng(2)
    dense = rng.integers(0, 3, (6, 8), dtype=np.uint8)
    strokes = np.where(rng.random((6, 8)) < 0.5, dense, 255).astype(np.uint8)
    (tmp_path / 'masks').mkdir()
    (tmp_path / 'scribbles').mkdir()
    Image.fromarray(dense).save(tmp_path / 'masks/a.png')
    masks = TRANSFORMS.build(
        dict(type='LoadDenseMasks', replace=('/scribbles/', '/masks/'))
    )
    results = item(tmp_path / 'scribbles/a.png', strokes, img=np.zeros(
        (6, 8, 3), np.uint8
    ), img_shape=(6, 8))  # fmt: skip
    for step in (
        loader(), masks, dict(type='RandomFlip', prob=1.0),
        dict(type='RandomCrop', crop_size=(4, 5)),
        dict(type='PackSparseInputs'),
    ):  # fmt: skip
        if isinstance(step, dict):
            step = TRANSFORMS.build(step)
        results = step(results)
    sample = results['data_samples']
    labels, mask = sample.gt_sem_seg.data, sample.gt_dense_map.data
    assert mask.shape == (1, 4, 5)
    drawn = labels != 255
    assert drawn.any()
    assert (labels == mask)[drawn].all()
    mirrored = dense[:, ::-1]
    windows = [
        mirrored[y : y + 4, x : x + 5] for y in range(3) for x in range(4)
    ]
    assert any((mask[0].numpy() == window).all() for window in windows)


def test_dense_masks_are_checked(tmp_path):
    masks = TRANSFORMS.build(
        dict(type='LoadDenseMasks', replace=('strokes', 'masks'))
    )
    results = loader()(item(tmp_path / 'strokes.png', np.zeros((6, 8), 'u1')))
    with pytest.raises(FileNotFoundError):
        masks(dict(results))
    Image.fromarray(np.zeros((8, 6), 'u1')).save(tmp_path / 'masks.png')
    with pytest.raises(ValueError, match=r'masks.png: .* \(6, 8\), got \(8'):
        masks(dict(results))
    with pytest.raises(ValueError, match="expected 'strokes' once in the pat"):
        masks(dict(results, seg_map_path='a.png'))
