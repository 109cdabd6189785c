"""The tools that look at things, run as commands."""

import subprocess
import sys

import pytest

from tests.helpers.shipped import REPOSITORY

TOOLS = {
    path.stem: path
    for path in sorted((REPOSITORY / 'tools/analysis_tools').glob('[a-z]*.py'))
}


@pytest.mark.parametrize('name', TOOLS)
def test_help_imports_nothing_heavy(name, tmp_path):
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', TOOLS[name], '--help'],
        cwd=tmp_path, text=True, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    imported = {
        line.rpartition('|')[2].strip().partition('.')[0]
        for line in done.stderr.splitlines()
    }
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'mmcv', 'mmseg', 'numpy'}
    assert f'usage: {name}.py' in done.stdout


def test_the_script_ends_with_the_exit_status_of_main(tmp_path):
    command = [sys.executable, TOOLS['plot_runs'], 'curve.png', '1=gone']
    done = subprocess.run(
        command, cwd=tmp_path, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith('plot_runs.py: error: ')
