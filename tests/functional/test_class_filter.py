import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import filter_class_logits, filter_classes

F64 = torch.float64
TAGS = torch.tensor([[0, 1, 0], [1, 0, 0]])


def maps(n=2, classes=4, dtype=F64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, classes, 3, 5, generator=generator, dtype=dtype)


# Where the background is class 0, 2 or 3, the second foreground class is 2,
# 1 or 1, the first 1, 0 or 0.
@pytest.mark.parametrize(
    ('background', 'kept'),
    [(0, [(0, 2), (0, 1)]), (2, [(1, 2), (0, 2)]), (3, [(1, 3), (0, 3)])],
)
def test_absent_classes_go_and_the_background_stays(background, kept):
    prob = maps().softmax(1)
    before = prob.clone()
    found = filter_classes(prob, TAGS, background=background)
    for image in range(2):
        for c in range(4):
            if c in kept[image]:
                assert torch.equal(found[image, c], prob[image, c])
            else:
                assert not found[image, c].any()
    assert torch.equal(prob, before)
    # logits: the softmax over the classes that stay
    logits = maps() * 4
    refined = filter_class_logits(logits, TAGS, background=background)
    for image in range(2):
        wanted = logits[image, list(kept[image])].softmax(0)
        prob = refined[image].softmax(0)
        torch.testing.assert_close(prob[list(kept[image])], wanted)
        assert torch.allclose(prob.sum(0), torch.ones(3, 5, dtype=F64))


def test_without_background_every_class_has_a_tag():
    tags = torch.tensor([[True, False, False, True]] * 2)
    found = filter_classes(maps().exp(), tags, background=None)
    assert (found > 0).flatten(2).all(2).tolist() == tags.tolist()


def test_an_image_without_tags_keeps_its_background_alone():
    found = filter_classes(maps().exp(), TAGS * 0)
    assert (found > 0).any(3).any(2).tolist() == [[True, *[False] * 3]] * 2
    assert (filter_class_logits(maps() - 50, TAGS * 0).argmax(1) == 0).all()
    assert filter_classes(maps(1, 1).exp(), torch.ones(1, 0)).min() > 0


@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16]
)
def test_filtered_logits_are_numbers_after_resizing(dtype):
    refined = filter_class_logits(maps(dtype=dtype) * 100, TAGS)
    assert refined.dtype == dtype
    large = F.interpolate(refined.float(), (7, 4), mode='bilinear')
    assert large.isfinite().all()
    prob = large.softmax(1)
    assert (prob[0, 1] == 0).all()
    assert (prob[0, 3] == 0).all()
    assert refined.half().isfinite().all()


def test_gradient_is_that_of_what_stays():
    prob = maps().requires_grad_()
    filter_classes(prob, TAGS).sum().backward()
    wanted = torch.tensor([[1.0, 0, 1, 0], [1, 1, 0, 0]], dtype=F64)
    assert torch.equal(prob.grad, wanted[:, :, None, None].expand_as(prob))
    logits = maps().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: filter_class_logits(x, TAGS).softmax(1), (logits,)
    )


@pytest.mark.parametrize('function', [filter_classes, filter_class_logits])
def test_wrong_shapes_are_named(function):
    with pytest.raises(ValueError, match=r'tags \(2, 3\) for .*got \(2, 4\)'):
        function(maps(), torch.ones(2, 4))
    with pytest.raises(ValueError, match=r'tags \(2, 4\) .*None, got \(2, 3'):
        function(maps(), TAGS, background=None)
    with pytest.raises(ValueError, match='one of 4 classes, got 4'):
        function(maps(), TAGS, background=4)
    with pytest.raises(ValueError, match=r'\(N, C, H, W\), got \(4, 3, 5\)'):
        function(maps()[0], TAGS)
