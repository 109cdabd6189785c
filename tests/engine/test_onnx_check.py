"""A file that gives other logits than PyTorch is not accepted.

Where onnx is not installed, too: the exporter and the session are stand-ins.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmseg_sparse.engine.onnx import export_onnx
from tests.helpers import tiny


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Config, str]:
    cfg = Config(tiny.config(tmp_path / 'nowhere'))
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    meta = dict(
        dataset_meta=dict(classes=tiny.CLASSES, palette=list(tiny.PALETTE))
    )
    path = tmp_path / 'my.pth'
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return cfg, str(path)


def stand_in(monkeypatch: pytest.MonkeyPatch, error: float) -> None:
    """Make files whose logits differ by ``error`` from PyTorch's."""
    network = None

    def export(given: Any, arguments: Any, path: Path, **kwargs: Any) -> None:
        nonlocal network
        network = given
        path.write_bytes(b'')

    class Session:
        def __init__(self, content: bytes) -> None:
            pass

        def run(self, names: Any, inputs: dict[str, Any]) -> list[Any]:
            with torch.no_grad():
                logits = network(torch.from_numpy(inputs['image'])).numpy()
            logits[-1, -1, -1, -1] += np.float32(error)
            return [logits]

    monkeypatch.setattr(torch.onnx, 'export', export)
    for name in ('onnx', 'onnxscript', 'onnxruntime'):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules['onnxruntime'].InferenceSession = Session


@pytest.mark.parametrize('error', [2e-4, -2e-4, float('nan')])
def test_other_logits_are_an_error(
    trained: tuple[Config, str], monkeypatch: pytest.MonkeyPatch, error: float
) -> None:
    stand_in(monkeypatch, error)
    with pytest.raises(ValueError, match=r'expected at most 0\.0001'):
        export_onnx(*trained, size=(64, 64))


def test_small_differences_are_told(
    trained: tuple[Config, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, 5e-5)
    done = export_onnx(*trained, size=(64, 64))
    assert done.difference == pytest.approx(5e-5, rel=0.05)
