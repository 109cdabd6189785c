"""Logs of MMEngine, of one start or several."""

import json

import pytest

from mmseg_sparse.benchmark.logs import read_log


def write(path, *lines, end='\n'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(map(json.dumps, lines)) + end)


def train(step, **more):
    return dict(loss=0.5, lr=0.1, iter=step, step=step, **more)


def test_all_starts_count_and_the_last_validation(tmp_path):
    write(
        tmp_path / '20260101_1/vis_data/scalars.json',
        train(10, time=0.2, memory=90),
        train(20, time=0.9, memory=70),
        {'mIoU': 30.0, 'aAcc': 50.0, 'time': 0.1, 'step': 20},
    )
    write(
        tmp_path / '20260101_2/vis_data/scalars.json',
        train(30, time=0.3),
        {'mIoU': 40.5, 'IoU/a_b': 7.0, 'data_time': 0.1, 'step': 30},
        train(40, time=0.3),
    )
    found = read_log(tmp_path)
    assert found.metrics == {'mIoU': 40.5, 'IoU/a_b': 7.0}
    assert (found.step, found.validated) == (40, 30)
    assert found.step_time == pytest.approx(0.3)  # of 0.2, 0.3, 0.3, 0.9
    assert found.gpu_memory == 90


def test_a_running_training_may_not_have_written_its_last_line(tmp_path):
    path = tmp_path / '1/vis_data/scalars.json'
    write(path, train(10, time=1.0), end='\n{"loss": 0.')
    assert read_log(tmp_path).step == 10
    with pytest.raises(ValueError, match=r'line 2: expected a JSON object'):
        read_log(path)


def test_no_log(tmp_path):
    with pytest.raises(FileNotFoundError, match='found none'):
        read_log(tmp_path)
