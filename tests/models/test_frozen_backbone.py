"""A frozen backbone runs once an image; what it gave is read afterwards."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.models.backbones import AttentionRecorder, FrozenBackbone

VIT = dict(
    type='VisionTransformer', img_size=28, patch_size=14, embed_dims=16,
    num_layers=2, num_heads=2, mlp_ratio=2, out_indices=(0, 1),
    final_norm=True,
)  # fmt: skip


def build(**changes: Any) -> FrozenBackbone:
    torch.manual_seed(4)
    model = MODELS.build(
        dict(type='FrozenBackbone', backbone=dict(VIT), stem_channels=(4, 6))
        | changes
    )
    model.train()
    return model


def images(number: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(6)
    return torch.randn(number, 3, 42, 56, generator=generator)


def refuse(image: Tensor) -> None:
    raise AssertionError('the backbone runs again')


def test_stem_learns_and_comes_first() -> None:
    model = build()
    maps = model(images())
    assert [tuple(one.shape) for one in maps] == [
        (3, 4, 11, 14), (3, 6, 6, 7), (3, 16, 3, 4), (3, 16, 3, 4)
    ]  # fmt: skip
    sum(one.sum() for one in maps if one.requires_grad).backward()
    learns = {n for n, p in model.named_parameters() if p.grad is not None}
    assert learns == {n for n, _ in model.named_parameters() if 'stem' in n}
    assert not model.backbone.training
    plain = build(stem_channels=None)
    model.backbone.load_state_dict(plain.backbone.state_dict())
    for one, other in zip(plain(images()), model(images())[2:], strict=True):
        torch.testing.assert_close(one, other)


def test_an_image_is_run_once(tmp_path: Path) -> None:
    expected = build(stem_channels=None)(images())
    model = build(stem_channels=None, cache_dir=str(tmp_path))
    model(images()[1:2])
    assert len(list(tmp_path.rglob('*.npz'))) == 1
    kept = next(tmp_path.rglob('*.npz')).stat().st_mtime_ns
    first = model(images())
    assert len(list(tmp_path.rglob('*.npz'))) == 3
    assert kept in {p.stat().st_mtime_ns for p in tmp_path.rglob('*.npz')}
    other = build(stem_channels=None, cache_dir=str(tmp_path))
    other.backbone.forward = refuse
    for one, again, whole in zip(
        first, other(images()), expected, strict=True
    ):
        assert torch.equal(one, again)
        torch.testing.assert_close(one, whole, rtol=1e-3, atol=1e-3)  # half
    assert {path.suffix for path in tmp_path.rglob('*.*')} == {'.npz'}


@pytest.mark.parametrize('change', ['pixels', 'size', 'weights', 'layers'])
def test_what_changes_the_maps_changes_the_key(
    change: str, tmp_path: Path
) -> None:
    kwargs = dict(stem_channels=None, cache_dir=str(tmp_path))
    build(**kwargs)(images(1))
    image, model = images(1), build(**kwargs)
    if change == 'pixels':
        image[0, 0, 0, 0] += 1e-3
    elif change == 'size':
        image = image.reshape(1, 3, 56, 42)
    elif change == 'weights':
        model.backbone.pos_embed.data[0, 0, 0] += 1e-3
    else:
        model = build(backbone=dict(VIT, out_indices=(1,)), **kwargs)
    found = model(image)
    assert len(list(tmp_path.rglob('*.npz'))) == 2
    model.cache_dir = None
    for one, other in zip(found, model(image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_weights_loaded_after_a_run_count(tmp_path: Path) -> None:
    model = build(stem_channels=None, cache_dir=str(tmp_path))
    before = model(images(1))
    state = model.state_dict()
    key = 'backbone.layers.1.attn.attn.in_proj_weight'
    state[key] = state[key] * 3
    model.load_state_dict(state)
    found = model(images(1))
    model.cache_dir = None
    for one, other in zip(found, model(images(1)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
    assert (found[1] - before[1]).abs().max() > 0.01


def test_autocast_is_near_and_keeps_the_dtype() -> None:
    exact = build(stem_channels=None)(images())
    found = build(stem_channels=None, autocast='bfloat16')(images())
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == torch.float32
        assert 0 < (one - other).abs().max() < 0.1
    with pytest.raises(ValueError, match='autocast must be'):
        build(autocast='float8')


def test_attention_of_layers_is_kept_with_the_maps(tmp_path: Path) -> None:
    """What is recorded is the transformer's own attention, also when read."""
    plain = build(stem_channels=None)
    with torch.no_grad(), AttentionRecorder(plain.backbone) as (stock,):
        expected = plain(images())
    kwargs = dict(attention_layers=(1, 0), cache_dir=str(tmp_path))
    build(cache_dir=str(tmp_path))(images())  # other files
    for run in ('made', 'read'):
        model = build(**kwargs)
        if run == 'read':
            model.backbone.forward = refuse
        with AttentionRecorder(model, [0]) as (layers,):
            maps = model(images())
        assert len(maps) == 4
        for one, other in zip(maps[2:], expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
        for one, index in zip(layers, (1, 0), strict=True):
            other = stock[index]
            assert (one.query_hw, one.key_hw) == ((3, 4), (3, 4))
            assert one.query_centers == other.query_centers
            assert not one.query.requires_grad
            torch.testing.assert_close(
                one.dense(), other.dense(), rtol=1e-2, atol=1e-3
            )
        model(images())  # outside, nothing is handed out
        assert len(layers) == 2
    assert len(list(tmp_path.rglob('*.npz'))) == 6


def test_attention_layers_are_checked() -> None:
    with pytest.raises(ValueError, match=r'among 0 to 1, got \(0, 2\)'):
        build(attention_layers=(0, 2))
    resnet = dict(type='ResNetV1c', depth=18, base_channels=4)
    with pytest.raises(TypeError, match='got the backbone ResNetV1c'):
        build(attention_layers=(0,), backbone=resnet)
    with pytest.raises(ValueError, match='name the layers'):
        AttentionRecorder(build())
    with pytest.raises(ValueError, match='has attention stages 0 to 0'):
        AttentionRecorder(build(attention_layers=(0,)), [1])
