import json
from pathlib import Path

import pytest

from ..helpers.environment import DOWNSTREAM, run, small_run
from .conftest import CONFIG

pytestmark = pytest.mark.slow


def losses(work_dir: Path) -> list[dict]:
    """Return the logged training iterations of a run."""
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if 'loss' in line]


def assert_trained(work_dir: Path) -> None:
    assert (work_dir / 'iter_2.pth').is_file()
    logged = losses(work_dir)
    assert [line['step'] for line in logged] == [1, 2]
    for line in logged:
        parts = [v for k, v in line.items() if k.startswith('decode.loss_')]
        assert len(parts) == 2, line  # cross entropy and the regularizer
        assert line['loss'] == pytest.approx(sum(parts), rel=1e-3)


@pytest.fixture(scope='module')
def checkpoint(installed, camvid, mim, tmp_path_factory) -> Path:
    """A checkpoint trained by ``mim train`` from an empty folder."""
    root = tmp_path_factory.mktemp('mim_train')
    out = installed.run(
        '-m', 'mim', 'train', 'mmseg_sparse', CONFIG, '--work-dir', 'work',
        *small_run(camvid), cwd=root,
    )  # fmt: skip
    assert 'Training finished successfully' in out
    assert str(installed.site) in out  # config and tool are the wheel's
    assert_trained(root / 'work')
    return root / 'work' / 'iter_2.pth'


def test_mim_test(installed, camvid, checkpoint, tmp_path):
    out = installed.run(
        '-m', 'mim', 'test', 'mmseg_sparse', CONFIG,
        '--checkpoint', checkpoint, '--work-dir', 'work', '--out', 'maps',
        *small_run(camvid), cwd=tmp_path,
    )  # fmt: skip
    assert 'Testing finished successfully' in out
    assert 'mIoU: ' in out
    assert [f.name for f in (tmp_path / 'maps').iterdir()] == ['0.png']


def test_mim_run(installed, camvid, mim, tmp_path):
    config = installed.site / 'mmseg_sparse/.mim/configs/sasformer' / CONFIG
    installed.run(
        '-m', 'mim', 'run', 'mmseg_sparse', 'train', config,
        '--work-dir', 'work', *small_run(camvid), cwd=tmp_path,
    )  # fmt: skip
    assert_trained(tmp_path / 'work')


def test_without_mim(installed, camvid, tmp_path):
    options = small_run(camvid)
    installed.run(
        '-m', 'mmseg_sparse', 'train', CONFIG, '--work-dir', 'work',
        *options, cwd=tmp_path,
    )  # fmt: skip
    assert_trained(tmp_path / 'work')
    out = installed.run(
        '-m', 'mmseg_sparse', 'test', CONFIG, 'work/iter_2.pth', '--tta',
        '--work-dir', 'test', *options, cwd=tmp_path,
    )  # fmt: skip
    assert 'mIoU: ' in out
    assert list((tmp_path / 'test').glob('*/*.json'))


def test_the_short_command(installed, tmp_path):
    script = installed.python.with_name('mmseg-sparse')
    done = run([script, 'train', '--help'], cwd=tmp_path)
    assert 'usage: python -m mmseg_sparse train' in done.stdout


def test_downstream_config_through_our_tools(installed, camvid, mim, tmp_path):
    base = repr(f'mmseg_sparse::sasformer/{CONFIG}')
    config = DOWNSTREAM.format(base=base, data=str(camvid))
    (tmp_path / 'my.py').write_text(config)
    installed.run('-m', 'mmseg_sparse', 'train', 'my.py', cwd=tmp_path)
    assert_trained(tmp_path / 'work_dirs' / 'my')
    installed.run(
        '-m', 'mim', 'train', 'mmseg_sparse', 'my.py',
        '--work-dir', 'mim', cwd=tmp_path,
    )  # fmt: skip
    assert_trained(tmp_path / 'mim')


def test_downstream_config_through_the_stock_tool(installed, camvid, tmp_path):
    base = f"__import__('mmseg_sparse').config('sasformer/{CONFIG}')"
    config = DOWNSTREAM.format(base=base, data=str(camvid))
    (tmp_path / 'my.py').write_text(config)
    find = "import mmseg; print(mmseg.__path__[0] + '/.mim/tools/train.py')"
    tool = installed.run('-c', find, cwd=tmp_path).splitlines()[-1]
    assert 'mmseg_sparse' not in Path(tool).read_text()
    installed.run(tool, 'my.py', cwd=tmp_path)
    assert_trained(tmp_path / 'work_dirs' / 'my')
