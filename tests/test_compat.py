import importlib
import importlib.resources
import importlib.util
import subprocess
import sys
from importlib import metadata

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer

from mmseg_sparse import compat

LITE = importlib.util.find_spec('mmcv._ext') is None
needs_lite = pytest.mark.skipif(not LITE, reason='full mmcv is installed')


def fake_versions(monkeypatch, **versions):
    def version(name):
        if name in versions:
            if versions[name] is None:
                raise metadata.PackageNotFoundError(name)
            return versions[name]
        return real(name)

    real = metadata.version
    monkeypatch.setattr(compat.metadata, 'version', version)


def test_tested_versions_pass_silently(recwarn):
    compat.check_versions()
    assert not [w for w in recwarn if 'mmseg_sparse was' in str(w.message)]


def test_old_library_is_one_sentence(monkeypatch):
    fake_versions(monkeypatch, mmengine='0.8.4')
    with pytest.raises(ImportError) as error:
        compat.check_versions()
    assert str(error.value) == (
        'mmseg_sparse needs mmengine >= 0.9.0, found 0.8.4: '
        "pip install 'mmengine>=0.9.0'"
    )


def test_missing_library_is_one_sentence(monkeypatch):
    fake_versions(monkeypatch, mmsegmentation=None)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        compat.importlib.util,
        'find_spec',
        lambda name: None if name == 'mmseg' else find(name),
    )
    with pytest.raises(ImportError, match='mmsegmentation, which is not'):
        compat.check_versions()


def test_missing_pkg_resources_says_which_setuptools(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        compat.importlib.util,
        'find_spec',
        lambda name: None if name == 'pkg_resources' else find(name),
    )
    with pytest.raises(ImportError, match="pip install 'setuptools<81'"):
        compat.check_versions()


def test_the_advice_for_mmcv_is_a_version_that_mmseg_accepts(monkeypatch):
    stock = dict.fromkeys(['mmcv-lite', 'onedl-mmcv'])
    fake_versions(monkeypatch, mmcv='1.7.2', **stock)
    with pytest.raises(
        ImportError,
        match=r"needs mmcv >= 2.0.0, .*install 'mmcv>=2.0.0,<2.2.0'",
    ):
        compat.check_versions()


def test_configs_of_mmseg_are_found_in_the_fork(monkeypatch, recwarn):
    stock = dict.fromkeys(['mmengine', 'mmcv', 'mmcv-lite', 'mmsegmentation'])
    fork = {
        'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6',
        'onedl-mmsegmentation': '1.4.2',
    }  # fmt: skip
    fake_versions(monkeypatch, **stock, **fork)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        compat.importlib.util,
        'find_spec',
        lambda name: None if name == 'pkg_resources' else find(name),
    )
    compat.check_versions()
    assert not [w for w in recwarn if 'mmseg_sparse was' in str(w.message)]
    monkeypatch.setitem(MODULE2PACKAGE, 'mmseg', 'mmsegmentation')
    compat.register_config_scope()
    assert MODULE2PACKAGE['mmseg'] == 'onedl-mmsegmentation'


def test_newer_library_warns(monkeypatch):
    fake_versions(monkeypatch, torch='3.1.0+cu150')
    with pytest.warns(UserWarning, match=r'torch up to .*found 3\.1\.0'):
        compat.check_versions()


@pytest.mark.parametrize(
    'found',
    [
        dict(torch='2.13.0+cpu'),
        dict(numpy='2.4.9'),
        dict(torch='2.6.0rc4'),
        dict(torch='2.6'),
        dict(torch='2.6.0'),
    ],
)
def test_builds_patches_and_pre_releases_count_as_their_release(
    monkeypatch, recwarn, found
):
    fake_versions(monkeypatch, **found)
    compat.check_versions()
    assert not [w for w in recwarn if 'mmseg_sparse was' in str(w.message)]


def test_not_a_version(monkeypatch):
    fake_versions(monkeypatch, torch='main')
    with pytest.raises(ValueError, match="'main'"):
        compat.check_versions()


def run(code):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        check=False,
    )


def test_mmcv_that_mmseg_refuses_is_let_in_with_a_warning():
    done = run(
        'import warnings, mmcv\n'
        'mmcv.__version__ = "2.2.0"\n'
        'import mmseg_sparse, mmseg\n'
        'assert mmcv.__version__ == "2.2.0"\n'
    )
    assert done.returncode == 0, done.stderr
    done = run('import mmcv\nmmcv.__version__ = "2.2.0"\nimport mmseg\n')
    assert 'AssertionError' in done.stderr


@needs_lite
def test_operators_work_or_say_what_to_install():
    import mmcv.ops
    from mmcv.ops import CrissCrossAttention, point_sample

    assert mmcv.ops.point_sample is point_sample
    out = point_sample(torch.ones(1, 2, 3, 3), torch.rand(1, 4, 2))
    assert out.shape == (1, 2, 4)
    with pytest.raises(ImportError, match=r'CrissCrossAttention .*full mmcv'):
        CrissCrossAttention(8)
    assert not hasattr(mmcv.ops, '__wrapped__')


@needs_lite
def test_every_head_of_mmseg_imports():
    import mmseg.models.decode_heads as heads

    assert heads.PointHead
    assert heads.CCHead


def test_full_mmcv_is_left_alone(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        compat.importlib.util,
        'find_spec',
        lambda name: object() if name == 'mmcv._ext' else find(name),
    )
    monkeypatch.delitem(sys.modules, 'mmcv.ops', raising=False)
    ops = getattr(mmcv, 'ops', None)
    compat.supply_mmcv_ops()
    assert 'mmcv.ops' not in sys.modules
    assert getattr(mmcv, 'ops', None) is ops


def test_checkpoint_types_load_and_others_do_not(tmp_path):
    history = HistoryBuffer([1.0, 2.5], [1, 1])
    saved = {
        'message_hub': {'loss': history, 'scalar': np.float64(0.25)},
        'array': np.arange(3, dtype=np.int16),
        'weight': torch.arange(3.0),
    }
    torch.save(saved, tmp_path / 'good.pth')
    loaded = torch.load(tmp_path / 'good.pth', weights_only=True)
    assert loaded['message_hub']['loss'].data[0].tolist() == [1.0, 2.5]
    assert loaded['message_hub']['scalar'] == 0.25
    assert loaded['array'].tolist() == [0, 1, 2]
    torch.save({'path': Unknown()}, tmp_path / 'bad.pth')
    with pytest.raises(Exception, match='Unknown'):
        torch.load(tmp_path / 'bad.pth', weights_only=True)


class Unknown:
    pass


def test_the_source_never_turns_weights_only_off():
    import mmseg_sparse

    root = importlib.resources.files(mmseg_sparse)
    sources = [p.read_text() for p in root.rglob('*.py')]
    assert len(sources) > 10
    assert not any('weights_only=False' in text for text in sources)


@needs_lite
def test_importing_is_silent(tmp_path):
    source = 'import mmseg_sparse, mmcv.cnn.bricks.transformer'
    done = subprocess.run(
        [sys.executable, '-c', source],
        cwd=tmp_path, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout + done.stderr == ''
