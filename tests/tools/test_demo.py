"""The demo: its commands, progress, failures, table and sheet."""

import shlex
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels import make_toy_dataset
from mmseg_sparse.labels.simulate.toy import save_labels
from tests.helpers.shipped import LEAVES, REPOSITORY
from tests.helpers.tools import call, load, run

demo = load('demo')
demo_report = load('_demo_report')


def code(text: str) -> list[str]:
    return [sys.executable, '-c', text]


TRAIN_LINE = (
    '11/21 04:21:09 - mmengine - INFO - Iter(train) [ 100/2000]  base_lr: '
    '2.9e-03 lr: 2.9e-03  eta: 0:03:10  time: 0.10  data_time: 0.01  loss: '
    '1.2345  decode.loss_ce: 1.2  decode.acc_seg: 50.0'
)
TEST_LINE = (
    '11/21 04:21:09 - mmengine - INFO - Iter(test) [ 50/100]    eta: 0:00:02'
    '  time: 0.02  data_time: 0.01'
)


def run_jobs(folder: Path, **jobs: list[str]) -> None:
    demo.run_jobs(jobs, 'train', demo.parse_args(['--out', str(folder)]))


def test_progress_is_short() -> None:
    shown = demo.progress(TRAIN_LINE)
    assert shown == 'train  100/2000  0:03:10 to go  loss 1.234'
    assert demo.progress(TEST_LINE) == 'test  50/100  0:00:02 to go'
    assert demo.progress('mmengine - INFO - Saving checkpoint') == ''


def test_both_trainings_differ_in_the_config_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.shutil, 'which', lambda *_, **__: '/bin/mim')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    args = demo.parse_args(
        ['--out', str(tmp_path), '--seed', '5', '--iters', '30']
    )
    commands = []
    for method in demo.METHODS:
        command = demo.train_command(args, method)
        assert command[:3] == ['/bin/mim', 'train', 'mmseg_sparse']
        assert command[3] in {leaf.name for leaf in LEAVES}
        assert 'randomness.seed=5' in command
        assert 'train_cfg.max_iters=30' in command
        assert command[4:6] == ['--work-dir', str(tmp_path / method)]
        commands.append(command[6:])
    assert commands[0] == commands[1]
    # Two mims that start at once must not both make it.
    assert (tmp_path / 'home/.cache/mim').is_dir()


def test_configs_data_folder_is_the_demos() -> None:
    from mmengine.config import Config

    assert demo.data_options(demo.DEFAULT_OUT) == []
    for method in demo.METHODS:
        name = demo.CONFIG.format(method)
        cfg = Config.fromfile(REPOSITORY / 'configs' / 'demo' / name)
        for split in ('train', 'val', 'test'):
            found = cfg[f'{split}_dataloader'].dataset.data_root
            assert found == str(demo.DEFAULT_OUT / 'data')


def test_output_goes_to_log_and_progress_to_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    line = code(f'print({TRAIN_LINE!r}); print("else")')
    run_jobs(tmp_path, ce=line, sasformer=line)
    for name in ('ce', 'sasformer'):
        log = (tmp_path / f'{name}_train.log').read_text()
        assert log == f'{TRAIN_LINE}\nelse\n'
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if 'loss 1.234' in line]
    assert sorted(line.split()[0] for line in shown) == ['CE', 'SASFormer']


def test_a_failed_job_is_named_and_the_other_stopped(tmp_path: Path) -> None:
    # Ended by SIGTERM, it says so; after a minute it would say the other.
    slow = code(
        'import signal, sys, time\n'
        'def end(*_):\n    print("stopped"); sys.exit()\n'
        'signal.signal(signal.SIGTERM, end)\n'
        'open("ready", "w").close()\n'
        'time.sleep(60); print("slept")'
    )
    ready = (
        'import os, time\nwhile not os.path.exists("ready"): time.sleep(.1)'
    )
    bad = code(f'{ready}\nprint("no luck"); raise SystemExit(3)')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with pytest.raises(demo.StepError) as error:
            run_jobs(tmp_path, ce=slow, sasformer=bad)
    text = str(error.value)
    assert 'no luck' in text
    assert 'ended with status 3' in text
    assert str(tmp_path / 'sasformer_train.log') in text
    assert shlex.join(bad) in text
    assert (tmp_path / 'ce_train.log').read_text() == 'stopped\n'


def test_main_ends_with_1_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    script = tmp_path / 'make.py'
    script.write_text('raise SystemExit(7)')
    monkeypatch.setattr(demo, 'MAKE_DATA', str(script))
    assert demo.main(['--out', str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert 'making the data ended with status 7' in error
    assert str(script) in error


@pytest.mark.parametrize('option', ['--iters=1', '--rows=0', '--num-val=x'])
def test_bad_arguments(option: str, capsys) -> None:
    with pytest.raises(SystemExit) as error:
        demo.parse_args([option])
    assert error.value.code == 2
    assert option.partition('=')[0] in capsys.readouterr().err


def test_score_by_hand() -> None:
    masks = np.array([[0, 0, 1, 1, 255]], np.uint8)
    predictions = np.array([[0, 1, 1, 1, 2]], np.uint8)
    iou, aacc = demo_report.score(masks, predictions, 4)
    # Class 0: 1 of 2; class 1: 2 of 3; classes 2 and 3: absent.
    assert iou[:2].tolist() == pytest.approx([50, 200 / 3])
    assert np.isnan(iou[2:]).all()
    assert aacc == 75


def test_table_and_sheet(tmp_path: Path) -> None:
    data = tmp_path / 'data'
    make_toy_dataset(data, num_train=1, num_val=3)
    for path in (data / 'masks' / 'val').iterdir():
        mask = demo_report.read(path)
        save_labels(tmp_path / 'good' / path.name, mask)
        save_labels(tmp_path / 'bad' / path.name, np.zeros_like(mask))
    runs = {'Bad': tmp_path / 'bad', 'Good': tmp_path / 'good'}
    results = demo_report.read_results(data, runs)
    assert results['Good'].miou == results['Good'].aacc == 100
    assert results['Bad'].iou[0] == pytest.approx(results['Bad'].aacc)
    head, _, bad, good = demo_report.table(results).splitlines()
    assert head.split()[-7:] == list(demo_report.CLASSES)
    assert bad.split()[0] == 'Bad'
    assert good.split()[:3] == ['Good', '100.00', '100.00']
    assert len({len(head), len(bad), len(good)}) == 1
    path = tmp_path / 'sheet.png'
    demo_report.write_sheet(path, data, results, rows=2)
    with Image.open(path) as sheet:
        width, height = sheet.size
    assert width == 12 + 5 * (192 + 12)
    assert 2 * 192 < height < 3 * 192


def installed() -> bool:
    try:
        metadata.version('mmseg_sparse')
    except metadata.PackageNotFoundError:
        return False
    return (Path(sys.executable).parent / 'mim').exists()


@pytest.mark.skipif(not installed(), reason='mmseg_sparse is not installed')
def test_demo_runs_and_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    """Data made without training; then a run where an older one was."""
    arguments = (
        '--out', 'out', '--iters', '2', '--rows', '2', '--num-train', '8',
        '--num-val', '3',
    )  # fmt: skip
    for later in ('run_jobs', 'report', 'test_command'):
        monkeypatch.setattr(demo, later, lambda *_: None)
    call('demo', *arguments, cwd=tmp_path)
    assert 'out/data: made' in capfd.readouterr().out
    for method in demo.METHODS:
        older = tmp_path / 'out' / method
        (older / 'predictions').mkdir(parents=True)
        (older / 'last_checkpoint').write_text('out/older.pth')
        (older / 'predictions' / 'val_0000.png').write_text('older')
        (tmp_path / 'out' / f'{method}_train.log').write_text('older\n')

    done = run('demo', *arguments, cwd=tmp_path)
    assert 'current, kept' in done.stdout
    assert 'mIoU' in done.stdout
    for method in ('CE ', 'SASFormer '):
        assert f'\n{method}' in done.stdout
        assert f'  {method}' in done.stdout  # its progress
    assert (tmp_path / 'out' / 'overview.png').stat().st_size > 10_000
