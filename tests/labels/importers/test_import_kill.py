"""An import that is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mmseg_sparse.labels.importers.import_labels import import_labels

from ...helpers.environment import REPOSITORY
from ...helpers.import_cases import make_source

KILLED = """
import multiprocessing, sys, time
import mmseg_sparse
from mmseg_sparse.labels.importers.import_labels import import_labels

def progress(what, done, total):
    if what == 'draw' and done == 2:
        print(*(p.pid for p in multiprocessing.active_children()), flush=True)
        time.sleep(60)

import_labels('labelme', 'json', 'out', images='images', workers=2,
              progress=progress)
"""


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='needs kill -9')
def test_a_kill_leaves_no_folder_and_no_process(tmp_path, monkeypatch):
    make_source(tmp_path)
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-c', KILLED],
        stdout=subprocess.PIPE, text=True,
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    )  # fmt: skip
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / 'out').exists()
    left = [path.name for path in tmp_path.iterdir()]
    assert all(n in ('images', 'json') or n[0] == '.' for n in left)
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))
    import_labels('labelme', 'json', 'out', images='images')
    assert (tmp_path / 'out' / 'labels.json').is_file()


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False
