import torch

from benchmarks.memory import TensorBytes


def test_counts_by_hand():
    x = torch.zeros(1000, dtype=torch.float64)  # made outside: not counted
    with TensorBytes() as count:
        a = x + 1  # 8000
        view = a[10:]  # the same bytes
        b = a * 2  # 16000
        assert count.live == 16000
        del a, b
        assert count.live == 8000  # the view keeps a
        del view
        assert count.live == 0
        assert count.peak == 16000
        assert count.largest == 1000


def test_counts_what_waits_for_the_backward_pass():
    x = torch.zeros(1000, requires_grad=True)
    with TensorBytes() as count:
        y = x.exp()  # kept by autograd: 4000
        total = y.sum()  # 4
        del y
        assert count.live == 4004
        total.backward()
        del total
        assert count.live == 4000  # the gradient
        assert count.peak > 8000  # the factor, and the gradient


def test_in_place_operators_make_nothing():
    x = torch.zeros(1000)
    with TensorBytes() as count:
        x.add_(1).mul_(2)
    # x itself was first seen inside.
    assert count.peak <= x.nbytes
