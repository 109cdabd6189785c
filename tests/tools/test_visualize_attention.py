import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmseg_sparse.models.backbones import AttentionRecorder
from tests.helpers import stock
from tests.helpers.tools import call, load


@pytest.fixture(scope='module')
def tool():
    return load('visualize_attention')


@pytest.fixture
def model():
    model = stock.build(stock.stock_model_config('segformer'))
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    model.train(False)
    return model


def test_the_maps_are_the_points_rows_of_the_dense_attention(tool, model):
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    maps = tool.attention_of_point(model, image, (70.0, 9.0))
    batch = torch.from_numpy(image).permute(2, 0, 1)
    inputs = model.data_preprocessor(dict(inputs=[batch]), False)['inputs']
    with torch.no_grad(), AttentionRecorder(model.backbone) as stages:
        model.backbone(inputs)
    # grids of 24 x 32, 12 x 16, 6 x 8 and 3 x 4 cells of 4 to 32 pixels
    tokens = [2 * 32 + 17, 1 * 16 + 8, 0 * 8 + 4, 0 * 4 + 2]
    for one, layers, token in zip(maps, stages, tokens, strict=True):
        dense = torch.stack([layer.dense() for layer in layers])
        expected = dense.mean((0, 2))[0, token].view(3, 4)
        np.testing.assert_allclose(one, expected.numpy(), rtol=1e-5)
        assert one.sum() == pytest.approx(1, rel=1e-5)
        assert one.std() > 0


def test_a_point_outside_the_image_is_refused(tool, model):
    image = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(SystemExit, match=r'--point 60 3 lies outside .* 60 x'):
        tool.attention_of_point(model, image, (60.0, 3.0))


def test_heat_is_blue_where_uniform_and_red_where_high(tool):
    grey = np.full((40, 40, 3), 128, np.uint8)
    cool = tool.heat(grey, np.full((4, 4), 1 / 16, np.float32))
    assert (cool[..., 2] > cool[..., 0]).all()
    peak = np.full((4, 4), 0.01, np.float32)
    peak[3, 0] = 0.85
    hot = tool.heat(grey, peak)
    assert hot[36, 4, 0] > hot[36, 4, 2]
    assert hot[4, 36, 2] > hot[4, 36, 0]


def test_the_tool_draws_rows_for_before_and_after(tmp_path, model):
    cfg = Config(dict(model=stock.stock_model_config('segformer')))
    cfg.custom_imports = dict(imports=['mmseg_sparse'])
    cfg.default_scope = 'mmseg'
    cfg.test_pipeline = []
    cfg.dump(tmp_path / 'config.py')
    for name in ('before', 'after'):
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        torch.save(
            dict(
                state_dict=model.state_dict(),
                meta=dict(
                    dataset_meta=dict(classes=['a'] * 5, palette=[[0] * 3] * 5)
                ),
            ),
            tmp_path / f'{name}.pth',
        )
    for name in ('a', 'b'):
        noise = np.random.default_rng(1).integers(0, 256, (64, 96, 3))
        cv2.imwrite(str(tmp_path / f'{name}.png'), noise.astype(np.uint8))
    command = [
        'visualize_attention', 'config.py', 'a.png', 'b.png',
        '--before', 'before.pth', '--after', 'after.pth',
        '--point', '10', '20', '--width', '96', '--out', 'sub/out.png',
    ]  # fmt: skip
    call(*command, cwd=tmp_path)
    sheet = cv2.imread(str(tmp_path / 'sub/out.png'))
    # two images by two checkpoints, five columns
    assert sheet.shape[0] > 4 * 64
    assert sheet.shape[1] > 5 * 96
    wrong = call(*command[:-4], '--out', 'out.jpg', cwd=tmp_path, check=False)
    assert wrong.returncode == 2
    assert "--out must end in .png, got 'out.jpg'" in wrong.stderr
