"""mim and MMEngine find the configs of an installed package.

The package lies in a folder as a wheel leaves it: ``mmseg_sparse/``, with
``.mim/{configs,tools,model-index.yml}``, and its metadata beside it.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.helpers.shipped import LEAVES, REPOSITORY

LEAF = 'sasformer_mit-b0_segformer_1xb8-2k_camvid-point-256x256'
BASE = 'segformer_mit-b4_voc12'
SCRIPT = """
import json, sys
from pathlib import Path
import mmseg_sparse
from mmengine.config import Config
from mmengine.hub import get_config

leaf, base = sys.argv[1:]
found = {'package': str(Path(mmseg_sparse.__file__).parent)}
Path('mine.py').write_text(
    f"_base_ = 'mmseg_sparse::sasformer/{leaf}.py'\\n"
    "model = dict(regularizers=[dict(type='X')])\\n"
)
cfg = Config.fromfile('mine.py')
found['leaf'] = cfg.model.to_dict()
Path('mine.py').write_text(
    f"_base_ = 'mmseg_sparse::_base_/models/{base}.py'\\n"
)
found['base'] = Config.fromfile('mine.py').model.backbone.strides
Path('mine.py').write_text(
    f"_base_ = mmseg_sparse.config('sasformer/{leaf}.py')\\n".replace(
        'mmseg_sparse.', "__import__('mmseg_sparse')."
    )
)
found['call'] = Config.fromfile('mine.py').model.type
cfg = get_config(f'mmseg_sparse::sasformer/{leaf}.py')
found['hub'] = cfg.filename

try:
    from mim.commands.search import get_model_info
except ImportError:
    pass
else:
    search = lambda **kw: get_model_info('mmseg_sparse', to_dict=True, **kw)
    found['all'] = sorted(search())
    found['by_config'] = search(configs=[leaf])
    found['by_model'] = sorted(search(models=['SASFormer']))
    found['by_data'] = sorted(search(training_datasets=['CamVid']))
    found['by_batch'] = sorted(search(filter_conditions='batch_size>8'))
print('FOUND', json.dumps(found))
"""


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp('installed')
    site, package = root / 'site', root / 'site' / 'mmseg_sparse'
    ignored = shutil.ignore_patterns('.mim', '__pycache__')
    shutil.copytree(REPOSITORY / 'mmseg_sparse', package, ignore=ignored)
    for name in ('configs', 'tools'):
        target = package / '.mim' / name
        shutil.copytree(REPOSITORY / name, target, ignore=ignored)
    shutil.copy(REPOSITORY / 'model-index.yml', package / '.mim')
    metadata = site / 'mmseg_sparse-0.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: mmseg_sparse\nVersion: 0.0\n'
    )
    (metadata / 'top_level.txt').write_text('mmseg_sparse\n')
    run = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', SCRIPT, LEAF, BASE],
        cwd=root,
        env={**os.environ, 'PYTHONPATH': str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    line = run.stdout.strip().splitlines()[-1]
    result = json.loads(line.removeprefix('FOUND '))
    assert result['package'] == str(package)
    return result


def test_leaf_as_base(found):
    model = found['leaf']
    assert model['type'] == 'SparseEncoderDecoder'
    assert model['decode_head']['num_classes'] == 11
    assert model['regularizers'] == [{'type': 'X'}]


def test_fragment_as_base(found):
    assert found['base'] == [4, 2, 2, 1]


def test_config_function_as_base(found):
    assert found['call'] == 'SparseEncoderDecoder'


def test_hub_reads_the_installed_file(found):
    wanted = f'{found["package"]}/.mim/configs/sasformer/{LEAF}.py'
    assert found['hub'] == wanted


def test_mim_search(found):
    if 'all' not in found:
        pytest.skip('openmim is not installed')
    shipped = {leaf.stem for leaf in LEAVES}
    assert set(found['all']) == shipped
    (entry,) = found['by_config'].values()
    assert entry['config'] == f'configs/sasformer/{LEAF}.py'
    assert entry['annotation'] == 'point'
    assert set(found['by_model']) == {
        name for name in shipped if name.startswith('sasformer')
    }
    camvid = {name for name in shipped if '_camvid-' in name}
    assert set(found['by_data']) == camvid
    batches = {name: re.search(r'_(\d+)xb(\d+)-', name) for name in shipped}
    large = {
        name for name, size in batches.items()
        if int(size[1]) * int(size[2]) > 8
    }  # fmt: skip
    assert set(found['by_batch']) == large
