import io
import random

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer

from mmseg_sparse.engine.resume import get_random_state, set_random_state


def draw() -> list[float]:
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),  # noqa: NPY002
        np.random.randn(),  # noqa: NPY002
        torch.rand(()).item(),
        torch.randn(()).item(),
    ]


def test_state_comes_back_through_a_checkpoint() -> None:
    draw()  # leaves half of a Gaussian pair in random and numpy
    file = io.BytesIO()
    torch.save(get_random_state(), file)
    first = draw()
    assert draw() != first
    file.seek(0)
    set_random_state(torch.load(file, weights_only=True))
    assert draw() == first


@pytest.mark.cuda
def test_cuda_state_comes_back() -> None:
    state = get_random_state()
    first = torch.rand(3, device='cuda')
    set_random_state(state)
    assert torch.equal(torch.rand(3, device='cuda'), first)


class Lookup:
    """Pickles as ``getattr(owner, name)``."""

    def __init__(self, owner: type, name: str) -> None:
        self.wanted = owner, name

    def __reduce__(self) -> tuple:
        return getattr, self.wanted


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (torch.Tensor, 'numpy'),
        (HistoryBuffer, '__init__'),
    ],
)
def test_checkpoints_may_not_look_up_anything(owner: type, name: str) -> None:
    file = io.BytesIO()
    torch.save(Lookup(owner, name), file)
    file.seek(0)
    with pytest.raises(TypeError, match=f'asks for {name!r}'):
        torch.load(file, weights_only=True)


def test_log_history_is_read_with_weights_only() -> None:
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    file = io.BytesIO()
    torch.save(history, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert loaded.mean() == 2.0
    assert loaded.statistics('max') == 3.0
