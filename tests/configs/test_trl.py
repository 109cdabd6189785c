"""What the configs of TRL are about."""

import re

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS, TRANSFORMS

from mmseg_sparse.pseudo_labels.trl_configs import TRAININGS, read_settings
from tests.helpers.shipped import (
    CONFIGS,
    NAME,
    datasets,
    of_type,
    parse,
    shrink,
)
from tests.helpers.shipped import without_weights as stock_without_weights

TRL = CONFIGS / 'trl'
STAGES = sorted([*TRL.glob('stages/*.py'), *TRL.glob('ablations/trl-*.py')])
FINALS = sorted(TRL.glob('*.py'))
PIPELINES = sorted(
    [*TRL.glob('pipelines/*.py'), *TRL.glob('ablations/trl_*.py')]
)
#: Variants of the first network (tables 2, 3).
ABLATIONS = {
    'stn-image', 'stn-heatmap', 'stn-concat', 'dtn', 'nowarmup', 'fpn1',
}  # fmt: skip
#: Data set in the name -> images of the strong list, classes, background.
DATA = {
    'toy': (None, 7, 0),
    'camvidtile': (None, 11, None),
    'voc12': (1464, 21, 0),
    'coco17': (20_000, 81, 0),
}
#: Epochs of the paper, batch size and images of all (section 4.1).
REFINING = {'voc12': 150, 'coco17': 30}
SEGMENTING = {'voc12': (32, 10_582), 'coco17': (10, 118_287)}
each_stage = pytest.mark.parametrize('leaf', STAGES, ids=lambda p: p.stem)
each_pipeline = pytest.mark.parametrize(
    'leaf', PIPELINES, ids=lambda p: p.stem
)


def parts(leaf):
    found = re.fullmatch(NAME, leaf.stem)
    assert found, leaf.name
    return found.groupdict()


def without_weights(model):
    stock_without_weights(model)
    model.backbone.pop('stream_init_cfg', None)


def test_there_is_a_config_of_every_stage_and_ablation():
    found = {}
    for leaf in STAGES:
        name = parts(leaf)
        assert name['method'] == 'trl'
        found.setdefault(name['dataset'], set()).add(name['variant'])
    rounds = {'classifier', 'dctn1', 'dctn2'}
    assert found == {
        'voc12': rounds | ABLATIONS,
        'toy': rounds | ABLATIONS,
        'coco17': rounds,
        'camvidtile': rounds,
    }
    assert {parts(leaf)['dataset'] for leaf in FINALS} == set(DATA)


@each_stage
def test_name_agrees_with_schedule_and_data(leaf):
    name, cfg = parts(leaf), parse(leaf)
    assert len(leaf.read_text('utf-8').splitlines()) <= 30
    assert 'mmseg_sparse' in cfg.custom_imports.imports
    assert round(cfg.train_cfg.max_iters / 1000) == int(name['iters'])
    assert cfg.param_scheduler[-1]['end'] == cfg.train_cfg.max_iters
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    (dataset,) = datasets(cfg.train_dataloader)
    # Images that are cropped to more than a batch's size do not stack.
    size = (int(name['height']), int(name['width']))
    batch = cfg.model.data_preprocessor.get('size')
    assert batch is None or all(map(int.__ge__, batch, size))
    moving = of_type(dataset.pipeline, 'MoveHeatmaps')
    steps = moving[0].transforms if moving else dataset.pipeline
    crops = [tuple(c.crop_size) for c in of_type(steps, 'RandomCrop')]
    assert crops == [size] * (name['dataset'] != 'toy')
    classes = DATA[name['dataset']][1]
    model = cfg.model
    assert model.decode_head.num_classes == classes
    assert model.backbone.get('heatmap_channels', classes) == classes
    refines = model.type == 'HeatmapRefiner'
    assert refines == (name['variant'] != 'classifier')
    if not refines:
        assert model.type == 'AFASegmentor'
        assert model.segmentation_begin > cfg.train_cfg.max_iters
        assert 'filter_cfg' not in dataset
        assert (
            model.decode_head.get('background', 0)
            == (DATA[name['dataset']][2])
        )
        return
    assert dataset.filter_cfg == dict(supervision='dense')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert len(of_type(loader, 'LoadHeatmaps')) == 1
    (moves,) = of_type(dataset.pipeline, 'MoveHeatmaps')
    geometric = ('RandomResize', 'RandomCrop', 'RandomFlip')
    inside = of_type(moves.transforms, *geometric)
    assert of_type(dataset.pipeline, *geometric) == inside
    assert dataset.pipeline[-1]['type'] == 'PackHeatmapInputs'
    for step in (*dataset.pipeline, *cfg.test_pipeline):
        TRANSFORMS.build(dict(step))
    assert cfg.val_dataloader.dataset.pipeline == cfg.test_pipeline
    assert of_type(cfg.val_evaluator, 'ClassIoUMetric')
    assert cfg.train_cfg.val_interval <= cfg.train_cfg.max_iters


@pytest.mark.parametrize('dataset', REFINING)
def test_schedules_are_the_papers_epochs(dataset):
    strong = DATA[dataset][0]
    for leaf in STAGES:
        name = parts(leaf)
        if name['dataset'] == dataset and name['variant'] != 'classifier':
            cfg = parse(leaf)
            epochs = cfg.train_cfg.max_iters * 8 / strong
            assert epochs == pytest.approx(REFINING[dataset], rel=0.002)
            optimizer = dict(type='Adam', lr=1e-4)
            assert cfg.optim_wrapper.optimizer == optimizer
            assert cfg.param_scheduler[0]['gamma'] == 0.1
    finals = [p for p in FINALS if parts(p)['dataset'] == dataset]
    assert len(finals) == 2
    epochs, images = SEGMENTING[dataset]
    for cfg in map(parse, finals):
        seen = cfg.train_cfg.max_iters * cfg.train_dataloader.batch_size
        assert seen / images == pytest.approx(epochs, rel=0.005)


@pytest.mark.parametrize('leaf', FINALS, ids=lambda p: p.stem)
def test_each_final_model_has_a_bound_of_strong_images_alone(leaf):
    """All is the same but for the second head and the weak images."""
    ours = parse(leaf)
    bound = parse(CONFIGS / 'baselines' / leaf.name.replace('trl_', 'ce_', 1))
    assert bound.model.type == 'EncoderDecoder'
    (dataset,) = datasets(bound.train_dataloader)
    assert dataset.pop('filter_cfg') == dict(supervision='dense')
    assert bound.train_dataloader.sampler.type == 'InfiniteSampler'
    bound.train_dataloader.sampler = ours.train_dataloader.sampler
    bound.model.type = ours.model.type
    ours.default_hooks = bound.default_hooks
    assert bound.to_dict() == ours.to_dict()


@pytest.mark.parametrize('leaf', FINALS, ids=lambda p: p.stem)
def test_final_models_learn_from_both_kinds(leaf):
    cfg = parse(leaf)
    assert cfg.model.type == 'DualBranchEncoderDecoder'
    sampler = cfg.train_dataloader.sampler
    assert sampler == dict(type='StrongWeakSampler', strong=1, weak=1)
    assert cfg.train_dataloader.batch_size % 2 == 0
    (dataset,) = datasets(cfg.train_dataloader)
    assert dataset.data_prefix.pseudo
    assert dataset.pipeline[-1]['type'] == 'PackSparseInputs'


@each_pipeline
def test_pipelines_name_stages_of_one_data_set(leaf, monkeypatch, tmp_path):
    said = Config.fromfile(leaf)
    files = [leaf.parent / said[name] for name in TRAININGS if name in said]
    assert all(file.is_file() for file in files)
    names = [parts(file) for file in files]
    assert len({name['dataset'] for name in names}) == 1
    variants = [name['variant'] for name in names]
    dataset = names[0]['dataset']
    assert said.get('background', 0) == DATA[dataset][2]
    if len(files) == 4:
        assert variants == ['classifier', 'dctn1', 'dctn2', None]
        assert said.get('clf', (True,) * 2) == (
            (False,) * 2 if leaf.stem.endswith('_noclf') else (True,) * 2
        )
    else:
        assert variants[0] == 'classifier'
        assert leaf.stem.endswith(variants[1].replace('-', '_'))
    monkeypatch.chdir(tmp_path)
    masks = tmp_path / said.dense_masks
    masks.mkdir(parents=True)
    split = tmp_path / said.split
    split.parent.mkdir(parents=True, exist_ok=True)
    split.write_text('a dense\nb tag\n')
    settings = read_settings(leaf)
    assert settings.work_dir.name == leaf.stem
    if leaf.parent.name == 'ablations':  # one classifier for all
        main = TRL / 'pipelines' / f'{settings.shared.name}.py'
        assert Config.fromfile(main).classifier == said.classifier
        assert Config.fromfile(main).split == said.split
    else:
        assert settings.shared is None
    train = parse(files[0]).train_dataloader.dataset
    listed = tmp_path / train.data_root / train.ann_file
    assert listed == split


@each_stage
def test_shrunk_models_build(leaf):
    cfg = parse(leaf)
    if cfg.model.type == 'HeatmapRefiner':
        without_weights(cfg.model)
        channels = [4, 6, 8, 10]
        cfg.model.backbone.update(
            low_channels=6, embed_dims=channels, num_heads=(1, 2, 2, 2),
            depths=(1, 1, 1, 1), mlp_ratios=(2, 2, 2, 2),
        )  # fmt: skip
        cfg.model.decode_head.update(in_channels=channels, low_channels=6)
        if cfg.model.decode_head.type == 'DCTNFPNHead':
            cfg.model.decode_head.update(fpn_channels=8, channels=8)
    else:
        shrink(cfg)
    model = MODELS.build(cfg.model)
    if cfg.model.type == 'HeatmapRefiner':
        # Backbone and head learn at one rate, as in the paper.
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
        rates = {group['lr'] for group in optimizer.param_groups}
        assert rates == {cfg.optim_wrapper.optimizer.lr}


def test_the_papers_network_builds():
    (leaf,) = (p for p in STAGES if 'dctn2_svt-s_dctnfpn_1xb8-27k' in p.stem)
    cfg = parse(leaf)
    without_weights(cfg.model)
    model = MODELS.build(cfg.model)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    # two Twins-SVT-S of 23 million each, and FPN
    assert 45 < millions < 55
    strides = [e.projection.stride[0] for e in
               model.backbone.transformers['image'].patch_embeds]  # fmt: skip
    assert strides == [4, 2, 2, 1]
    assert model.backbone.low_levels['heatmap'][0].conv.out_channels == 64
