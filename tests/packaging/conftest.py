import importlib.util
from pathlib import Path

import pytest

from ..helpers.environment import (
    Environment,
    copy_repository,
    run,
    write_camvid,
)

CONFIG = 'sasformer_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'


@pytest.fixture(scope='session')
def source(tmp_path_factory) -> Path:
    """A copy of the repository, littered as work leaves it."""
    root = copy_repository(tmp_path_factory.mktemp('source') / 'mmseg_sparse')
    stale = root / 'build' / 'lib' / 'mmseg_sparse' / 'removed.py'
    stale.parent.mkdir(parents=True)
    stale.write_text('a module of an earlier version')
    (root / 'mmseg_sparse' / '.mim').mkdir()
    for name in ('tools', 'configs'):
        link = root / 'mmseg_sparse' / '.mim' / name
        link.symlink_to(f'../../{name}')
    return root


@pytest.fixture(scope='session')
def wheel(source, tmp_path_factory) -> Path:
    import sys

    folder = tmp_path_factory.mktemp('wheel')
    run(
        [sys.executable, '-m', 'pip', 'wheel', '--no-deps',
         '--no-build-isolation', '-w', folder, '.'],
        cwd=source,
    )  # fmt: skip
    (path,) = folder.glob('*.whl')
    return path


@pytest.fixture(scope='session')
def installed(wheel, tmp_path_factory) -> Environment:
    """An environment with the wheel."""
    root = tmp_path_factory.mktemp('installed')
    environment = Environment(root / 'venv')
    environment.install(wheel, cwd=root)
    assert environment.origin(root) == environment.site / 'mmseg_sparse'
    return environment


@pytest.fixture(scope='session')
def camvid(tmp_path_factory) -> Path:
    return write_camvid(tmp_path_factory.mktemp('data') / 'camvid')


@pytest.fixture(scope='session')
def mim() -> None:
    if importlib.util.find_spec('mim') is None:
        pytest.skip('openmim is not installed')
