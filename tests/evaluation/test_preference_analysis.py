"""The analysis of label preference on files, with predictors of our own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.doctor import LabelItem, Reading
from mmseg_sparse.evaluation import (
    Measured,
    PreferenceAnalysis,
    Probabilities,
)
from mmseg_sparse.evaluation.label_preference import read_labels_and_mask
from tests.reference import label_preference as reference

SIZES = {'a': (7, 11), 'b': (9, 6)}
CLASSES = 3


def random_probability(rng, classes, size):
    prob = np.exp(rng.normal(scale=2, size=(classes, *size)))
    return (prob / prob.sum(0)).astype(np.float32)


class Fake:
    """Gives each image its own probabilities."""

    def __init__(self, seed, annotation=True, classes=CLASSES):
        rng = np.random.default_rng(seed)
        self.given = {}
        for name, size in SIZES.items():
            segmentation = random_probability(rng, classes, size)
            self.given[name] = Probabilities(
                segmentation,
                segmentation.argmax(0).astype(np.uint8),
                random_probability(rng, classes + 1, size)
                if annotation
                else None,
            )

    def __call__(self, image):
        return self.given[Path(image).stem]


@pytest.fixture
def items(tmp_path):
    """Two images with void in their masks, and strokes."""
    rng = np.random.default_rng(7)
    result = []
    for name, size in SIZES.items():
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        dense = np.zeros(size, np.uint8)
        dense[2:6, 1:5] = 1
        dense[5:, 3:] = 2
        dense[0, :2] = 255
        labels = np.full(size, 255, np.uint8)
        labels[0] = 0
        labels[3, 2:4] = 2
        for kind, values in (('i', image), ('m', dense), ('l', labels)):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / kind / f'{name}.png')
        result.append(
            LabelItem(
                *(str(tmp_path / kind / f'{name}.png') for kind in 'li'),
                reading=Reading(num_classes=CLASSES),
                dense=str(tmp_path / 'm' / f'{name}.png'),
            )
        )
    return result


def read(path):
    return np.asarray(Image.open(path))


def test_each_curve_has_its_weights(items):
    models = [Measured('blp', Fake(0)), Measured('ce', Fake(1, False))]
    found = PreferenceAnalysis(models, CLASSES, 2.0)
    for item in items:
        found.add(item)
    found.check()
    dense = [read(item.dense) for item in items]
    labels = [read(item.labels) for item in items]
    given = [model.predictor(i.image) for model in models for i in items]
    expected = [
        (found.masks, [np.ones(d.shape) for d in dense]),
        (found.labels, [label != 255 for label in labels]),
        (models[0].annotation, [p.annotation[:3].max(0) for p in given[:2]]),
        (models[0].segmentation, [p.segmentation.max(0) for p in given[:2]]),
        (models[1].segmentation, [p.segmentation.max(0) for p in given[2:]]),
    ]
    for counted, weights in expected:
        shares, mean = reference.distribution(
            list(zip(dense, weights, strict=True))
        )
        np.testing.assert_allclose(counted.shares(), shares, rtol=1e-6)
        assert counted.mean() == pytest.approx(mean, rel=1e-6)
    # Strokes on void do not count: 11 + 6 - 2 * 2 + 2 * 2 pixels.
    assert found.labels.total == 17
    assert models[1].annotation.total == 0
    for model, prob in zip(models, (given[:2], given[2:]), strict=True):
        right, _ = reference.precision(
            [(d, p.predicted) for d, p in zip(dense, prob, strict=True)]
        )
        assert model.precision.correct.tolist() == right


def test_maps_follow_labels_and_then_the_prediction(items):
    found = PreferenceAnalysis([Measured('blp', Fake(0))], CLASSES, 3.0)
    found.add(items[0])
    found.add(items[1], keep_maps=True)
    (maps,) = found.maps
    prob, labels = Fake(0)('b'), read(items[1].labels)
    target = np.where(labels == 255, prob.segmentation.argmax(0), labels)
    delta, loss = reference.blp(
        prob.annotation, prob.segmentation, target, gamma=3
    )
    np.testing.assert_allclose(maps.delta, delta, rtol=1e-6)
    np.testing.assert_allclose(maps.loss, loss, rtol=1e-6)
    assert maps.name == 'b'
    np.testing.assert_array_equal(maps.image, read(items[1].image))
    np.testing.assert_array_equal(maps.annotation, prob.annotation[:3].max(0))
    np.testing.assert_array_equal(maps.labels, labels)


def test_dense_labels_can_be_the_masks(items):
    item = replace(items[0], labels=items[0].dense, dense=None)
    labels, mask = read_labels_and_mask(item, labels_are_dense=True)
    np.testing.assert_array_equal(mask, read(item.labels))
    assert labels is None
    with pytest.raises(ValueError, match='there is no dense mask of it'):
        read_labels_and_mask(item)
    # A mask of its own comes first.
    labels, _ = read_labels_and_mask(items[0], labels_are_dense=True)
    assert labels is not None
    found = PreferenceAnalysis(
        [Measured('blp', Fake(0))], CLASSES, 2.0, labels_are_dense=True
    )
    found.add(item, keep_maps=True)
    found.check()
    assert (found.sparse, found.labels.total) == (0, 0)
    assert found.maps[0].labels is None


def test_values_are_read_as_the_data_set_does(items):
    # In the labels 0 is no label and classes count from 1.
    reading = Reading(num_classes=CLASSES, reduce_zero_label=True)
    item = replace(items[0], reading=reading, dense_reading=items[0].reading)
    labels, mask = read_labels_and_mask(item)
    assert set(np.unique(labels)) == {1, 255}
    np.testing.assert_array_equal(mask, read(item.dense))


def save(path, values):
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def test_files_that_do_not_fit_are_named(items):
    item = items[0]
    for change, told in (
        (dict(image=None), 'expected an image and a label map'),
        (dict(labels=None), 'expected an image and a label map'),
        (dict(dense=None), r'l.a\.png: there is no dense mask of it'),
        (dict(dense='no.png'), r'a\.png: its dense mask is missing: no\.png'),
        (dict(dense=item.image), r'i.a\.png: RGB, 3 channels'),
        (dict(dense=items[1].dense), r'm.b\.png is 6x9 pixels, .* 11x7$'),
    ):
        with pytest.raises(ValueError, match=told):
            read_labels_and_mask(replace(item, **change))
    save(item.labels, np.full(SIZES['a'], CLASSES))
    with pytest.raises(ValueError, match=r'expected classes below 3, .* 3$'):
        read_labels_and_mask(item)


def test_models_that_do_not_fit_are_named(items):
    found = PreferenceAnalysis([Measured('x', Fake(0))], 4, 2.0)
    with pytest.raises(ValueError, match=r'x predicts 3 .* set has 4'):
        found.add(items[0])
    other = Fake(0)
    other.given['a'] = other.given['b']
    found = PreferenceAnalysis([Measured('x', other)], CLASSES, 2.0)
    with pytest.raises(ValueError, match=r'm.a\.png is 11x7 pixels, .* 6x9$'):
        found.add(items[0])
    plain = Measured('x', Fake(0, annotation=False))
    with pytest.raises(ValueError, match='maps need an annotation prob'):
        PreferenceAnalysis([plain], CLASSES, 2.0).add(items[0], keep_maps=True)


@pytest.mark.parametrize(
    ('dense', 'labels', 'told'),
    [
        (255, 0, '^no pixel counts: each mask is void or of one class'),
        (1, 1, '^no pixel counts: each mask'),
        (None, 255, '^no labelled pixel counts'),
    ],
)
def test_nothing_to_count_is_told(dense, labels, told, items):
    item = items[0]
    if dense is not None:
        save(item.dense, np.full(SIZES['a'], dense))
    save(item.labels, np.full(SIZES['a'], labels))
    found = PreferenceAnalysis([Measured('x', Fake(0))], CLASSES, 2.0)
    found.add(item)
    with pytest.raises(ValueError, match=told):
        found.check()
