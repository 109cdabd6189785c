"""Pictures of what the streams of a DCTN attend to."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mmseg_sparse.pseudo_labels.whole_images import whole_images
from tests.helpers import dctn
from tests.helpers import generator_case as case
from tests.helpers.tools import load

#: One head and all keys, so that the formula can be written out.
PLAIN = dict(dctn.BACKBONE, num_heads=(1, 1, 1, 1), sr_ratios=(1, 1, 1, 1))


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data')
    case.write_images(root)
    for name, backbone in (
        ('dctn', PLAIN),
        ('dtn', dict(PLAIN, with_cross=False)),
        ('stn', dict(PLAIN, streams=('image',))),
    ):
        cfg = case.config(root, dctn.config(backbone=backbone), heatmaps=True)
        case.checkpoint(cfg, root / f'{name}.pth')
        cfg.dump(root / f'{name}.py')
    return root


@pytest.fixture
def tool():
    return load('visualize_cross_attention')


def test_attention_is_that_of_the_paper(tool, root):
    """Equation 5: queries and keys of one stream, values of the other."""
    cfg = case.Config.fromfile(root / 'dctn.py')
    model = case.built(cfg, root / 'dctn.pth')
    (item,) = tool.choose(whole_images(cfg), ['a/0'])
    tokens = {}
    for name in ('image', 'heatmap'):
        layer = model.backbone.transformers[name].layers[3][-1]
        layer.norm1.register_forward_hook(
            lambda _, __, out, name=name: tokens.update({name: out[0]})
        )
    seen = tool.look(model, item, 4)
    for name, other in (('image', 'heatmap'), ('heatmap', 'image')):
        mha = model.backbone.transformers[name].layers[3][-1].attn.attn
        width = tokens[name].shape[1]
        q, k, v = (
            x @ w.T + b
            for x, w, b in zip(
                (tokens[name], tokens[name], tokens[other]),
                mha.in_proj_weight.split(width),
                mha.in_proj_bias.split(width),
                strict=True,
            )
        )
        weights = (q @ k.T / width**0.5).softmax(1)
        found = seen.streams[name]
        np.testing.assert_allclose(
            found.weights, weights.detach(), rtol=1e-4, atol=1e-6
        )
        out = mha.out_proj(weights @ v).norm(dim=1).detach()
        np.testing.assert_allclose(found.output, out, rtol=1e-4)
        # 37 x 50 pixels, resized to 47 x 64 and padded to 48 x 64
        assert found.query_hw == found.key_hw == (3, 4)
    assert seen.inside == (47 / 48, 1)


def test_queries_are_where_heat_maps_are_highest(tool, root):
    cfg = case.Config.fromfile(root / 'dctn.py')
    model = case.built(cfg, root / 'dctn.pth')
    (item,) = tool.choose(whole_images(cfg), ['2'])
    seen = tool.look(model, item, 2)
    found = tool.queries(seen, None, '2')
    assert [index for _, index in found] == [1, 3]
    for (x, y), index in found:
        assert (
            seen.heatmaps[index, int(y), int(x)] == seen.heatmaps[index].max()
        )
    height, width = seen.heatmaps.shape[1:]
    grid = seen.streams['image'].query_hw
    last = tool.token_at(seen, grid, (width - 1, height - 1))
    assert tool.token_at(seen, grid, (0, 0)) == 0
    assert last == grid[0] * grid[1] - 1
    with pytest.raises(ValueError, match='lies outside 2 of'):
        tool.queries(seen, [(width, 0)], '2')


def test_two_networks_are_drawn_below_each_other(tool, root, tmp_path, capsys):
    out = tmp_path / 'cross.png'
    arguments = [str(root / 'dctn.py'), str(root / 'dctn.pth'), str(out)]
    beside = ['--beside', str(root / 'dtn.py'), str(root / 'dtn.pth')]
    tool.main([*arguments, '--images', 'a/0', '2', '--width', '64'])
    alone = cv2.imread(str(out)).shape
    tool.main([*arguments, *beside, '--images', 'a/0', '2', '--width', '64',
               '--overwrite'])  # fmt: skip
    both = cv2.imread(str(out)).shape
    assert alone[1] == both[1] == 12 + 7 * (64 + 12)
    # Two images with two heat maps each: 4 rows, then 8 of them.
    row = (both[0] - alone[0]) / 4
    assert 4 * row < alone[0] < 6 * row
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert 'cross.png exists: name another file' in capsys.readouterr().err
    arguments[:2] = [str(root / 'stn.py'), str(root / 'stn.pth')]
    with pytest.raises(SystemExit, match='an image and a heat map stream'):
        tool.main([*arguments, '--overwrite'])
    with pytest.raises(SystemExit, match='--stage must be 1 to 4, got 5'):
        tool.main([str(root / 'dctn.py'), str(root / 'dctn.pth'), str(out),
                   '--overwrite', '--stage', '5'])  # fmt: skip
