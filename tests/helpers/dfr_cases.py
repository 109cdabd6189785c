"""Small asymmetric inputs of DFR's functions, and what measures them."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

F64 = torch.float64
#: Operators that make the host wait for a device, or sizes depend on data.
WAITING = ('_local_scalar_dense', 'nonzero', 'masked_select', 'is_nonzero')


def make_case(n=2, height=7, width=10, classes=4, channels=5, dtype=F64):
    """Return prob, guide, feature, labels and valid; one image is padded."""
    prob = (torch.randn(n, classes, height, width, dtype=F64) * 2).softmax(1)
    guide = torch.randn(n, 3, height, width, dtype=F64)
    feature = torch.randn(n, channels, height, width, dtype=F64) * 1.5
    labels = torch.randint(0, classes, (n, height // 2, width // 2 + 1))
    labels = labels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    labels = torch.nn.functional.pad(labels, (0, 0, 0, 2), value=255)
    labels = labels[:, :height, :width].clone()
    labels[torch.rand(labels.shape) < 0.3] = 255
    valid = torch.ones(n, height, width, dtype=torch.bool)
    valid[-1, height - 2 :] = False
    valid[-1, :, width - 3 :] = False
    labels[~valid] = 255
    return (
        prob.to(dtype),
        guide.to(dtype),
        feature.to(dtype),
        labels,
        valid,
    )


class Operators(TorchDispatchMode):
    """Notes the names of the operators that run."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def as_if_elsewhere(monkeypatch):
    """Take the ways that are meant for devices other than the CPU."""
    monkeypatch.setattr(torch.Tensor, 'is_cpu', property(lambda self: False))
