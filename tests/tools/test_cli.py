import argparse
import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.logging import MessageHub
from mmengine.runner import load_checkpoint
from mmseg.visualization import SegLocalVisualizer
from PIL import Image
from torch import nn

from mmseg_sparse import __main__ as main_module
from mmseg_sparse.engine import launch

from ..helpers import tools
from ..helpers.environment import DOWNSTREAM, REPOSITORY, write_camvid
from ..helpers.tools import TOOLS, call

BASE = REPOSITORY / (
    'configs/sasformer/'
    'sasformer_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'
)
on_cpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason='about runs on CPU'
)


def tool(name, *arguments, **more):
    """Run a tool, named by its path, as a command."""
    return tools.run(Path(name).stem, *arguments, **more)


@pytest.fixture
def folder(tmp_path):
    """A folder with small data and a config, its SyncBN as shipped."""
    write_camvid(tmp_path / 'camvid')
    text = DOWNSTREAM.format(base=repr(str(BASE)), data='camvid')
    (tmp_path / 'my.py').write_text(text.replace("type='BN'", "type='SyncBN'"))
    return tmp_path


@pytest.fixture
def cfg(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return Config.fromfile('my.py')


@pytest.mark.parametrize('name', tools.SCRIPTS)
def test_help_as_a_command_imports_nothing_heavy(name, tmp_path):
    python = (sys.executable, '-X', 'importtime')
    done = tools.run(name, '--help', cwd=tmp_path, python=python)
    imported = {
        line.rpartition('|')[2].strip().partition('.')[0]
        for line in done.stderr.splitlines()
    }
    assert 'argparse' in imported
    assert not imported & {
        'torch', 'mmengine', 'mmcv', 'mmseg', 'numpy', 'mmseg_sparse',
    }  # fmt: skip
    way = '' if name in main_module.BENCHMARKS else 'python -m mmseg_sparse '
    assert done.stdout.startswith(f'usage: {way}')
    if name in ('train', 'test'):
        for option in ('--work-dir', '--cfg-options', '--launcher'):
            assert option in done.stdout
        # mim takes the word for a tool of OpenMMLab 1.0 and passes it on.
        assert '--gpus' not in done.stdout


@pytest.mark.parametrize(
    ('name', 'arguments', 'named'),
    [
        ('train', ['no.py'], "'no.py'"),
        ('test', ['no.py', 'no.pth'], "'no.py'"),
        ('test', ['my.py', 'no.pth'], "'no.pth'"),
        ('train', ['my.py', '--work-dir', 'my.py'], "'my.py'"),
        ('train', ['orphan.py'], 'nowhere.py'),
    ],
)
def test_mistakes_are_one_line(name, arguments, named, folder):
    (folder / 'orphan.py').write_text("_base_ = 'nowhere.py'")
    done = call(name, *arguments, cwd=folder, check=False)
    assert done.returncode == 1
    (line,) = (x for x in done.stderr.splitlines() if 'warn' not in x.lower())
    assert line.startswith(f'python -m mmseg_sparse {name}: error: ')
    assert named in line


@pytest.mark.parametrize('arguments', [['no.py'], ['--unknown'], []])
def test_all_errors_begin_alike(arguments, tmp_path):
    done = call('train', *arguments, cwd=tmp_path, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith('python -m mmseg_sparse train: error: ')


def test_options_that_a_config_cannot_serve():
    cfg = Config(dict(optim_wrapper=dict(type='Mine'), default_hooks={}))
    with pytest.raises(ValueError, match=r"--amp needs .* got 'Mine'"):
        launch.enable_amp(cfg)
    with pytest.raises(ValueError, match='--tta needs tta_model'):
        launch.enable_tta(cfg)
    cfg.tta_model = dict(type='SegTTAModel')
    with pytest.raises(ValueError, match='--tta needs tta_pipeline'):
        launch.enable_tta(cfg)
    with pytest.raises(ValueError, match='drawing needs'):
        launch.enable_drawing(cfg, show=True)


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['a.pth', '--checkpoint', 'b.pth'],
        ['a.pth', '--cfg-options', 'stray'],
    ],
)
def test_unusable_arguments(arguments, folder):
    done = call('test', 'my.py', *arguments, cwd=folder, check=False)
    assert done.returncode == 2
    assert 'python -m mmseg_sparse test: error: ' in done.stderr


@pytest.fixture
def arguments_module():
    tools.load('train')
    return sys.modules['_arguments']


def test_cfg_options_are_those_of_mmengine(arguments_module):
    words = ['a=1', 'b.c=1e-3', 'd=[1,x]', 'e=(1,(2,3))', 'f=1,2', 'g=None']
    words += ['h=true', 'i=x=y', "j='[(1, 2), (3, 4)]'"]
    parser = argparse.ArgumentParser()
    parser.add_argument('--stock', nargs='+', action=DictAction)
    arguments_module.add_common_arguments(parser)
    args = parser.parse_args(['--stock', *words, '--cfg-options', *words])
    assert args.cfg_options == args.stock
    assert args.cfg_options['d'] == [1, 'x']
    twice = ['--cfg-options', 'a=1', '--cfg-options', 'b=2', 'a=3']
    assert parser.parse_args(twice).cfg_options == {'a': 3, 'b': 2}
    assert parser.parse_args([]).cfg_options is None


def test_a_shipped_config_is_found_by_its_name(arguments_module, capsys):
    assert arguments_module.find_config(f'wrong/{BASE.name}') == str(BASE)
    assert str(BASE) in capsys.readouterr().out


def arguments(**given):
    default = dict(config='my.py', work_dir=None, cfg_options=None,
                   launcher='none', local_rank=0)  # fmt: skip
    return argparse.Namespace(**{**default, **given})


def test_work_dir_by_option_then_config_then_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    load = launch.load_config
    assert load(arguments()).work_dir == 'work_dirs/my'
    options = {'work_dir': 'in_config', 'train_cfg.max_iters': 7}
    cfg = load(arguments(cfg_options=options))
    assert cfg.work_dir == 'in_config'
    assert cfg.train_cfg.max_iters == 7
    assert cfg.train_cfg.val_interval == 2
    cfg = load(arguments(cfg_options=options, work_dir='by_option'))
    assert cfg.work_dir == 'by_option'


@on_cpu
def test_sync_bn_is_reverted_on_cpu(cfg):
    assert cfg.model.decode_head.norm_cfg.type == 'SyncBN'
    cfg.work_dir = 'work'
    model = launch.build_runner(cfg).model
    kinds = {type(module) for module in model.modules()}
    assert nn.SyncBatchNorm not in kinds
    assert nn.BatchNorm2d in kinds
    # The config as well: DDP on CPU would refuse the model when it wraps.
    assert cfg.model.decode_head.norm_cfg.type == 'BN'


def test_amp_on_cpu_is_float32(cfg):
    launch.enable_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    cfg.optim_wrapper.dtype = 'bfloat16'
    with pytest.warns(UserWarning, match='float32'):
        launch.fit_to_cpu(cfg)
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    assert not {'loss_scale', 'dtype'} & set(cfg.optim_wrapper)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        launch.fit_to_cpu(cfg)


def test_amp_keeps_a_loss_scale_of_the_config(cfg):
    cfg.optim_wrapper.loss_scale = 512.0
    launch.enable_amp(cfg)
    assert cfg.optim_wrapper.loss_scale == 512.0


def test_drawing_shows_every_image_unless_the_config_says(cfg):
    launch.enable_drawing(cfg, show_dir='pictures')
    hook = cfg.default_hooks.visualization
    assert (hook.draw, hook.interval) == (True, 1)
    assert 'show' not in hook
    assert cfg.visualizer.save_dir == 'pictures'
    hook.interval = 9
    launch.enable_drawing(cfg, show=True, wait_time=0.5)
    assert (hook.interval, hook.show, hook.wait_time) == (9, True, 0.5)


def test_tta_wraps_the_model_and_changes_the_pipeline(cfg):
    model = cfg.model
    launch.enable_tta(cfg)
    assert cfg.model.type == 'SegTTAModel'
    assert cfg.model.module == model
    assert cfg.test_dataloader.dataset.pipeline == cfg.tta_pipeline


def test_predictions_are_saved_by_every_metric_that_can(cfg):
    other = dict(type='CityscapesMetric')
    cfg.test_evaluator = [*cfg.test_evaluator, other]
    launch.save_predictions(cfg, 'maps')
    assert [m.type for m in cfg.test_evaluator if 'output_dir' in m] == [
        'ClassIoUMetric', 'CityscapesMetric',
    ]  # fmt: skip
    for metric in cfg.test_evaluator:
        if 'output_dir' in metric:
            assert metric.output_dir == 'maps'
            assert metric.keep_results is True
    cfg.test_evaluator = dict(type='VolumeMetric')
    with pytest.raises(ValueError, match=r'--out needs a metric'):
        launch.save_predictions(cfg, 'maps')


def scalars(work_dir: Path, key: str) -> list[dict]:
    """Return the logged lines that have ``key``, of all runs in order."""
    lines = []
    for log in sorted(work_dir.glob('*/*/scalars.json')):
        lines += [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if key in line]


@on_cpu
@pytest.mark.slow
def test_train_with_amp_resume_and_test(folder):
    """One run after the other, because each costs some seconds."""
    work = folder / 'work_dirs' / 'my'
    done = tools.run('train', 'my.py', '--amp', cwd=folder)
    assert 'training in float32' in done.stderr
    assert [line['step'] for line in scalars(work, 'loss')] == [1, 2]

    # As a new process begins: MMEngine keeps these by their names.
    for kind in (SegLocalVisualizer, MessageHub):
        kind._instance_dict.clear()
    call('train', 'my.py', '--resume',
         '--cfg-options', 'train_cfg.max_iters=4', cwd=folder)  # fmt: skip
    assert [line['step'] for line in scalars(work, 'loss')] == [1, 2, 3, 4]
    model = nn.Module()
    assert (
        load_checkpoint(model, str(work / 'iter_4.pth'))['meta']['iter'] == 4
    )

    tools.run(
        'test', 'my.py', '--work-dir', 'test', '--out', 'maps',
        '--show-dir', 'pictures', '--checkpoint', work / 'iter_4.pth',
        cwd=folder,
    )  # fmt: skip
    predicted = np.asarray(Image.open(folder / 'maps' / '0.png'))
    mask = np.asarray(Image.open(folder / 'camvid/masks/val/0.png'))
    (report,) = (folder / 'test').glob('*/*.json')
    accuracy = json.loads(report.read_text())['aAcc']
    assert 100 * np.mean(predicted == mask) == pytest.approx(
        accuracy, abs=0.01
    )
    pictures = list((folder / 'pictures').rglob('*.png'))
    assert len(pictures) == 1

    # Options between the two positional arguments, as mmseg's tool takes them.
    call('test', 'my.py', '--tta', work / 'iter_4.pth',
         '--work-dir', 'tta', cwd=folder)  # fmt: skip
    (report,) = (folder / 'tta').glob('*/*.json')
    assert 0 <= json.loads(report.read_text())['mIoU'] <= 100


@on_cpu
@pytest.mark.slow
def test_two_processes_train_a_sync_bn_config_on_cpu(folder):
    python = (sys.executable, '-m', 'torch.distributed.run', '--standalone',
              '--nproc-per-node=2')  # fmt: skip
    tools.run('train', 'my.py', '--launcher', 'pytorch',
              '--cfg-options', 'env_cfg.dist_cfg.backend=gloo',
              cwd=folder, python=python)  # fmt: skip
    work = folder / 'work_dirs' / 'my'
    assert [line['step'] for line in scalars(work, 'loss')] == [1, 2]
    assert (work / 'iter_2.pth').is_file()


@pytest.mark.parametrize('terminal', [True, False])
def test_progress(arguments_module, terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: terminal, raising=False)
    bar = arguments_module.ProgressBar()
    for done in range(1, 5):
        bar(done, 4, 'draw')
    for done in (10, 20):  # of an unknown number
        bar(done, None, 'read')
    bar.finish()
    draw, _, read = capsys.readouterr().out.partition('read\n')
    assert draw.startswith('draw\n[')
    # The last of four quick steps is shown, on the line of a terminal.
    assert '] 4/4, ' in draw
    assert '] 2/4, ' not in draw
    assert draw.endswith('\n')
    assert draw.count('\n') == (2 if terminal else 3)
    assert read.startswith('completed: 0')
    assert read.endswith('\n')


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['mmseg_sparse', *arguments])
    monkeypatch.setattr(sys, 'path', list(sys.path))
    main_module.main()


def test_main_lists_every_tool_with_its_summary(monkeypatch, capsys):
    run_main(monkeypatch)
    listed = dict(
        line.split(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('  ')
    )
    scripts = {f.stem for f in TOOLS.rglob('*.py') if f.name[0] != '_'}
    measures = {f.stem for f in (REPOSITORY / 'benchmarks').glob('*.py')}
    assert set(listed) == scripts | measures - {'memory'}  # no script
    assert listed['train'] == 'Train a segmentor from a config.'


def test_main_lists_tools_by_group(monkeypatch, capsys):
    run_main(monkeypatch, '--help')
    group, grouped = '', {}
    for line in capsys.readouterr().out.splitlines()[4:]:
        if line.endswith(':') and line[0] != ' ':
            group = line[:-1]
        elif line:
            grouped.setdefault(group, []).append(line.split()[0])
    assert list(grouped) == [
        'Data', 'Train', 'Pseudo labels', 'Look', 'Benchmarks',
    ]  # fmt: skip
    for group, name in (
        ('Data', 'import_labels'), ('Train', 'train'), ('Train', 'demo'),
        ('Train', 'export_stock'), ('Look', 'check_labels'),
        ('Pseudo labels', 'trl_pipeline'), ('Benchmarks', 'profile_step'),
    ):  # fmt: skip
        assert name in grouped[group]


def test_an_installed_package_says_where_its_benchmarks_are(
    monkeypatch, capsys, tmp_path
):
    shutil.copytree(TOOLS, tmp_path / 'tools')
    monkeypatch.setattr(main_module, 'tools_root', lambda: tmp_path / 'tools')
    words = '^profile_step is part of the repository of mmseg_sparse and'
    with pytest.raises(SystemExit, match=words):
        run_main(monkeypatch, 'profile_step')
    run_main(monkeypatch)
    assert 'Benchmarks' not in capsys.readouterr().out


def test_main_runs_a_benchmark_from_a_clone(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_main(monkeypatch, 'results_tables', '--check')
    assert stop.value.code == 0


def test_main_passes_the_arguments_on(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_main(monkeypatch, 'train', '--help')
    assert stop.value.code == 0
    assert 'usage: python -m mmseg_sparse train' in capsys.readouterr().out


def test_ctrl_c_ends_every_tool_with_130(arguments_module, capsys):
    def stop():
        raise KeyboardInterrupt('nothing was written')

    with pytest.raises(SystemExit) as end:
        arguments_module.run_tool(stop)
    assert end.value.code == 130
    assert ': interrupted: nothing was written\n' in capsys.readouterr().err
    for script in main_module.list_tools(TOOLS).values():
        assert script.read_text().endswith("__main__':\n    run_tool(main)\n")


def test_main_names_an_unknown_tool(monkeypatch):
    with pytest.raises(SystemExit, match=r"no tool 'trian': .*train"):
        run_main(monkeypatch, 'trian')


def test_augmented_testing_makes_no_pseudo_labels():
    cfg = Config.fromfile(
        REPOSITORY
        / 'configs/afa/afa_mit-tiny_segformer_1xb8-4k_toy-tag-64x64.py'
    )
    with pytest.warns(UserWarning, match='measures no pseudo labels'):
        launch.enable_tta(cfg)
    assert cfg.model.module.type == 'AFASegmentor'
    assert cfg.model.module.test_cfg.pseudo_labels is False
    assert [e.type for e in cfg.test_evaluator] == [
        'ClassIoUMetric', 'BoundaryIoUMetric',
    ]  # fmt: skip
