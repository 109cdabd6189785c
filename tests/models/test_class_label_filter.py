"""Class label filtering in the refiner's slot."""

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_sparse.functional import filter_class_logits, filter_classes
from mmseg_sparse.models.segmentors import Features

TAGS = torch.tensor([[0.0, 1, 0], [1, 0, 0]])


def build(**options):
    return MODELS.build(dict(type='ClassLabelFilter', **options))


@pytest.mark.parametrize(
    ('options', 'function'),
    [
        (dict(), filter_class_logits),
        (dict(kind='logits', background=3), filter_class_logits),
        (dict(kind='prob', background=1), filter_classes),
    ],
)
def test_is_the_function_on_the_tags_of_the_features(options, function):
    torch.manual_seed(0)
    maps = torch.rand(2, 4, 3, 5)
    feats = Features(())
    feats.tags = TAGS
    found = build(**options)(maps, feats, labels=None, valid=None)
    background = options.get('background', 0)
    assert torch.equal(found, function(maps, TAGS, background=background))
    assert not list(build(**options).parameters())
    assert not build(**options).state_dict()


def test_all_classes_may_have_tags():
    maps = torch.ones(1, 2, 1, 1)
    feats = Features(())
    feats.tags = torch.tensor([[0, 1]])
    found = build(kind='prob', background=None)(maps, feats)
    assert found.flatten().tolist() == [0, 1]


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match=r"\['logits', 'prob'\], got 'scores"):
        build(kind='scores')
    with pytest.raises(ValueError, match=r'no tags of the images: .*gt_label'):
        build()(torch.ones(1, 4, 2, 2), Features(()))
