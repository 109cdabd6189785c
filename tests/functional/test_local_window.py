"""How the local energies go about it: blocks, memory, no waiting."""

import pytest
import torch

from benchmarks.memory import TensorBytes
from mmseg_sparse.functional import (
    feature_consistency,
    local_window,
    potts_energy,
)
from tests.helpers import dfr_cases
from tests.helpers.dfr_cases import F64, make_case
from tests.helpers.measure import largest_tensor


@pytest.mark.parametrize('channels', [3, 9])
def test_potts_blocks_and_whole_maps_agree(channels, monkeypatch):
    """More pixels than a block, and the way of devices other than CPU."""
    size = (90, 100)
    assert size[0] * size[1] > local_window.LONG
    prob = torch.randn(1, 3, *size, dtype=F64).softmax(1).requires_grad_()
    guide = torch.randn(1, channels, *size, dtype=F64)
    values, grads = [], []
    for way in ('blocks', 'small blocks', 'whole'):
        with monkeypatch.context() as patch:
            if way == 'small blocks':
                patch.setattr(local_window, 'CACHED', 3000)
            elif way == 'whole':
                dfr_cases.as_if_elsewhere(patch)
            energy = potts_energy(prob, guide, radius=4, sigma_xy=3.0)
        values.append(energy.item())
        grads += torch.autograd.grad(energy, prob)
    for value, grad in zip(values[1:], grads[1:], strict=True):
        assert value == pytest.approx(values[0], rel=1e-12)
        torch.testing.assert_close(grad, grads[0], rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize('elsewhere', [False, True])
@pytest.mark.parametrize('guides', [3, 7, 12])
def test_no_tensor_of_window_times_classes_or_guides(
    guides, elsewhere, monkeypatch
):
    prob = torch.randn(2, 21, 64, 56).softmax(1).requires_grad_()
    guide = torch.randn(2, guides, 64, 56)

    def run():
        potts_energy(prob, guide, radius=5, sigma_xy=6.0).backward()

    if elsewhere:
        dfr_cases.as_if_elsewhere(monkeypatch)
    # prob with the window's unused pixels, and one class more
    assert largest_tensor(run) <= 1.4 * prob.numel()
    with TensorBytes() as count:
        run()
    assert count.peak <= 6 * 4 * (prob.numel() + guide.numel())


def test_potts_waits_for_no_device(monkeypatch):
    prob, guide, _, _, valid = make_case()
    prob.requires_grad_()
    dfr_cases.as_if_elsewhere(monkeypatch)
    with dfr_cases.Operators() as operators:
        potts_energy(
            prob, guide, radius=2, sigma_xy=2.0, valid=valid
        ).backward()
    assert 'addcmul_' in operators.names
    assert not operators.names & set(dfr_cases.WAITING)


@pytest.mark.parametrize('channels', [3, 40])
def test_feature_blocks_and_whole_maps_agree(channels, monkeypatch):
    """More pixels than a block, and the way of devices other than CPU."""
    size = (90, 100)
    assert size[0] * size[1] > local_window.LONG
    feature = torch.randn(1, channels, *size, dtype=F64, requires_grad=True)
    guide = torch.randn(1, 3, *size, dtype=F64)
    labels = torch.randint(0, 3, (1, 9, 10))
    labels = labels.repeat_interleave(10, 1).repeat_interleave(10, 2)
    labels[:, 20:, 30:] = 255
    values, grads = [], []
    for way in ('blocks', 'small blocks', 'whole'):
        with monkeypatch.context() as patch:
            if way == 'small blocks':
                patch.setattr(local_window, 'CACHED', 3000)
            elif way == 'whole':
                dfr_cases.as_if_elsewhere(patch)
            both, _, _ = feature_consistency(
                feature, labels, guide=guide, radius=4, sigma_xy=3.0
            )
        values.append(both.item())
        grads += torch.autograd.grad(both, feature)
    for value, grad in zip(values[1:], grads[1:], strict=True):
        assert value == pytest.approx(values[0], rel=1e-12)
        torch.testing.assert_close(grad, grads[0], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize('elsewhere', [False, True])
def test_no_tensor_of_window_times_channels(elsewhere, monkeypatch):
    feature = torch.randn(2, 32, 48, 40, requires_grad=True)
    guide = torch.randn(2, 3, 48, 40)
    labels = torch.randint(0, 3, (2, 48, 40))

    def run():
        both, _, _ = feature_consistency(
            feature, labels, guide=guide, radius=5, sigma_xy=6.0
        )
        both.backward()

    if elsewhere:
        dfr_cases.as_if_elsewhere(monkeypatch)
    assert largest_tensor(run) <= 1.4 * feature.numel()
    with TensorBytes() as count:
        run()
    assert count.peak <= 12 * 4 * feature.numel()


def test_feature_waits_for_no_device(monkeypatch):
    _, guide, feature, labels, _ = make_case()
    feature.requires_grad_()
    dfr_cases.as_if_elsewhere(monkeypatch)
    with dfr_cases.Operators() as operators:
        both, _, _ = feature_consistency(
            feature, labels, guide=guide, radius=2, sigma_xy=2.0
        )
        both.backward()
    assert 'addcmul_' in operators.names
    assert not operators.names & set(dfr_cases.WAITING)
