import subprocess
import sys

import mmseg.registry as mmseg_registry
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmseg_sparse
from mmseg_sparse import registry

NAMES = {
    'MODELS': ['SparseEncoderDecoder', 'AttentionAffinityLoss'],
    'DATASETS': ['CamVidDataset'],
    'TRANSFORMS': ['SparseResize', 'SparseRandomCrop', 'PackSparseInputs'],
}


@pytest.mark.parametrize('kind', NAMES)
def test_types_resolve_with_and_without_scope(kind):
    stock = getattr(mmseg_registry, kind)
    ours = getattr(registry, kind)
    for name in NAMES[kind]:
        found = stock.get(name)
        assert found.__module__.startswith('mmseg_sparse.')
        assert stock.get(f'mmseg_sparse.{name}') is found
        assert ours.get(name) is found
        assert ours.get(f'mmseg_sparse.{name}') is found


def test_a_scoped_dict_builds_ours_and_stock_types(caplog):
    """A base loaded as mmseg_sparse::... stamps the scope on every dict."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        loss = mmseg_registry.MODELS.build(
            dict(type='AttentionAffinityLoss', _scope_='mmseg_sparse')
        )
        stock = mmseg_registry.MODELS.build(
            dict(type='CrossEntropyLoss', _scope_='mmseg_sparse')
        )
    assert type(loss).__name__ == 'AttentionAffinityLoss'
    assert type(stock).__module__.startswith('mmseg.')
    assert 'Failed to search registry' not in caplog.text


def test_a_scoped_dict_builds_what_mmseg_has_not_imported_yet():
    code = (
        'import sys, mmseg_sparse\n'
        'from mmseg_sparse.registry import VISUALIZERS\n'
        'assert "mmseg.visualization" not in sys.modules\n'
        'VISUALIZERS.build(dict(\n'
        '    type="SegLocalVisualizer", name="v", _scope_="mmseg_sparse"))\n'
    )
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True)


def test_config_gives_the_path_of_a_shipped_config():
    path = mmseg_sparse.config('_base_/datasets/camvid_scribble.py')
    cfg = Config.fromfile(path)
    assert cfg.train_dataloader.dataset.data_prefix.seg_map_path == (
        'scribbles/train'
    )


def test_config_finds_an_ablation_where_it_lay_before():
    name = 'dfr-xy_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
    moved = mmseg_sparse.config(f'dfr/ablations/{name}')
    with pytest.warns(DeprecationWarning, match=f"'dfr/ablations/{name}'"):
        assert mmseg_sparse.config(f'dfr/{name}') == moved


@pytest.mark.parametrize(
    'name',
    [
        'dfr/dfr-xy_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py',
        'trl/stages/trl-fpn1_svt-tiny_dctnfpn_1xb8-1k_toy-hybrid-64x64.py',
    ],
)
def test_a_base_is_found_where_an_ablation_lay_before(name, tmp_path):
    moved = f'{name.split("/")[0]}/ablations/{name.split("/")[-1]}'
    for index, base in enumerate([name, moved]):
        text = f"_base_ = 'mmseg_sparse::{base}'\n"
        (tmp_path / f'{index}.py').write_text(text)
    with pytest.warns(DeprecationWarning, match=f"'{moved}'"):
        old = Config.fromfile(tmp_path / '0.py')
    assert old.to_dict() == Config.fromfile(tmp_path / '1.py').to_dict()


def test_a_base_that_is_not_there_is_named(tmp_path):
    text = "_base_ = 'mmseg_sparse::dfr/none.py'\n"
    (tmp_path / 'my.py').write_text(text)
    with pytest.raises(FileNotFoundError, match=r'dfr/none\.py'):
        Config.fromfile(tmp_path / 'my.py')


def test_config_names_what_is_missing():
    with pytest.raises(FileNotFoundError, match=r"'dfr/none\.py'"):
        mmseg_sparse.config('dfr/none.py')
