"""Where the tokens of real backbones are, and AFA's use of it."""

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from mmseg_sparse.functional import affinity_labels
from mmseg_sparse.functional.token_centers import Centers
from mmseg_sparse.models.backbones import token_centers
from mmseg_sparse.models.padding import inside_image
from mmseg_sparse.models.segmentors.multi_scale_cam import multi_scale_cam
from tests.helpers import afa, stock
from tests.helpers.sparse import AFFINITY, config


def test_the_tokens_of_a_mit_are_at_multiples_of_their_stride():
    """The embeddings of a real model alone: all of their weights 1."""
    model = afa.build()
    chain = nn.Sequential(
        *(layer[0].projection for layer in model.backbone.layers)
    ).double()
    for layer in chain:
        nn.init.ones_(layer.weight)
    image = torch.zeros(1, 3, 100, 90, dtype=torch.float64, requires_grad=True)
    outputs = chain(image)
    assert outputs.shape[2:] == (7, 6)
    (read,) = torch.autograd.grad(outputs[0, 0, 3, 2], image)
    read = read[0, 0] / read[0, 0].sum()
    row = (read.sum(1) * torch.arange(100)).sum().item()
    column = (read.sum(0) * torch.arange(90)).sum().item()
    centers = token_centers(model.backbone, 3)
    assert centers == Centers(16, 0)
    assert (row, column) == pytest.approx((48, 32))


def test_other_backbones():
    vit = stock.stock_model_config('setr-pup').backbone
    assert token_centers(MODELS.build(vit), 0) == Centers(16, 7.5)
    with pytest.raises(TypeError, match="Identity: set align='extent'"):
        token_centers(nn.Identity(), 0)


def test_an_image_turned_over_has_its_labels_turned_over():
    """With true centres, the maps of mirror images lie on one another."""
    images, samples = afa.batch(height=50, width=72)
    images, samples = images[:1], samples[:1]
    valid = inside_image(samples, images[:, 0])
    model = afa.build(align='centers').eval()
    assert model.centers == Centers(16, 0)
    options = dict(scales=(1.0, 1.5), flip=True, stage=3)
    found, other, spread = (
        multi_scale_cam(model, batch, valid, centers=centers, **options)
        for batch, centers in (
            (images, model.centers),
            (images.flip(-1), model.centers),
            (images, None),
        )
    )
    assert torch.allclose(found.cam.flip(-1), other.cam, atol=1e-5)
    assert not torch.allclose(found.cam, spread.cam, atol=1e-2)
    rows, columns = found.centers
    assert rows.step == pytest.approx(16 / 1.5)
    assert rows == columns
    assert spread.centers is None


def test_affinity_labels_are_those_of_the_tokens_own_pixels(monkeypatch):
    images, samples = afa.batch(height=66, width=100)
    seen = []
    module = 'mmseg_sparse.models.segmentors.afa_segmentor'
    monkeypatch.setattr(f'{module}.training_iteration', lambda: 3)
    monkeypatch.setattr(
        f'{module}.affinity_labels',
        lambda labels, radius: (
            seen.append(labels) or affinity_labels(labels, radius=radius)
        ),
    )
    model = afa.build(align='centers')
    losses = model.loss(images, samples)
    assert all(torch.isfinite(value).all() for value in losses.values())
    model.eval()
    model.propagation_begin = 0
    found = model.pseudo_labels(images, samples)
    valid = inside_image(samples, images[:, 0])
    assert (found.final[~valid] == 255).all()
    assert (found.final[valid] != 255).all()
    labels = torch.arange(66 * 100).view(1, 66, 100)
    at = model._at_tokens(labels, (5, 7))
    assert torch.equal(at, labels[:, ::16, ::16])
    assert seen[0].shape == (2, 5, 7)


def test_refuses_maps_of_another_stage():
    with pytest.raises(ValueError, match=r"align must be in .* got 'center'"):
        afa.build(align='center')
    with pytest.raises(ValueError, match='of the stage whose attention'):
        afa.build(dict(attention_stage=2, attention_heads=2), align='centers')


def test_recorded_attention_knows_where_it_is():
    """Keys of the first stage: 8 of its tokens, at 4 pixels each."""
    images, samples = stock.batch(height=66, width=100)
    model = stock.build(
        config([dict(AFFINITY, align=a, loss_name=f'loss_{a}')
                for a in ('extent', 'centers')])
    )  # fmt: skip
    with torch.no_grad():
        stages = model.extract_feat(images).attention
    assert stages[0][0].query_centers == Centers(4, 0)
    ratio = stages[0][0].query_hw[0] // stages[0][0].key_hw[0]
    wanted = Centers(4 * ratio, 2 * (ratio - 1))
    assert stages[0][0].key_centers == wanted
    losses = model.loss(images, samples)
    spread, centred = (
        losses[f'decode.loss_{a}'].item() for a in ('extent', 'centers')
    )
    assert centred > 0
    assert centred != pytest.approx(spread, rel=1e-4)
