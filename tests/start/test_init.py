"""``init`` writes projects that train as they stand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_sparse.labels.heatmap_file import write_heatmaps
from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.pseudo_labels.trl_configs import read_settings
from mmseg_sparse.pseudo_labels.trl_pipeline import TRLPipeline
from mmseg_sparse.start import project
from tests.helpers import start_case as case
from tests.helpers import writers_a
from tests.helpers.tools import call
from tests.start.test_recognise import DOT, LINE

NAMES = [f'p{p}_{s}' for p in range(4) for s in range(2)]
pytestmark = pytest.mark.usefixtures('offline')


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No weights of this machine, and times that were not measured."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(project, 'time_training', lambda cfg: (0.5, 0.01))


def init(root: Path, *arguments: object, check: bool = True):
    return call(
        'init', 'images', *arguments, '--out', 'out', cwd=root, check=check
    )


def build(root: Path, split: str = 'train'):
    cfg = Config.fromfile(root / 'out/config.py')
    return DATASETS.build(cfg[f'{split}_dataloader'].dataset), cfg


def paths(data) -> list[Path]:
    infos = (data.get_data_info(index) for index in range(len(data)))
    return [Path(info['img_path']) for info in infos]


def test_strokes_in_place_are_validated_by_patient(tmp_path: Path) -> None:
    case.write(tmp_path, NAMES, case.strokes(), '_mask')
    done = init(tmp_path, 'labels', '--classes', 'background,cat,dog')
    assert 'index PNGs, used in place' in done.stdout
    assert 'by the 4 beginnings of their names' in done.stdout
    assert 'at their labelled pixels alone' in done.stdout
    assert 'no pretrained weights' in done.stdout
    train, cfg = build(tmp_path)
    val, _ = build(tmp_path, 'val')
    groups = [{p.stem.split('_')[0] for p in paths(d)} for d in (train, val)]
    assert [len(g) for g in groups] == [3, 1]
    assert not groups[0] & groups[1]
    assert not (tmp_path / 'out/labels').exists()
    sample = train[0]['data_samples']
    assert set(sample.gt_sem_seg.data.unique().tolist()) <= {0, 1, 2, 255}
    assert train.metainfo['classes'] == ('background', 'cat', 'dog')
    assert cfg.model.regularizers[0].loss_weight == 1.2
    assert cfg.train_cfg.max_iters == 1000


def test_masks_to_validate_on_are_found(tmp_path: Path) -> None:
    for split, labels in (('train', case.points()), ('val', case.mask())):
        case.write(tmp_path / split, ['a', 'b'], labels)
        kind = 'points' if split == 'train' else 'masks'
        for folder, name in (('images', 'images'), ('labels', kind)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / split / folder).rename(tmp_path / name / split)
    done = call(
        'init', 'images/train', 'points/train', '--out', 'out', cwd=tmp_path
    )
    assert 'validation: 2 images with the masks masks/val' in done.stdout
    assert 'classes:    background, class_1, class_2' in done.stdout
    val, cfg = build(tmp_path, 'val')
    assert [path.parent.name for path in paths(val)] == ['val'] * 2
    assert cfg.model.regularizers[0].loss_weight == 0.2


def test_the_project_trains_with_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    case.write(tmp_path, NAMES, case.strokes())
    done = init(
        tmp_path, 'labels', '--iters', 2, '--batch', 2, '--weights', 'none',
        '--train',
    )  # fmt: skip
    assert 's each on' in done.stdout
    assert 'mIoU' in done.stdout + done.stderr
    assert (tmp_path / 'out/run/iter_2.pth').is_file()
    sheet = np.array(Image.open(tmp_path / 'out/sheet.png'))
    assert sheet.shape[1] > 3 * 320


def test_stock_mmengine_trains_the_config(tmp_path: Path) -> None:
    case.write(tmp_path, NAMES, case.strokes())
    init(tmp_path, 'labels', '--iters', 2, '--batch', 2, '--weights', 'none')
    cfg = Config.fromfile(tmp_path / 'out/config.py')
    cfg.merge_from_dict(
        {
            f'{loader}_dataloader.{key}': value
            for loader in ('train', 'val', 'test')
            for key, value in (
                ('num_workers', 0), ('persistent_workers', False),
            )
        }
    )  # fmt: skip
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert Path(runner.work_dir) == tmp_path / 'out/run'
    assert (tmp_path / 'out/run/iter_2.pth').is_file()
    assert 'mIoU' in runner.test()


def test_strokes_of_cvat_are_imported(tmp_path: Path) -> None:
    for name in ('a', 'b', 'c'):
        case.image(tmp_path / f'images/{name}.jpg')
    (tmp_path / 'strokes.xml').write_bytes(
        writers_a.cvat(
            [
                ImageAnnotation(f'{n}.jpg', '', case.SIZE, (LINE, DOT))
                for n in 'abc'
            ]
        )
    )
    case.png(tmp_path / 'masks/c.png', case.mask() // 2)
    done = init(tmp_path, 'strokes.xml', '--val', 'masks')
    assert 'must number the classes in this order' in done.stdout
    assert 'cvat, imported to labels/' in done.stdout
    train, _ = build(tmp_path)
    assert train.metainfo['classes'] == ('cat', 'dog')
    assert len(train) == 2
    # The folder can be moved: nothing in it names its own place.
    (tmp_path / 'out').rename(tmp_path / 'moved')
    cfg = Config.fromfile(tmp_path / 'moved/config.py')
    assert len(DATASETS.build(cfg.val_dataloader.dataset)) == 1
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 2


def test_tags_are_learned_by_afa(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tags = {}
    for name in ('a', 'b', 'c'):
        case.image(tmp_path / f'images/{name}.jpg')
        tags[name] = rng.integers(0, 2, 4).astype(np.uint8) | [1, 0, 0, 1]
    np.save(tmp_path / 'tags.npy', tags)
    classes = 'background,cat,dog,cow,pig'
    done = init(tmp_path, 'tags.npy', '--classes', classes)
    assert 'tags alone cannot be compared' in done.stdout
    train, cfg = build(tmp_path)
    sample = train[0]['data_samples']
    assert sample.gt_label.tolist() == list(map(float, tags['a']))
    assert cfg.model.type == 'AFASegmentor'
    assert cfg.val_dataloader is None
    model = MODELS.build(cfg.model)
    assert model.decode_head.num_classes == 5
    assert model.segmentation_begin == 400


def hybrid(root: Path, list_tags: bool) -> Path:
    """Write images with masks, of which a list says that two are used."""
    case.write(root / 'train', NAMES, case.mask())
    (root / 'train/labels').rename(root / 'train/masks')
    case.write(root / 'val', ['v'], case.mask())
    (root / 'val/labels').rename(root / 'val/masks')
    kinds = {n: 'dense' if n in NAMES[:2] else 'tag' for n in NAMES}
    tags = ' cat, dog' if list_tags else ''
    (root / 'train/hybrid.txt').write_text(
        ''.join(
            f'{name} {kind}{tags if kind == "tag" else ""}\n'
            for name, kind in kinds.items()
        )
    )
    if not list_tags:
        images = {
            n: dict(supervision='tag', size=[*case.SIZE], image=f'{n}.jpg',
                    tags=['cat', 'dog'])
            for n in NAMES
        }  # fmt: skip
        (root / 'train/labels.json').write_text(
            json.dumps(
                dict(version=1, tool='tile_dataset', format='x', images=images,
                     classes=['background', 'cat', 'dog'])
            )
        )  # fmt: skip
    return root / 'train/hybrid.txt'


@pytest.mark.parametrize('list_tags', [False, True])
def test_masks_and_tags_are_a_pipeline(
    list_tags: bool, tmp_path: Path
) -> None:
    hybrid(tmp_path, list_tags)
    given = ['--classes', 'background,cat,dog'] if list_tags else []
    done = call(
        'init', 'train/images', 'train/hybrid.txt', '--out', 'out',
        '--iters', 4, '--weights', 'none', *given, cwd=tmp_path,
    )  # fmt: skip
    assert '6 tag, 2 dense of 8 images' in done.stdout
    assert 'validation: 1 images with the masks val/masks' in done.stdout
    assert 'trl_pipeline out/pipeline.py' in done.stdout
    assert 'out/run/final/iter_4.pth' in done.stdout
    settings = read_settings(tmp_path / 'out/pipeline.py')
    assert settings.background == 0
    pipeline = TRLPipeline(settings)
    assert pipeline.stages.names[-2:] == ('final', 'evaluation')
    for stage in ('cam', 'refined'):
        for name in NAMES[:2]:
            write_heatmaps(
                tmp_path / f'out/run/{stage}/heatmaps/{name}.npz',
                np.full((1, 80, 96), 0.5), np.array([1]), num_classes=3,
            )  # fmt: skip
    # The pipeline's own config of the last one lists pseudo labels.
    final = Config.fromfile(tmp_path / 'out/config.py')
    for cfg in {**pipeline.configs, 'final': final}.values():
        data = DATASETS.build(cfg.train_dataloader.dataset)
        batch = pseudo_collate([data[0], data[len(data) - 1]])
        model = revert_sync_batchnorm(MODELS.build(cfg.model)).train()
        batch = model.data_preprocessor(batch, training=True)
        loss, _ = model.parse_losses(model(**batch, mode='loss'))
        loss.backward()
        assert 0 < float(loss) < 100
        heads = [model.decode_head, getattr(model, 'weak_head', None)]
        assert {h.num_classes for h in heads if h} == {3}
        assert cfg.train_cfg.max_iters == 4
    train, _ = build(tmp_path)
    samples = {p.stem: train[k] for k, p in enumerate(paths(train))}
    weak = samples[NAMES[2]]['data_samples']
    assert weak.supervision == 'tag'
    assert weak.gt_label.tolist() == [1, 1]  # without the background
    strong = samples[NAMES[0]]['data_samples']
    assert strong.supervision == 'dense'
    assert (strong.gt_sem_seg.data == 1).any()


def test_masks_are_held_out_and_tags_are_not(tmp_path: Path) -> None:
    listing = hybrid(tmp_path, list_tags=False)
    (tmp_path / 'val/masks').rename(tmp_path / 'kept')
    init_it = ('init', 'train/images', listing, '--out', 'out')
    done = call(*init_it, cwd=tmp_path)
    assert '1 of 2 images with label maps held out' in done.stdout
    assert len(build(tmp_path, 'val')[0]) == 1
    (tmp_path / f'train/masks/{NAMES[0]}.png').unlink()
    done = call(*init_it[:-1], 'other', cwd=tmp_path, check=False)
    assert f'{NAMES[0]} is dense, but there is no' in done.stderr


def test_zero_that_means_no_label(tmp_path: Path) -> None:
    case.write(tmp_path, NAMES, case.strokes(unlabelled=0, first=1))
    (tmp_path / 'images/p0_0.jpg').unlink()
    case.image(tmp_path / 'images/p0_0.png')  # of another suffix
    done = init(tmp_path, 'labels')
    assert '0 = no label, classes count from 1' in done.stdout
    train, _ = build(tmp_path)
    assert len(train) + len(build(tmp_path, 'val')[0]) == len(NAMES)
    data = train[0]['data_samples'].gt_sem_seg.data
    assert 255 in data
    assert set(data.unique().tolist()) <= {0, 1, 2, 255}
    assert len(train.metainfo['classes']) == 3


def test_weights_say_which_model_it_is(tmp_path: Path) -> None:
    case.write(tmp_path, NAMES, case.strokes())
    backbone = MODELS.build(
        dict(
            type='MixVisionTransformer', embed_dims=64, num_stages=4,
            num_layers=[2, 2, 2, 2], num_heads=[1, 2, 5, 8],
            patch_sizes=[7, 3, 3, 3], sr_ratios=[8, 4, 2, 1],
            out_indices=(0, 1, 2, 3),
        )
    )  # fmt: skip
    (tmp_path / 'weights').mkdir()
    torch.save(backbone.state_dict(), tmp_path / 'weights/my_mit.pth')
    done = init(tmp_path, 'labels')
    assert 'MiT-B1, from weights/my_mit.pth' in done.stdout
    _, cfg = build(tmp_path)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for key, value in backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[key], value)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['labels', '--weights', 'no.pth'], 'no file no.pth'),
        (['labels', '--val', 'nowhere'], "got 'nowhere'"),
        (['labels', '--classes', 'cat'], 'at least 3 names'),
        (['labels', '--background', 'sky'], "got 'sky'"),
        (['labels', '--format', 'word'], "got 'word'"),
        (['nothing'], 'no file or folder nothing'),
        (['images'], 'expected labels of the images'),
    ],
)
def test_mistakes_leave_nothing(arguments, message, tmp_path: Path) -> None:
    case.write(tmp_path, NAMES, case.strokes())
    before = sorted(tmp_path.rglob('*'))
    done = init(tmp_path, *arguments, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('python -m mmseg_sparse init: error: ')
    assert message in done.stderr
    assert sorted(tmp_path.rglob('*')) == before


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    case.write(tmp_path, NAMES, case.strokes())
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/notes.txt').write_text('mine')
    done = init(tmp_path, 'labels', check=False)
    assert 'out exists, and nothing is overwritten' in done.stderr
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['notes.txt']
