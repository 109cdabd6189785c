"""Pictures of attention, affinity and what becomes of a tag."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmseg_sparse.models.backbones import AttentionRecorder
from mmseg_sparse.pseudo_labels.whole_images import (
    make_pseudo_labels,
    whole_images,
)
from tests.helpers import generator_case as case
from tests.helpers.tools import load


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data')
    case.write_images(root)
    for model, heatmaps in ((case.afa_model(), False),
                            (case.refiner_model(), True)):  # fmt: skip
        cfg = case.config(root, model, heatmaps=heatmaps)
        case.checkpoint(cfg, root / f'{model["type"]}.pth')
    return root


@pytest.fixture
def tool():
    return load('visualize_affinity')


@pytest.fixture
def looked(tool, root):
    """Return the model, and what is found of an image that is padded."""
    cfg = case.Config.fromfile(root / 'AFASegmentor.py')
    model = case.built(cfg, root / 'AFASegmentor.pth')
    make_pseudo_labels(model, True)
    images = whole_images(cfg)

    def look(name, points=None):
        (item,) = tool.choose(images, [name])
        return tool.look(model, item, points), item

    return model, look


def test_rows_of_attention_and_affinity(looked):
    model, look = looked
    found, item = look('a/0', [(30.2, 21.0)])
    data = {key: [value] for key, value in item.load().items()}
    inputs = model.data_preprocessor(data, False)['inputs']
    assert inputs.shape[2:] == (48, 64)  # of 47 x 64, and 37 x 50 before
    large = F.interpolate(inputs, scale_factor=1.5, mode='bilinear')
    with torch.no_grad(), AttentionRecorder(model.backbone, [3]) as stages:
        model.backbone(large)
    (layer,) = stages[3]
    assert layer.query_hw == (5, 6)  # 72 and 96 pixels at 1/16
    # 21.5 of 37 rows of 5 * 47 / 48 tokens; 30.7 of 50 columns of 6
    token = 2 * 6 + 3
    (pair,) = found.pairs
    dense = layer.dense()[0].mean(0)[token]
    np.testing.assert_allclose(pair.attention.ravel(), dense, rtol=1e-4)
    scores = layer.query @ layer.key.transpose(2, 3)
    scores = (scores + scores.transpose(2, 3))[0, :, token]
    weight = model.decode_head.affinity.conv.weight.flatten()
    bias = model.decode_head.affinity.conv.bias
    wanted = (weight @ scores + bias).sigmoid().detach()
    np.testing.assert_allclose(pair.affinity.ravel(), wanted, rtol=1e-4)
    assert pair.affinity.std() > 0.01
    assert pair.window == (2 - 8, 2 + 8, 3 - 8, 3 + 8)
    assert pair.tag == 0


def test_queries_are_where_tags_are_activated_most(looked):
    _, look = looked
    found, item = look('a/b/1')
    assert [pair.tag for pair in found.pairs] == [1, 2]
    for pair in found.pairs:
        x, y = map(int, pair.point)
        map_ = found.activation[pair.tag]
        assert map_.shape == (48, 32)
        assert map_[y, x] == map_.max() > 0
    truth = cv2.imread(
        item.path.replace('images', 'masks'), cv2.IMREAD_UNCHANGED
    )
    assert np.array_equal(found.labels['truth'], truth)
    assert set(found.labels) == {
        'cam', 'refined', 'propagated', 'labels', 'prediction', 'truth'
    }  # fmt: skip
    with pytest.raises(ValueError, match=r'--point 32 3 lies outside .* 32 x'):
        look('a/b/1', [(32.0, 3.0)])
    with pytest.raises(ValueError, match=r"'x' is neither .* below 3"):
        look('x')


def test_tokens_are_where_they_are_in_the_image(tool):
    pair = tool.Pair((0, 0), 0, None, None, (4.0, 3.0), (-1, 1, 1, 2))
    tokens = np.zeros((5, 4), np.float32)
    tokens[3, 2] = 1
    large = tool.spread(tokens, pair, (40, 60))
    assert large.shape == (40, 60)
    # 35.5 / 50 * 5 and 50.5 / 80 * 4 tokens; the centre is at 3.5 and 2.5
    assert large[35, 50] == pytest.approx(0.95 * 0.975)
    assert not large[:25].any()
    assert not large[:, :30].any()
    box = tool.draw_window(np.zeros((40, 60, 3), np.uint8), pair)
    rows, columns = np.nonzero(box[..., 0])
    assert (rows.max(), columns.min(), columns.max()) == (19, 20, 59)


def test_the_tool_draws_a_row_for_each_query(tool, root, monkeypatch, capsys):
    monkeypatch.chdir(root)

    def run(*arguments, name='AFASegmentor'):
        tool.main([f'{name}.py', f'{name}.pth', *arguments])
        return capsys.readouterr().out

    out = run('sub/a.png', '--split', 'train', '--width', '64', '--images',
              'a/0', '1')  # fmt: skip
    assert out.endswith('sub/a.png\n')
    sheet = cv2.imread('sub/a.png')
    # titles, three rows with captions, a legend; ten columns
    assert sheet.shape == (26 + 3 * (64 + 26) + 30, 12 + 10 * (64 + 12), 3)
    with pytest.raises(SystemExit):
        run('sub/a.png', '--split', 'train')
    assert 'sub/a.png exists: name another' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='HeatmapRefiner makes no labels'):
        run('b.png', '--split', 'train', name='HeatmapRefiner')
    with pytest.raises(SystemExit, match=r'a/0\.png: has no tags'):
        run('b.png', '--split', 'test')
    assert not Path('b.png').exists()


def test_head_weights_are_drawn_without_images(tool, root, tmp_path):
    """A bar for each head, negative ones in another colour."""
    cfg = case.Config.fromfile(root / 'AFASegmentor.py')
    model = case.built(cfg, root / 'AFASegmentor.pth')
    conv = model.decode_head.affinity.conv
    heads = conv.weight.numel()
    (layers,) = {len(model.backbone.layers[3][1])}
    signs = torch.tensor([1.0, *[-1.0] * (heads - 1)])
    conv.weight.data = signs.reshape(conv.weight.shape)
    weights = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), weights)
    cfg.train_dataloader = cfg.test_dataloader = None
    cfg.dump(tmp_path / 'afa.py')
    out = tmp_path / 'heads.png'
    tool.main([str(tmp_path / 'afa.py'), str(weights), str(out),
               '--head-weights'])  # fmt: skip
    picture = cv2.imread(str(out))[..., ::-1].astype(int)
    blue, orange = (
        (abs(picture - np.array(color)) < 8).all(-1).sum()
        for color in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00))
    )
    assert layers == 1
    assert blue > 100
    assert orange / blue == pytest.approx(heads - 1, rel=0.05)
