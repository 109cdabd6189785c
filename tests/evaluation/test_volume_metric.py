"""VolumeMetric against cases by hand and voxels counted one by one."""

import json
import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample

from mmseg_sparse.evaluation import VolumeMetric
from mmseg_sparse.evaluation.volume_metric import hd95, scores
from tests.reference import volume as reference

CLASSES = ('background', 'right ventricle', 'wall')


def sample(name, prediction, mask):
    found = SegDataSample(metainfo=dict(img_path=f'some/folder/{name}.png'))
    for key, values in (('pred_sem_seg', prediction), ('gt_sem_seg', mask)):
        data = torch.as_tensor(np.array(values), dtype=torch.long)[None]
        found.set_field(PixelData(data=data), key)
    return found


def volume(name, prediction, mask, first=0):
    """Samples of the slices, the last one first: names give the order."""
    slices = enumerate(zip(prediction, mask, strict=True), first)
    return [sample(f'{name}_slice_{i}', *pair) for i, pair in slices][::-1]


def evaluate(samples, batch=2, **kwargs):
    evaluator = Evaluator([VolumeMetric(**kwargs)])
    evaluator.dataset_meta = dict(classes=CLASSES)
    for start in range(0, len(samples), batch):
        evaluator.process(data_samples=samples[start : start + batch])
    return evaluator.evaluate(len(samples))


def random_volume(seed, shape=(3, 7, 5), shares=(0.6, 0.3, 0.1)):
    rng = np.random.default_rng(seed)
    return rng.choice(len(shares), size=shape, p=shares).astype(np.uint8)


def test_registered():
    assert METRICS.get('VolumeMetric') is VolumeMetric


def test_by_hand():
    # Class 1, two slices of 1x4. Mask: two voxels of each slice, A = {x = 0,
    # 1}; prediction: {x = 1} of the first. Dice = 2 * 1 / (4 + 1) = 40 %.
    # All voxels are surface; distances to the other surface, with steps of
    # 3 between slices and 0.5 in a row: prediction 0; mask 0.5, 0 in the
    # first slice, sqrt(9 + 0.25), 3 in the second. In order 0, 0, 0.5, 3,
    # 3.0414; rank 0.95 * 4 = 3.8: 3 + 0.8 * 0.0414 = 3.0331.
    mask = [[[1, 1, 0, 0]], [[1, 1, 0, 0]]]
    prediction = [[[0, 1, 0, 0]], [[0, 0, 0, 0]]]
    found = evaluate(
        volume('a', prediction, mask), spacing=(3.0, 1.0, 0.5)
    )  # fmt: skip
    assert found['volume/Dice_right_ventricle'] == 40
    assert found['volume/HD95_right_ventricle'] == pytest.approx(3.03)
    # No volume has class 2: it is not counted.
    assert math.isnan(found['volume/Dice_wall'])
    assert found['volume/mDice'] == 40
    assert found['volume/mHD95'] == pytest.approx(3.03)


def test_volumes_count_alike_whatever_their_size():
    # By pixels together Dice would be 2 * 6 / (6 + 8) = 86 %.
    small = volume('a', [[[0, 1]]], [[[1, 0]]])
    large = volume('b', np.ones((3, 1, 2)), np.ones((3, 1, 2)))
    assert evaluate(small + large)['volume/mDice'] == 50


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (5.0, 1.5, 0.7)])
def test_equals_reference(seed, spacing):
    prediction, mask = random_volume(seed), random_volume(100 + seed)
    mask[random_volume(200 + seed) == 2] = 255
    found = scores(prediction, mask, [0, 1, 2], spacing)
    for index, row in enumerate(found):
        expected = reference.scores(prediction, mask, index, spacing)
        assert row == pytest.approx(expected, rel=1e-10)


def test_solid_shapes_equal_reference():
    # Voxels inside a set are no surface, those at the border are.
    one, other = np.zeros((2, 6, 9, 8), np.uint8)
    one[0:4, 1:6, 0:5] = 1
    other[2:6, 3:9, 2:8] = 1
    spacing = (3.0, 1.0, 1.5)
    (row,) = scores(one, other, [1], spacing)
    assert row == pytest.approx(
        reference.scores(one, other, 1, spacing), rel=1e-10
    )


def test_metric_is_mean_over_volumes_then_classes():
    pairs = {
        f'patient{i}_frame01': (random_volume(i), random_volume(50 + i))
        for i in range(3)
    }
    samples = [s for name, pair in pairs.items() for s in volume(name, *pair)]
    found = evaluate(samples)
    means = []
    for index, name in ((1, 'right_ventricle'), (2, 'wall')):
        each = [
            reference.scores(*pair, index, (1, 1, 1))
            for pair in pairs.values()
        ]
        means.append(np.mean(each, 0))
        assert found[f'volume/Dice_{name}'] == pytest.approx(
            means[-1][0], abs=0.01
        )
        assert found[f'volume/HD95_{name}'] == pytest.approx(
            means[-1][1], abs=0.01
        )
    assert found['volume/mDice'] == pytest.approx(
        np.mean(means, 0)[0], abs=0.01
    )


def test_empty_classes():
    zeros, ones = np.zeros((2, 3, 5)), np.ones((2, 3, 5))
    missed = volume('a', zeros, ones)
    made_up = volume('b', ones, zeros)
    nothing = volume('c', zeros, zeros)
    perfect = volume('d', ones, ones)
    worst = round(math.hypot(1 * 4, 2, 4), 2)
    for samples in (missed, made_up, missed + nothing):
        found = evaluate(samples, spacing=(4, 1, 1))
        assert found['volume/mDice'] == 0
        assert found['volume/mHD95'] == pytest.approx(worst)
    assert evaluate(nothing + perfect)['volume/mDice'] == 100
    assert evaluate(nothing + perfect)['volume/mHD95'] == 0
    assert math.isnan(evaluate(nothing)['volume/mDice'])


def test_void_counts_as_no_class():
    mask = [[[1, 255, 0, 0]]]
    found = evaluate(volume('a', [[[1, 1, 0, 0]]], mask))
    assert found['volume/mDice'] == 100
    found = evaluate(volume('a', [[[1, 1, 7, 0]]], [[[1, 1, 7, 0]]],),
                     ignore_index=7)  # fmt: skip
    assert found['volume/mDice'] == 100


def test_background_may_be_scored():
    both = volume('a', [[[0, 1]]], [[[0, 0]]])
    found = evaluate(both, background=None)
    assert found['volume/Dice_background'] == pytest.approx(66.67)
    assert 'volume/Dice_background' not in evaluate(both)


def test_other_names():
    samples = [
        sample('07-left', [[1, 0]], [[1, 0]]),
        sample('08-left', [[0, 0]], [[1, 0]]),
    ]
    found = evaluate(samples, pattern=r'(?P<slice>\d+)-(?P<volume>\w+)')
    assert found['volume/mDice'] == pytest.approx(66.67)


def test_spacing_by_volume(tmp_path):
    # One voxel against its neighbour in the next slice: HD95 is the step.
    pair = ([[[1]], [[0]]], [[[0]], [[1]]])
    samples = volume('a', *pair) + volume('b', *pair)
    spacing = {'a': [10, 1, 1], 'b': [6, 1, 1]}
    path = tmp_path / 'spacing.json'
    path.write_text(json.dumps(spacing))
    for given in (spacing, str(path)):
        found = evaluate(samples, spacing=given)
        assert found['volume/mHD95'] == 8
    with pytest.raises(ValueError, match="got none for 'b'"):
        evaluate(samples, spacing={'a': [10, 1, 1]})


@pytest.mark.parametrize(
    ('spacing', 'unit'), [(None, 'voxels'), ((1, 1, 1), 'mm')]
)
def test_log_says_the_unit(monkeypatch, spacing, unit):
    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'handle', lambda r: lines.append(r.msg))
    evaluate(volume('a', [[[1]]], [[[1]]]), spacing=spacing)
    (text,) = [line for line in lines if 'HD95 (' in str(line)]
    assert f'({unit}' in text or f'in {unit}' in text
    assert 'right ventricle' in text


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(pattern=r'(.+)_(\d+)'), r'expected a pattern with the groups'),
        (dict(spacing=(1, 1)), r'expected a spacing of three numbers'),
        (dict(spacing=1.5), r'expected a spacing of three numbers'),
        (dict(spacing=(1, 0, 1)), r'expected a spacing above 0'),
        (dict(spacing={'a': (1, 1, float('nan'))}), r'spacing above 0'),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        VolumeMetric(**kwargs)


def test_wrong_data():
    with pytest.raises(ValueError, match=r'frame01\.png: expected a file na'):
        evaluate([sample('frame01', [[1]], [[1]])])
    with pytest.raises(ValueError, match='LoadAnnotations must come after'):
        evaluate([sample('a_slice_0', [[1, 1]], [[1]])])
    without = sample('a_slice_0', [[1]], [[1]])
    del without.gt_sem_seg
    with pytest.raises(ValueError, match='expected a mask, got none'):
        evaluate([without])
    sizes = [
        sample('a_slice_0', [[1, 1]], [[1, 1]]),
        sample('a_slice_1', [[1]], [[1]]),
    ]
    with pytest.raises(ValueError, match=r"'a': expected slices of one size"):
        evaluate(sizes)
    for numbers in ((0, 2), (1, 1)):
        slices = [sample(f'a_slice_{i}', [[1]], [[1]]) for i in numbers]
        with pytest.raises(ValueError, match='without a gap'):
            evaluate(slices)


def in_a_process(rank, store, world, samples, out):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=world
    )
    # As DefaultSampler shares them: in turn, the first ones again at the end.
    mine = [*samples, *samples][rank : len(samples) + 1 : world]
    evaluator = Evaluator([VolumeMetric()])
    evaluator.dataset_meta = dict(classes=CLASSES)
    evaluator.process(data_samples=mine)
    found = evaluator.evaluate(len(samples))
    torch.save(found, f'{out}{rank}')
    torch.distributed.destroy_process_group()


def test_volumes_are_joined_from_all_processes(tmp_path):
    samples = volume('a', random_volume(0), random_volume(1))
    assert len(samples) == 3  # so that one of two processes gets one twice
    torch.multiprocessing.spawn(
        in_a_process,
        (tmp_path / 'store', 2, samples, tmp_path / 'found'),
        nprocs=2,
    )
    for rank in (0, 1):
        assert torch.load(tmp_path / f'found{rank}') == evaluate(samples)


def test_inputs_unchanged():
    prediction, mask = random_volume(0), random_volume(1)
    copies = prediction.copy(), mask.copy()
    scores(prediction, mask, [1, 2])
    hd95(prediction == 1, mask == 1)
    assert (prediction == copies[0]).all()
    assert (mask == copies[1]).all()
