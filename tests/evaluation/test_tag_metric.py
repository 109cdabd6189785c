"""TagMetric against images counted one by one."""

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmseg.structures import SegDataSample

from mmseg_sparse.evaluation import TagMetric
from tests.reference.tags import average_precision, f1

CLASSES = ('ground', 'wild cat', 'dog', 'never', 'cow')


def evaluate(pairs, **kwargs):
    evaluator = Evaluator([TagMetric(**kwargs)])
    evaluator.dataset_meta = dict(classes=CLASSES)
    for scores, tags in pairs:
        sample = SegDataSample(metainfo=dict(img_path='a.jpg'))
        for key, value in (('tag_scores', scores), ('gt_label', tags)):
            if value is not None:
                sample.set_field(value, key)
        evaluator.process([sample])
    return evaluator.evaluate(len(pairs))


@pytest.mark.parametrize('background', [0, 2, None])
def test_equals_the_images_counted(background):
    generator = torch.Generator().manual_seed(3)
    names = [n for i, n in enumerate(CLASSES) if i != background]
    here = [i for i, n in enumerate(names) if n != 'never']
    tags = torch.zeros(40, len(names), dtype=torch.long)
    tags[:, here] = torch.randint(
        0, 2, (40, len(here)), generator=generator
    )  # fmt: skip
    # Tenths: many scores are equal.
    noise = torch.rand(tags.shape, generator=generator)
    scores = ((noise + 0.4 * tags) / 1.4 * 10).round() / 10
    kwargs = {} if background is None else dict(background=background)
    found = evaluate(
        list(zip(scores, tags, strict=True)), threshold=0.45, **kwargs
    )
    every = {'AP': [], 'F1': []}
    for index in here:
        column = scores[:, index].tolist(), tags[:, index].tolist()
        name = names[index].replace(' ', '_')
        for kind, value in (
            ('AP', average_precision(*column)), ('F1', f1(*column, 0.45)),
        ):  # fmt: skip
            assert 0.4 < value < 1
            every[kind].append(100 * value)
            assert found.pop(f'tags/{kind}/{name}') == pytest.approx(
                100 * value, abs=0.006
            )
    for kind, values in every.items():
        assert found.pop(f'tags/m{kind}') == pytest.approx(
            math.fsum(values) / len(here), abs=0.01
        )
    flat = scores.flatten().tolist(), tags.flatten().tolist()
    assert found.pop('tags/F1') == pytest.approx(
        100 * f1(*flat, 0.45), abs=0.006
    )
    assert not found


def test_by_hand():
    # The tag's two images come first and third: precision 1 and 2/3.
    scores = [0.9, 0.8, 0.6, 0.2]
    found = evaluate([
        (torch.tensor([s, 0.1, 0.1, 0.1]), torch.tensor([t, 0, 0, 0]))
        for s, t in zip(scores, [1, 0, 1, 0], strict=True)
    ])  # fmt: skip
    assert found['tags/mAP'] == pytest.approx(100 * (1 + 2 / 3) / 2, abs=0.01)
    # Three are predicted, two of them rightly.
    assert found['tags/F1'] == 80


@pytest.mark.parametrize(
    ('scores', 'tags', 'said'),
    [
        (None, 4, r'a.jpg: expected tag_scores .*tag_scores=True'),
        (4, None, r'a.jpg: expected gt_label .*PackSparseInputs'),
        (3, 3, 'expected 5 or 4 tags, got 3'),
    ],
)
def test_refuses_what_it_cannot_score(scores, tags, said):
    pair = [None if n is None else torch.zeros(n) for n in (scores, tags)]
    with pytest.raises(ValueError, match=said):
        evaluate([pair])


@pytest.mark.parametrize('threshold', [0, 1, -0.5])
def test_refuses_a_threshold_out_of_range(threshold):
    with pytest.raises(ValueError, match='between 0 and 1'):
        TagMetric(threshold=threshold)
