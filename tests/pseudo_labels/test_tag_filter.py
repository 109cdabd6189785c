"""Maps of classes of single images: tags, background, one output channel."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_sparse.pseudo_labels.tag_filter import (
    TagFilter,
    class_logits,
    filter_of,
)
from tests.helpers import afa


def image_of(info=None, steps=()):
    steps = [SimpleNamespace(**step) for step in steps]
    pipeline = SimpleNamespace(transforms=steps)
    return SimpleNamespace(
        path='x.jpg', info=info or {}, dataset=SimpleNamespace(
            pipeline=pipeline),
    )  # fmt: skip


def sample_of(logits=None, tags=None):
    sample = SegDataSample()
    if logits is not None:
        sample.set_data(dict(seg_logits=PixelData(data=logits)))
    if tags is not None:
        sample.set_field(torch.tensor(tags), 'gt_label')
    return sample


def test_what_says_which_class_has_no_tag():
    def found(image, tags, of_head=None):
        return TagFilter(4, of_head, None).background_of(image, tags)

    steps = [dict(background=1), dict(), dict(background='auto')]
    assert found(image_of(dict(background=3), steps), 3, 2) == 3
    assert found(image_of(steps=steps), 3, 2) == 1
    assert found(image_of(steps=steps[1:]), 3, 2) == 2
    assert found(image_of(dict(background=None)), 3) == 0
    assert found(image_of(dict(background=3), steps), 4) is None
    with pytest.raises(ValueError, match=r'x\.jpg: has 2 tags .* 4 classes'):
        found(image_of(), 2)


def test_one_channel_stands_for_two_classes():
    prob = torch.tensor([[[0.2, 1.0, 0.0]]])
    logits = class_logits(sample_of(prob), image_of(), 2)
    wanted = torch.cat([1 - prob, prob])
    torch.testing.assert_close(logits.softmax(0), wanted)
    with pytest.raises(ValueError, match=r'x\.jpg: .* 3 classes, .* has 4'):
        class_logits(sample_of(torch.zeros(3, 1, 1)), image_of(), 4)


def test_who_is_filtered():
    tagged, bare = sample_of(tags=[1.0, 0.0, 0.0]), sample_of()
    model = afa.build(dict(num_classes=4, background=2))
    some = filter_of(model, 4, None)
    tags, background = some.tags(tagged, image_of())
    assert (tags.tolist(), background) == ([[1, 0, 0]], 2)
    assert some.tags(bare, image_of()) is None
    assert some.unfiltered == 1
    assert TagFilter(4, 2, False).tags(tagged, image_of()) is None
    with pytest.raises(ValueError, match=r'x\.jpg: has no tags'):
        TagFilter(4, 2, True).tags(bare, image_of())


def test_absent_classes_have_nothing():
    logits = torch.tensor([0.5, 2.0, 1.0, 200.0])[:, None, None]
    filters = TagFilter(4, 2, None)
    sample = sample_of(logits, [1.0, 0.0, 0.0])
    found, prob, _ = filters.filtered(sample, image_of())
    # in float32 nothing but the last class is left of the softmax
    assert prob.flatten().tolist() == [0, 0, 0, 0]
    assert found.argmax() == 2
    found, prob, tags = filters.filtered(sample_of(logits), image_of())
    assert tags is None
    assert found.equal(logits)
    assert prob.equal(logits.softmax(0))


def test_what_is_not_finite_is_refused():
    logits = torch.tensor([0.5, float('nan')])[:, None, None]
    with pytest.raises(ValueError, match=r'x\.jpg: the pred.* not finite'):
        TagFilter(2, 0, None).filtered(sample_of(logits), image_of())
