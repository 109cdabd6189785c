"""ONNX files give the logits of PyTorch, at the sizes they are made for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmseg_sparse.engine.onnx import export_onnx
from tests.helpers import tiny
from tests.helpers.tools import call

pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
onnxruntime = pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.slow
NORM = dict(type='BN', requires_grad=True)


def head(kind: str, **more: Any) -> dict[str, Any]:
    return dict(
        type=kind, channels=8, num_classes=3, norm_cfg=NORM,
        align_corners=False, dropout_ratio=0.0,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True), **more,
    )  # fmt: skip


RESNET = dict(
    type='ResNetV1c', depth=18, num_stages=4, out_indices=(0, 1, 2, 3),
    norm_cfg=NORM, stem_channels=8, base_channels=8,
)  # fmt: skip
PARTS = {
    'segformer': {},
    'deeplabv3plus': dict(
        backbone=RESNET,
        decode_head=head(
            'DepthwiseSeparableASPPHead', in_channels=64, in_index=3,
            dilations=(1, 2), c1_in_channels=8, c1_channels=4,
        ),
    ),
    'upernet': dict(
        backbone=RESNET,
        decode_head=head(
            'UPerHead', in_channels=[8, 16, 32, 64], in_index=[0, 1, 2, 3],
            pool_scales=(1, 2),
        ),
    ),
    'unet': dict(
        backbone=dict(
            type='UNet', base_channels=4, num_stages=3, strides=(1, 1, 1),
            enc_num_convs=(1, 1, 1), dec_num_convs=(1, 1),
            downsamples=(True, True), enc_dilations=(1, 1, 1),
            dec_dilations=(1, 1), norm_cfg=NORM,
        ),
        decode_head=head(
            'FCNHead', in_channels=4, in_index=2, num_convs=1,
            concat_input=False,
        ),
    ),
    'vit': dict(
        backbone=dict(
            type='VisionTransformer', img_size=(64, 64), patch_size=16,
            embed_dims=16, num_layers=2, num_heads=2, out_indices=(1,),
            final_norm=True, norm_cfg=dict(type='LN', eps=1e-6),
        ),
        decode_head=head(
            'FCNHead', in_channels=16, in_index=0, num_convs=1,
            concat_input=False,
        ),
    ),
}  # fmt: skip
#: What may vary in each file.
VARIES = {name: 'batch and size' for name in PARTS} | {
    'upernet': 'batch',  # pools to a grid
    'vit': 'batch',  # resizes its positions
}


def trained(name: str, folder: Path) -> tuple[Config, str]:
    """Return a config, and a checkpoint with weights that are not small."""
    cfg = Config(tiny.config(folder / 'nowhere'))
    parts = PARTS[name]
    if parts:
        cfg.model.pop('regularizers')
        cfg.model.type = 'EncoderDecoder'
        for key, value in parts.items():
            cfg.model[key] = value  # update() would merge them
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    meta = dict(
        dataset_meta=dict(classes=tiny.CLASSES, palette=list(tiny.PALETTE))
    )
    path = folder / 'my.pth'
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return cfg, str(path)


@pytest.mark.parametrize('name', PARTS)
def test_models(name: str, tmp_path: Path) -> None:
    cfg, checkpoint = trained(name, tmp_path)
    made = export_onnx(cfg, checkpoint)
    assert made.varies == VARIES[name]
    assert 0 < made.difference <= 1e-4
    assert bool(made.notes) == (made.varies != 'batch and size')
    session = onnxruntime.InferenceSession(made.content)
    images = np.random.default_rng(1).standard_normal((2, 3, 64, 64))
    (logits,) = session.run(None, {'image': images.astype(np.float32)})
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(
        torch.load(checkpoint, weights_only=True)['state_dict']
    )
    with torch.no_grad():
        wanted = model.encode_decode(
            torch.tensor(images).float(), [dict(img_shape=(64, 64))] * 2
        )
    np.testing.assert_allclose(logits, wanted, atol=1e-4)


def test_the_script_segments_an_image(tmp_path: Path) -> None:
    cfg, checkpoint = trained('unet', tmp_path)
    cfg.model.data_preprocessor.update(
        mean=[10.0, 100.0, 200.0], std=[20.0, 30.0, 40.0], bgr_to_rgb=True
    )
    cfg.dump(tmp_path / 'my.py')
    image = np.random.default_rng(0).integers(0, 256, (50, 61, 3), np.uint8)
    np.save(tmp_path / 'image.npy', image)
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(
        torch.load(checkpoint, weights_only=True)['state_dict']
    )
    padded = np.pad(image, ((0, 14), (0, 3), (0, 0))).astype(np.float32)
    normed = (padded - [10, 100, 200]) / [20, 30, 40]
    wanted = {}
    for inside in (False, True):
        # Padding is black before or after the normalisation.
        inputs = normed if inside else np.pad(
            normed[:50, :61], ((0, 14), (0, 3), (0, 0))
        )  # fmt: skip
        with torch.no_grad():
            logits = model.encode_decode(
                torch.tensor(inputs.transpose(2, 0, 1)[None]).float(),
                [dict(img_shape=(64, 64))],
            )
        wanted[inside] = logits[0, :, :50, :61].argmax(0).numpy()
    for inside in (False, True):
        out = tmp_path / f'out{inside}'
        done = call(
            'export_onnx', 'my.py', 'my.pth', out,
            *(['--preprocessing'] if inside else []), cwd=tmp_path,
        )  # fmt: skip
        assert 'batch and size may vary; logits differ' in done.stdout
        subprocess.run(
            [sys.executable, str(out / 'infer.py'), 'image.npy', 'found.npy'],
            cwd=tmp_path, check=True,
        )  # fmt: skip
        np.testing.assert_array_equal(
            np.load(tmp_path / 'found.npy'), wanted[inside]
        )
    done = call('export_onnx', 'my.py', 'my.pth', out, cwd=tmp_path,
                check=False)  # fmt: skip
    assert 'exists: --overwrite replaces it' in done.stderr
