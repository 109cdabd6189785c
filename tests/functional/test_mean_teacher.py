"""Teacher labels, thresholds and loss against the literal forms."""

import numpy as np
import pytest
import torch

from mmseg_sparse.functional import (
    mean_confidence,
    precision_counts,
    random_boxes,
    teacher_labels,
    teacher_loss,
)
from tests.reference import mean_teacher as literal

SHAPE = (2, 3, 5, 7)


@pytest.fixture
def case() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(SHAPE, generator=generator).double()
    prob = torch.randn(SHAPE, generator=generator).double().mul(2).softmax(1)
    labels = torch.randint(0, 3, (2, 5, 7), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) > 0.3] = 255
    valid = torch.ones(labels.shape, dtype=torch.bool)
    valid[1, 4:] = valid[1, :, 5:] = False
    return dict(logits=logits, prob=prob, labels=labels, valid=valid)


def test_mean_confidence(case: dict[str, torch.Tensor]) -> None:
    found = mean_confidence(case['prob'], case['valid'])
    expected = literal.mean_confidence(
        case['prob'].numpy(), case['valid'].numpy()
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other)
    everywhere = mean_confidence(case['prob'])[1]
    assert everywhere.sum() == case['labels'].numel()


def test_precision_counts(case: dict[str, torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(8)
    dense = torch.randint(0, 3, case['labels'].shape, generator=generator)
    dense[0, :2] = 255
    found = precision_counts(case['labels'], dense, 4)
    expected = literal.precision_counts(
        case['labels'].numpy(), dense.numpy(), 4, 255
    )
    assert [one.tolist() for one in found] == [*expected]
    assert 0 < found[0].sum() < found[1].sum()
    with pytest.raises(ValueError, match='of one shape, got'):
        precision_counts(case['labels'], dense[:1], 4)


def test_labels_keep_each_class_to_its_own_threshold(
    case: dict[str, torch.Tensor],
) -> None:
    threshold = torch.tensor([0.9, 0.55, 0.7]).double()
    found = teacher_labels(
        case['prob'], threshold, case['labels'], valid=case['valid']
    )
    expected = literal.teacher_labels(
        *(case[k].numpy() if k in case else threshold.numpy()
          for k in ('prob', 'threshold', 'labels', 'valid')),
        255,
    )  # fmt: skip
    np.testing.assert_array_equal(found.numpy(), expected)
    assert set(found.unique().tolist()) == {0, 1, 2, 255}
    with pytest.raises(ValueError, match=r'got \(2, 3, 5, 7\), \(2,\)'):
        teacher_labels(case['prob'], threshold[:2], case['labels'])


@pytest.mark.parametrize('soft', [True, False])
def test_loss(case: dict[str, torch.Tensor], soft: bool) -> None:
    sure = case['valid'] & (case['prob'].amax(1) > 0.6)
    logits = case['logits'].requires_grad_()

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return teacher_loss(logits, case['prob'], sure, soft=soft)

    expected = literal.teacher_loss(
        logits.detach().numpy(), case['prob'].numpy(), sure.numpy(), soft=soft
    )
    assert loss(logits).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(loss, logits)
    nothing = teacher_loss(logits, case['prob'], torch.zeros_like(sure))
    nothing.backward()
    assert nothing == 0
    assert (logits.grad == 0).all()


def test_boxes_have_the_area_and_sides_that_they_should() -> None:
    torch.manual_seed(0)
    boxes = random_boxes((400, 30, 20), 0.75, torch.device('cpu'))
    drawn = boxes.flatten(1).any(1)
    assert 0.68 < drawn.double().mean() < 0.82
    for box in boxes[drawn]:
        rows, columns = box.any(1), box.any(0)
        assert box.equal(rows[:, None] & columns)
        for side in (rows, columns):  # one piece
            where = side.nonzero().flatten()
            assert len(where) == where[-1] - where[0] + 1
        assert 0.08 < box.double().mean() < 0.55
    assert boxes[:, 0].any()
    assert boxes[:, -1].any()
    assert not random_boxes((9, 5, 4), 0.0, torch.device('cpu')).any()
