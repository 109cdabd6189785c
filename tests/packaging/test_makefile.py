import os
import shutil
import subprocess
import time

import pytest

from ..helpers.environment import REPOSITORY

pytestmark = pytest.mark.skipif(
    shutil.which('make') is None, reason='make is not installed'
)
STAMP = '.mmseg_sparse-is-set-up'


def make(*arguments):
    return subprocess.run(
        ['make', *map(str, arguments)],
        cwd=REPOSITORY,
        text=True,
        capture_output=True,
    )


def test_failed_setup_leaves_no_stamp(tmp_path):
    old = time.time() - 10**9
    (tmp_path / STAMP).touch()
    os.utime(tmp_path / STAMP, (old, old))
    done = make('setup', f'VENV={tmp_path}', 'PYTHON=false')
    assert done.returncode != 0
    assert not (tmp_path / STAMP).exists()


def test_a_current_environment_is_reused(tmp_path):
    done = make('-n', 'setup', f'VENV={tmp_path}')
    assert 'pip' in done.stdout
    (tmp_path / STAMP).touch()
    done = make('-n', 'setup', f'VENV={tmp_path}')
    assert done.returncode == 0
    assert 'pip' not in done.stdout
