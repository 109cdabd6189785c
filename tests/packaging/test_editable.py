import os
import textwrap

import pytest
import setuptools

from ..helpers.environment import MIM, Environment, copy_repository, small_run
from .conftest import CONFIG

pytestmark = pytest.mark.slow

#: What mim and MMEngine make of the install, and a base by its scope.
LOOK_UP = """
import mim.utils, mmengine.utils, mmseg_sparse
from mmengine.config import Config
print(mim.utils.get_installed_path('mmseg_sparse'))
print(mmengine.utils.get_installed_path('mmseg_sparse'))
print(Config.fromfile('my.py').answer)
"""


def install_pep_660(environment, root):
    out = environment.install('-e', root, cwd=root.parent)
    assert 'Building editable' in out


def install_develop(environment, root):
    if int(setuptools.__version__.partition('.')[0]) >= 80:
        pytest.skip('setuptools >= 80 hands `setup.py develop` to pip')
    environment.run('setup.py', '-q', 'develop', '--no-deps', cwd=root)


@pytest.mark.parametrize('install', [install_pep_660, install_develop])
def test_editable(install, mim, camvid, tmp_path):
    root = copy_repository(tmp_path / 'a b' / 'source')
    environment = Environment(tmp_path / 'venv')
    install(environment, root)
    assert environment.origin(tmp_path) == root / 'mmseg_sparse'

    links = root / 'mmseg_sparse' / '.mim'
    assert sorted(os.listdir(links)) == sorted(MIM)
    for name in MIM:
        assert (links / name).is_symlink()
        assert (links / name).resolve() == root / name

    # A config and a tool written after the install are there at once.
    new = root / 'configs' / 'mine'
    new.mkdir()
    (new / 'new.py').write_text('answer = 42\n')
    tool = "'''Says hello.'''\nprint('hello from a new tool')\n"
    (root / 'tools' / 'hello.py').write_text(tool)
    (tmp_path / 'my.py').write_text("_base_ = 'mmseg_sparse::mine/new.py'\n")
    code = textwrap.dedent(LOOK_UP)
    out = environment.run('-W', 'ignore', '-c', code, cwd=tmp_path)
    package = str(root / 'mmseg_sparse')
    assert out.splitlines()[-3:] == [package, package, '42']
    for runner in (['mmseg_sparse', 'hello'],
                   ['mim', 'run', 'mmseg_sparse', 'hello']):  # fmt: skip
        out = environment.run('-m', *runner, cwd=tmp_path)
        assert 'hello from a new tool' in out

    environment.run(
        '-m', 'mim', 'train', 'mmseg_sparse', CONFIG, '--work-dir', 'work',
        *small_run(camvid), cwd=tmp_path,
    )  # fmt: skip
    assert (tmp_path / 'work' / 'iter_2.pth').is_file()


def test_uninstall_leaves_the_sources(tmp_path):
    root = copy_repository(tmp_path / 'source')
    environment = Environment(tmp_path / 'venv')
    install_pep_660(environment, root)
    before = {f for f in root.rglob('*') if f.suffix in ('.py', '.yml')}
    out = environment.run(
        '-m', 'pip', 'uninstall', '-y', 'mmseg_sparse', cwd=tmp_path
    )
    assert 'Successfully uninstalled' in out
    assert not list(environment.site.glob('*mmseg_sparse*'))
    assert before <= set(root.rglob('*'))
