import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmseg_sparse.functional import dense_crf_energy
from mmseg_sparse.models.features import Features

STD = torch.tensor([58.395, 57.12, 57.375], dtype=torch.float64)
MEAN = torch.tensor([123.675, 116.28, 103.53], dtype=torch.float64)


def build(**changes):
    return MODELS.build(dict(type='DenseCRFLoss', **changes))


def make_case():
    colours = 255 * torch.rand(2, 3, 16, 24, dtype=torch.float64)
    image = (colours - MEAN[:, None, None]) / STD[:, None, None]
    logits = 3 * torch.randn(2, 4, 4, 6, dtype=torch.float64)
    labels = torch.randint(4, (2, 16, 24))
    labels[:, :, 7:] = 255
    valid = torch.ones(2, 16, 24, dtype=torch.bool)
    valid[1, 11:] = False
    labels[~valid] = 255
    return logits.requires_grad_(), Features((), image), labels, valid, colours


def half(valid):
    """Of 2x2 pixels none is padding."""
    return valid[:, ::2, ::2] & valid[:, 1::2, ::2]


def test_is_the_energy_of_the_colours_at_half_the_size():
    logits, feats, labels, valid, colours = make_case()
    loss = build(gated=False, loss_weight=0.5, loss_name='loss_reg')
    found = loss(logits, feats, labels, valid)
    prob = F.interpolate(logits, (8, 12), mode='bilinear').softmax(1)
    wanted = dense_crf_energy(
        prob,
        F.avg_pool2d(colours, 2),
        sigma_rgb=15,
        sigma_xy=50,
        valid=half(valid),
    )
    assert found.keys() == {'loss_reg'}
    torch.testing.assert_close(found['loss_reg'], 0.5 * wanted, rtol=1e-6,
                               atol=0)  # fmt: skip


def test_pixels_count_as_they_are_unsure_or_without_label():
    logits, feats, labels, valid, colours = make_case()
    options = dict(sigma_rgb=40.0, sigma_xy=30.0)
    found = build(loss_weight=1.0, **options)(logits, feats, labels, valid)
    prob = F.interpolate(logits, (8, 12), mode='bilinear').softmax(1)
    gate = 1 - prob.detach().amax(1)
    gate[labels[:, ::2, ::2] == 255] = 1
    wanted = dense_crf_energy(
        prob,
        F.avg_pool2d(colours, 2),
        sigma_rgb=40,
        sigma_xy=15,
        gate=gate,
        one_sided=True,
        valid=half(valid),
    )
    found = found['loss_dense_crf']
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
    gradients = [
        torch.autograd.grad(one, logits, retain_graph=True)[0]
        for one in (found, wanted)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)


def test_errors_name_what_is_wrong():
    for name, value, wanted in (
        ('sigma_rgb', 0.0, 'sigma_rgb must be positive, got 0'),
        ('sigma_xy', -1.0, 'sigma_xy must be positive, got -1'),
        ('scale_factor', 2.0, r'scale_factor must .* got 2'),
        ('std', (1.0, 0.0, 1.0), r'std must be positive, got \(1.0, 0.0'),
    ):
        with pytest.raises(ValueError, match=wanted):
            build(**{name: value})
    logits, feats, labels, valid, _ = make_case()
    with pytest.raises(ValueError, match='std has 1 values, the image 3'):
        build(std=[1.0])(logits, feats, labels, valid)
