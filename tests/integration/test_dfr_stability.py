"""DFR trains in low precision without a value that is not finite."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import MODELS

import mmseg_sparse  # noqa: F401
from tests.helpers import stock, tiny


@pytest.mark.slow
def test_200_steps_under_bf16_autocast_stay_finite():
    torch.manual_seed(0)
    cfg = tiny.model_config()
    cfg['regularizers'] = [
        dict(
            type='DFRLoss',
            in_channels=8,
            feature_channels=16,
            confidence=0.5,
            loss_weight=0.1,
            feature_loss_weight=0.1,
        ),
        dict(type='GatedCRFLoss', loss_weight=0.1),
    ]
    model = MODELS.build(cfg)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    wrapper = OptimWrapper(optimizer)
    images, samples = stock.batch(2)
    for sample in samples:
        known = sample.gt_sem_seg.data
        known[known != 255] %= len(tiny.CLASSES)
    shares, first = [], None
    for _ in range(200):
        with torch.autocast('cpu', torch.bfloat16):
            losses = model.loss(images, samples)
            loss, log = model.parse_losses(losses)
        assert all(torch.isfinite(value).all() for value in log.values())
        wrapper.zero_grad()
        wrapper.backward(loss)
        grads = [p.grad for p in model.parameters()]
        assert all(torch.isfinite(grad).all() for grad in grads)
        wrapper.step()
        shares.append(log['decode.confident_share'].item())
        first = log if first is None else first
    assert all(torch.isfinite(p).all() for p in model.parameters())
    # It has learned, and the feature losses had something to do.
    assert log['decode.loss_ce'] < 0.5 * first['decode.loss_ce']
    assert log['decode.loss_dfr'] < first['decode.loss_dfr']
    assert max(shares) > 0.5
