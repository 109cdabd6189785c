"""Two gloo processes train as one process does with the joint batch."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing
from mmengine.config import Config, ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

import mmseg_sparse  # noqa: F401
from mmseg_sparse.engine import launch
from tests.helpers import tiny

ROOT = Path(__file__).resolve().parents[2]
WORLD = 2
IMAGES = 4


def build_model() -> nn.Module:
    """Build a model without dropout and batch statistics, in float64."""
    init_default_scope('mmseg')
    torch.manual_seed(1)
    cfg = tiny.model_config(drop=0.0)
    cfg['decode_head']['norm_cfg'] = dict(type='GN', num_groups=2)
    return MODELS.build(cfg).double().train()


#: Methods whose losses may see nothing in one of the processes.
METHODS = ('dfr', 'blpseg', 'blpseg-self', 'dual')
#: How the images of each process are labelled.
KINDS = ('dense', 'pseudo')


def build_method(name: str) -> nn.Module:
    """Build a model of another method, likewise."""
    init_default_scope('mmseg')
    torch.manual_seed(1)
    cfg = tiny.model_config(drop=0.0)
    head = cfg['decode_head']
    head['norm_cfg'] = dict(type='GN', num_groups=2)
    if name == 'dfr':
        # The feature losses learn from the given labels alone.
        loss = dict(type='DFRLoss', in_channels=8, supervision='labels')
        cfg['regularizers'] = [loss]
    elif name == 'dual':
        cfg['type'] = 'DualBranchEncoderDecoder'
    else:
        cfg['regularizers'] = []
        del head['loss_decode']
        head.update(
            type='BLPHead',
            self_training_begin=0 if name == 'blpseg-self' else None,
            self_training_confidence=0.3,
        )
    return MODELS.build(cfg).double().train()


def batch(case: str) -> tuple[Tensor, Tensor]:
    """Return four images and their labels.

    CE divides by the labelled pixels of its process and the affinity loss by
    the others, so that the mean of two processes is the joint mean only if
    the halves have equally many: ``'equal'`` labels the same positions in
    both, with other classes. ``'empty'`` labels nothing in the second half,
    ``'unequal'`` half as many pixels.
    """
    generator = torch.Generator().manual_seed(2)
    size = (IMAGES, tiny.SIZE, tiny.SIZE)
    images = torch.randn(
        IMAGES, 3, *size[1:], generator=generator, dtype=torch.float64
    )
    labels = torch.randint(len(tiny.CLASSES), size, generator=generator)
    half = IMAGES // WORLD
    known = torch.rand(half, *size[1:], generator=generator) < 0.2
    other = known.clone()
    if case == 'empty':
        other[:] = False
    elif case == 'unequal':
        other[:, : tiny.SIZE // 2] = False
    return images, labels.masked_fill(~torch.cat([known, other]), 255)


def batch_of(name: str) -> tuple[Tensor, Tensor]:
    """Return one that leaves a loss of the method without labels."""
    return batch('equal' if name == 'dual' else 'empty')


def loss(
    model: nn.Module, images: Tensor, labels: Tensor, kind: str = 'dense'
) -> Tensor:
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=label[None]),
            metainfo=dict(img_shape=tuple(label.shape), supervision=kind),
        )
        for label in labels
    ]
    losses = model(images, samples, mode='loss')
    return sum(
        value
        for name, value in losses.items()
        if 'loss' in name  # as MMEngine's parse_losses
    )


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {
        name.removeprefix('module.'): parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }


def hook_count(model: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in model.modules()
    )


def work(rank: int, folder: Path) -> None:
    """Compute gradients and train three times; runs in each process."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    os.environ.update(WORLD_SIZE=str(WORLD))
    torch.distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=WORLD,
    )
    model = build_model()
    bare = hook_count(model)
    wrapped = MMDistributedDataParallel(model)
    half = slice(rank * IMAGES // WORLD, (rank + 1) * IMAGES // WORLD)
    results: dict[str, Any] = {}
    for case in ('equal', 'empty', 'unequal'):
        wrapped.zero_grad()
        images, labels = batch(case)
        loss(wrapped, images[half], labels[half]).backward()
        results[case] = gradients(wrapped)
    results['left hooks'] = hook_count(model) - bare
    for name in METHODS:
        wrapped = MMDistributedDataParallel(build_method(name))
        images, labels = batch_of(name)
        loss(wrapped, images[half], labels[half], KINDS[rank]).backward()
        results[name] = gradients(wrapped)
    torch.save(results, folder / f'rank_{rank}.pth')
    train_and_resume(folder)
    torch.distributed.destroy_process_group()


def train_and_resume(folder: Path) -> None:
    cfg = tiny.config(folder / 'data', launcher='pytorch')
    cfg['randomness'] = dict(seed=3, diff_rank_seed=True)
    cfg['default_hooks']['checkpoint']['interval'] = 3
    for run, iterations, resume in (
        ('whole', 6, False),
        ('parts', 3, False),
        ('parts', 6, True),
    ):
        cfg['train_cfg'].update(max_iters=iterations, val_interval=2)
        prepared = Config(cfg)
        launch.prepare_cpu_job(prepared)
        tiny.train(prepared.to_dict(), folder / run, resume=resume)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run :func:`work` in two processes; return the folder of results."""
    folder = tmp_path_factory.mktemp('ranks')
    tiny.write_images(folder / 'data')
    torch.multiprocessing.spawn(work, args=(folder,), nprocs=WORLD)
    return folder


def joint_gradients(case: str) -> dict[str, Tensor]:
    model = build_model()
    loss(model, *batch(case)).backward()
    return gradients(model)


def largest_difference(
    first: dict[str, Tensor], second: dict[str, Tensor]
) -> float:
    assert first.keys() == second.keys()
    apart = max((first[k] - second[k]).abs().max() for k in first)
    return float(apart / max(value.abs().max() for value in first.values()))


def rank_results(folder: Path, rank: int) -> dict[str, Any]:
    return torch.load(folder / f'rank_{rank}.pth', weights_only=True)


def test_gradients_are_those_of_the_joint_batch(folder: Path) -> None:
    joint = joint_gradients('equal')
    ranks = [rank_results(folder, rank)['equal'] for rank in range(WORLD)]
    assert all(torch.equal(ranks[0][k], ranks[1][k]) for k in ranks[0])
    assert all(gradient.any() for gradient in joint.values())
    # mmseg adds float32's epsilon, 1.2e-7, to the number of labels.
    assert largest_difference(joint, ranks[0]) < 1e-9


def test_each_process_counts_its_own_labels(folder: Path) -> None:
    """With other numbers of labels a process they are not: a mean of means."""
    joint = joint_gradients('unequal')
    ours = rank_results(folder, 0)['unequal']
    assert largest_difference(joint, ours) > 1e-3


def test_process_without_a_label_takes_part(folder: Path) -> None:
    """It neither hangs nor spoils: it adds the affinity of its images."""
    images, labels = batch('empty')
    expected: list[dict[str, Tensor]] = []
    for part in range(WORLD):
        half = slice(part * IMAGES // WORLD, (part + 1) * IMAGES // WORLD)
        model = build_model()
        loss(model, images[half], labels[half]).backward()
        expected.append(gradients(model))
    mean = {k: (expected[0][k] + expected[1][k]) / 2 for k in expected[0]}
    ours = rank_results(folder, 0)['empty']
    assert largest_difference(mean, ours) < 1e-12


def test_nothing_stays_hooked(folder: Path) -> None:
    for rank in range(WORLD):
        assert rank_results(folder, rank)['left hooks'] == 0


def test_resume_restores_the_random_state_of_each_rank(folder: Path) -> None:
    content = torch.load(folder / 'whole' / 'iter_3.pth', weights_only=True)
    first, second = content['random_state']['ranks']
    assert not torch.equal(first['torch'], second['torch'])
    expected = tiny.state(folder / 'whole' / 'iter_6.pth')
    resumed = tiny.state(folder / 'parts' / 'iter_6.pth')
    assert not tiny.differences(expected, resumed)


def test_train_tool_under_torchrun(folder: Path, tmp_path: Path) -> None:
    cfg = tiny.config(folder / 'data')
    # What needs GPUs, and has to give way.
    cfg['model']['decode_head']['norm_cfg'] = dict(type='SyncBN')
    cfg['env_cfg']['dist_cfg'] = dict(backend='nccl', timeout=120)
    cfg['train_cfg'].update(max_iters=2, val_interval=2)
    Config(cfg).dump(str(tmp_path / 'config.py'))
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    result = subprocess.run(
        [
            *(sys.executable, '-m', 'torch.distributed.run'),
            *('--nproc_per_node=2', '--standalone'),
            *(str(ROOT / 'tools' / 'train.py'), str(tmp_path / 'config.py')),
            *('--work-dir', str(tmp_path / 'run'), '--launcher', 'pytorch'),
        ],
        env=dict(
            os.environ,
            PYTHONPATH=os.pathsep.join(paths),
            OMP_NUM_THREADS='1',
            CUDA_VISIBLE_DEVICES='',
        ),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    content = torch.load(tmp_path / 'run' / 'iter_2.pth', weights_only=True)
    assert len(content['random_state']['ranks']) == WORLD


def test_launchers_that_need_gpus_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    cfg = ConfigDict(launcher='slurm')
    with pytest.raises(ValueError, match="launcher='slurm' needs GPUs"):
        launch.prepare_cpu_job(cfg)


def test_single_processes_and_gpus_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for launcher, device in (('none', 'cpu'), ('pytorch', 'cuda')):
        monkeypatch.setattr(launch, 'get_device', lambda d=device: d)
        cfg = ConfigDict(launcher=launcher)
        launch.prepare_cpu_job(cfg)
        assert cfg == dict(launcher=launcher)


@pytest.mark.parametrize('name', METHODS)
def test_a_process_without_labels_takes_part(folder: Path, name: str) -> None:
    """The gradients are the mean of both processes', every one there."""
    parts = []
    images, labels = batch_of(name)
    for rank in range(WORLD):
        half = slice(rank * IMAGES // WORLD, (rank + 1) * IMAGES // WORLD)
        model = build_method(name)
        loss(model, images[half], labels[half], KINDS[rank]).backward()
        parts.append(gradients(model))
    for rank in range(WORLD):
        found = torch.load(folder / f'rank_{rank}.pth', weights_only=True)
        for key, first in parts[0].items():
            wanted = (first + parts[1][key]) / WORLD
            torch.testing.assert_close(
                found[name][key], wanted, rtol=1e-9, atol=1e-12
            )
