import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmseg_sparse.functional import SpanningTree, tree_energy, tree_filter
from tests.helpers.dfr_cases import F64, make_case
from tests.reference import tree_energy as reference


def make(**changes):
    prob, image, feature, labels, valid = make_case(**changes)
    return prob, 0.3 * image, 0.4 * feature, labels, valid


def close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('size', [(5, 8), (7, 4), (1, 6), (5, 1), (1, 1)])
@pytest.mark.parametrize('padded', [False, True])
def test_filter_equals_reference(size, padded):
    prob, image, _, _, valid = make(height=7, width=8)
    prob, image = (one[:, :, : size[0], : size[1]] for one in (prob, image))
    valid = valid[:, : size[0], : size[1]]
    every = torch.ones_like(valid)
    found = tree_filter(
        prob, image, sigma=0.7, valid=valid if padded else None
    )
    assert found.dtype == F64
    wanted = reference.tree_filter(
        prob, image, 0.7, valid if padded else every
    )
    close(found, wanted)


def test_edges_of_equal_weight_are_taken_in_reading_order():
    # Colours of few values: many edges of equal weight, many of weight 0.
    maps = torch.rand(2, 3, 6, 7, dtype=F64)
    guide = torch.randint(3, (2, 2, 6, 7)).to(F64) / 2
    every = torch.ones(2, 6, 7, dtype=torch.bool)
    found = tree_filter(maps, guide, sigma=0.7)
    close(found, reference.tree_filter(maps, guide, 0.7, every))
    flat = tree_filter(maps, torch.ones_like(guide), sigma=0.7)
    close(flat, maps.mean((2, 3), keepdim=True).expand_as(maps))


def test_by_hand():
    # Colours 0 1 | 3 3: the edges 0-1 (1), 1-3 (4), 3-3 (0) make the tree.
    # With sigma 2 the first pixel sees the others at 1/2, 3/2 + 1, 5/2 + 0.
    guide = torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]], dtype=F64)
    maps = torch.tensor([[[[1.0, 0.0], [2.0, 4.0]]]], dtype=F64)
    near, far = math.exp(-1 / 2), math.exp(-5 / 2)
    found = tree_filter(maps, guide, sigma=2.0)[0, 0, 0, 0].item()
    wanted = (1 + 6 * far) / (1 + near + 2 * far)
    assert found == pytest.approx(wanted, rel=1e-14)


def test_parts_that_padding_divides_know_nothing_of_each_other():
    prob, image, _, _, valid = make(height=5, width=7)
    valid[0, :, 3] = valid[1, 2] = False
    found = tree_filter(prob, image, sigma=0.5, valid=valid)
    close(found, reference.tree_filter(prob, image, 0.5, valid))
    part = tree_filter(prob[:1, :, :, :3], image[:1, :, :, :3], sigma=0.5)
    close(found[:1, :, :, :3], part)


def test_tree_of_another_guide():
    prob, image, feature, _, valid = make()
    tree = SpanningTree.of(image, valid=valid)
    same = tree_filter(prob, image, sigma=0.5, tree=tree)
    close(same, tree_filter(prob, image, sigma=0.5, valid=valid))
    other = tree_filter(prob, feature, sigma=0.5, tree=tree)
    own = tree_filter(prob, feature, sigma=0.5, valid=valid)
    assert (other - own).abs().max() > 1e-3


def test_gradcheck_of_maps_and_guide():
    prob, image, _, _, valid = make(height=3, width=4, classes=2)
    valid[0, 1, 2] = False
    options = dict(sigma=0.8, valid=valid)
    assert torch.autograd.gradcheck(
        lambda maps, guide: tree_filter(maps, guide, **options).sin(),
        (prob.requires_grad_(), image.requires_grad_()),
    )


@pytest.mark.parametrize('high', [False, True])
@pytest.mark.parametrize('padded', [False, True])
def test_energy_equals_reference(high, padded):
    prob, image, feature, labels, valid = make(height=5, width=8)
    every = torch.ones_like(valid)
    counted = labels == 255
    options = dict(sigma=0.6, sigma_feature=0.9)
    found = tree_energy(
        prob,
        image,
        feature if high else None,
        counted=counted,
        valid=valid if padded else None,
        **options,
    )
    valid = valid if padded else every
    if not high:  # along a tree of infinite steps nothing is mixed
        shape = prob[:, :1].shape
        feature = 1e6 * torch.arange(math.prod(shape)).view(shape).to(F64)
    slow = reference.tree_energy(
        prob, image, feature, counted=counted & valid, valid=valid, **options
    )
    assert found.item() == pytest.approx(slow, rel=1e-10)


def test_pseudo_labels_are_constants_or_not():
    prob, image, feature, labels, valid = make()
    prob.requires_grad_()
    feature.requires_grad_()
    options = dict(sigma=0.6, counted=labels == 255, valid=valid)
    tree_energy(prob, image, feature, **options).backward()
    assert feature.grad is None
    pseudo = tree_filter(prob.detach(), image, sigma=0.6, valid=valid)
    pseudo = tree_filter(pseudo, feature.detach(), sigma=1.0, valid=valid)
    counted = (labels == 255) & valid
    sign = (prob.detach() - pseudo).sign() * counted[:, None]
    close(prob.grad, sign / counted.sum())

    def energy(prob, feature):
        return tree_energy(prob, image, feature, detach=False, **options)

    assert torch.autograd.gradcheck(energy, (prob, feature), fast_mode=True)


class Elements(TorchDispatchMode):
    """Counts the elements of what operators return, not of views."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not func.is_view:
            self.count += result.numel()
        return result


def test_work_is_linear_in_the_pixels():
    def elements(height, width):
        maps, guide = torch.rand(2, 1, 4, height, width)
        tree = SpanningTree.of(guide)
        maps.requires_grad_()
        guide.requires_grad_()
        with Elements() as elements:
            tree_filter(maps, guide, sigma=0.5, tree=tree).sum().backward()
        return elements.count

    small, large = elements(8, 12), elements(24, 36)
    assert 8 < large / small < 9.5


def test_nothing_valid_gives_a_connected_zero():
    prob, image, feature, _, valid = make()
    prob.requires_grad_()
    none = torch.zeros_like(valid)
    for options in (dict(valid=none), dict(counted=none)):
        for detach in (False, True):
            energy = tree_energy(
                prob, image, feature, sigma=0.6, detach=detach, **options
            )
            (gradient,) = torch.autograd.grad(energy, prob)
            assert energy.item() == gradient.abs().sum().item() == 0


def test_what_lies_in_padding_does_not_matter():
    prob, image, feature, _, valid = make()
    hole = ~valid[:, None]
    before = tree_energy(prob, image, feature, sigma=0.6, valid=valid)
    prob, image, feature = (
        one.masked_fill(hole, math.nan).requires_grad_()
        for one in (prob, image, feature)
    )
    after = tree_energy(
        prob, image, feature, sigma=0.6, valid=valid, detach=False
    )
    assert after.item() == before.item()
    after.backward()
    assert torch.isfinite(prob.grad).all()
    assert not prob.grad.masked_select(hole).any()
    assert not feature.grad.masked_select(hole).any()
    assert image.grad is None


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-2)],
)
def test_narrow_dtypes_give_a_float32_energy(dtype, tolerance):
    prob, image, feature, _, valid = make(height=12, width=17)
    options = dict(sigma=0.6, valid=valid)
    exact = tree_energy(prob, image, feature, **options).item()
    narrow = prob.to(dtype).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        energy = tree_energy(narrow, image.float(), feature.float(), **options)
    energy.backward()
    assert energy.dtype == torch.float32
    assert narrow.grad.dtype == dtype
    assert energy.item() == pytest.approx(exact, rel=tolerance)


def test_a_guide_that_is_nan_gives_nan_and_no_error():
    # so that the hook that watches the loss can say what went wrong
    prob, image, _, _, _ = make()
    image[0, 0, 2, 3] = math.nan
    found = tree_filter(prob, image, sigma=0.5)
    assert found[0].isnan().any()
    assert torch.isfinite(found[1]).all()


def test_inputs_stay_as_they_were():
    tensors = make()
    copies = [one.clone() for one in tensors]
    prob, image, feature, _, valid = tensors
    prob = prob.detach().requires_grad_()
    tree_energy(prob, image, feature, sigma=0.6, valid=valid).backward()
    assert all(map(torch.equal, tensors, copies))


def test_no_second_derivative():
    prob, image, _, _, _ = make()
    prob.requires_grad_()
    out = tree_filter(prob * prob, image, sigma=0.6).sin().sum()
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(out, prob, create_graph=True)


def test_errors_name_what_is_wrong():
    prob, image, _, _, valid = make()
    with pytest.raises(ValueError, match=r'guide \(N, D, H, W\), got'):
        tree_filter(prob, image[:1], sigma=0.5)
    with pytest.raises(ValueError, match='sigma must be positive, got 0'):
        tree_filter(prob, image, sigma=0.0)
    with pytest.raises(ValueError, match=r'valid \(2, 7, 10\) of bool, got'):
        tree_filter(prob, image, sigma=0.5, valid=valid[:1])
    with pytest.raises(ValueError, match=r'image \(N, 3, H, W\), got'):
        tree_energy(prob, image[:1], sigma=0.5)
    with pytest.raises(ValueError, match=r'counted \(2, 7, 10\) of bool'):
        tree_energy(prob, image, sigma=0.5, counted=valid[:1])
