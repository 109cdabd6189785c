"""Each shipped config is what its name, its metafile and README say."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISUALIZERS,
)

from mmseg_sparse.engine import sanity
from tests.helpers.shipped import (
    CONFIGS,
    LEAVES,
    REPOSITORY,
    datasets,
    dicts,
    of_type,
    parse,
    parts,
    shrink,
    without_weights,
)

# What the words of a name mean in the config.
REGULARIZERS = {
    'ce': [],
    'sasformer': ['AttentionAffinityLoss'],
    'dfr': ['DFRLoss'],
    'gated_crf': ['GatedCRFLoss'],
    'tree_energy': ['TreeEnergyLoss'],
    'blpseg': [],
    'recipe': ['AttentionAffinityLoss'],
    'afa': ['DenseCRFLoss'],  # or none, see test_afa_configs
    'trl': [],
}
BACKBONES = {
    'mit-tiny': ('MixVisionTransformer', 16, 4),
    'mit-b0': ('MixVisionTransformer', 32, 8),
    'mit-b1': ('MixVisionTransformer', 64, 8),
    'mit-b4': ('MixVisionTransformer', 64, 41),
    'dinov2-s': ('FrozenBackbone', 384, 12),
    'vit-b': ('VisionTransformer', 768, 12),
    'vit-l': ('VisionTransformer', 1024, 24),
    'swin-b': ('SwinTransformer', 128, 24),
    'unet-16': ('UNet', 16, 5),
    'efficientnet-lite0': ('TIMMBackbone', 'tf_efficientnet_lite0', 4),
    'vgg16': ('DilatedVGG', 64, 16),
    'r18': ('ResNetV1c', 64, 18),
    'r50': ('ResNetV1c', 64, 50),
    'r101': ('ResNetV1c', 64, 101),
}
HEADS = {
    'segformer': 'SegformerHead',
    'segmenter': 'SegmenterMaskTransformerHead',
    'setr-pup': 'SETRUPHead',
    'upernet': 'UPerHead',
    'deeplabv3plus': 'DepthwiseSeparableASPPHead',
    'fcn': 'FCNHead',
}
#: Names that begin so have a head of ours, on the stock one that they say.
OWN_HEADS = {
    'blpseg': 'BLPHead',
    'recipe': 'BLPHead',
    'dfr-block': 'FusedLevelsUPerHead',
    'afa': 'AFAHead',
}
#: Baselines run without a line of ours.
SEGMENTORS = {
    'ce': 'EncoderDecoder',
    'afa': 'AFASegmentor',
    'trl': 'DualBranchEncoderDecoder',
}
DATA = {
    'acdc': ('SparseSegDataset', 'ACDC'),
    'camvid': ('CamVidDataset', 'CamVid'),
    'camvidtile': ('SparseSegDataset', 'CamVid tiles'),
    'coco14': ('SparseCOCODataset', 'MS COCO 2014'),
    'coco17': ('SparseCOCODataset', 'MS COCO 2017'),
    'voc12': ('PascalVOCDataset', 'PASCAL VOC 2012'),
    'toy': ('ToyShapesDataset', 'Toy shapes'),
    'pcontext59': ('PascalContextDataset59', 'PASCAL-Context 59'),
    'pcontext60': ('PascalContextDataset', 'PASCAL-Context 60'),
}
FOLDERS = {
    ('acdc', 'scribble'): {'scribbles/train'},
    ('acdc', 'dense'): {'masks/train'},
    ('camvid', 'scribble'): {'scribbles/train'},
    ('camvid', 'point'): {'points/train'},
    ('camvid', 'dense'): {'masks/train'},
    ('voc12', 'scribble'): {'ScribbleAug'},
    ('voc12', 'point'): {'PointAug'},
    ('voc12', 'dense'): {'SegmentationClass', 'SegmentationClassAug'},
    ('toy', 'scribble'): {'scribbles/train'},
    ('toy', 'point'): {'masks/train'},  # a pixel a region of them
    ('toy', 'tag'): {'masks/train'},  # no pixel of them is left
    ('voc12', 'tag'): {None},
    ('coco14', 'tag'): {None},
    ('camvidtile', 'tag'): {None},
    ('camvidtile', 'hybrid'): {'train/masks'},
    ('camvidtile', 'dense'): {'train/masks'},
    ('toy', 'hybrid'): {'masks/train'},
    ('toy', 'dense'): {'masks/train'},
    ('voc12', 'hybrid'): {'SegmentationClass'},
    ('coco17', 'hybrid'): {'masks/train2017'},
    ('pcontext59', 'scribble'): {'ScribbleContext'},
    ('pcontext60', 'scribble'): {'ScribbleContext'},
}
VALIDATION = {
    'acdc': 'masks/val',
    'camvid': 'masks/val', 'voc12': 'SegmentationClass', 'toy': 'masks/val',
    'pcontext59': 'SegmentationClassContext',
    'pcontext60': 'SegmentationClassContext',
    'coco14': 'masks/val2014', 'coco17': 'masks/val2017',
    'camvidtile': 'val/masks',
}  # fmt: skip
METAFILES = [
    REPOSITORY / name
    for name in yaml.safe_load(
        (REPOSITORY / 'model-index.yml').read_text('utf-8')
    )['Import']
]
ENTRIES = {
    entry['Name']: (path, entry)
    for path in METAFILES
    for entry in yaml.safe_load(path.read_text('utf-8'))['Models']
}

each_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)


def test_there_are_configs_to_look_at():
    assert len(LEAVES) >= 25
    folders = {leaf.relative_to(CONFIGS).parts[0] for leaf in LEAVES}
    assert {'baselines', 'sasformer'} <= folders


@each_leaf
def test_a_training_starts_without_a_warning(leaf):
    cfg = parse(leaf)
    texts = [*sanity.errors(cfg, (), None), *sanity.warnings(cfg, 0.01)]
    assert texts == []


def test_basenames_are_unique_where_mim_looks():
    # mim searches the whole installed package, tools and modules included.
    files = [
        *CONFIGS.rglob('*.py'),
        *(REPOSITORY / 'tools').rglob('*.py'),
        *(REPOSITORY / 'mmseg_sparse').glob('[!.]*/**/*.py'),
    ]
    configs = {path.name for path in CONFIGS.rglob('*.py')}
    count = Counter(path.name for path in files)
    assert [name for name in configs if count[name] > 1] == []


@each_leaf
def test_leaf_is_short_and_needs_no_setup(leaf):
    source = leaf.read_text('utf-8')
    assert len(source.splitlines()) <= 30
    assert '_base_' in {
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert 'mmseg_sparse' in parse(leaf).custom_imports.imports


def size_of(backbone):
    """Return a backbone's width and its number of layers."""
    if backbone.type == 'FrozenBackbone':
        return size_of(backbone.backbone)
    if backbone.type == 'UNet':
        return backbone.base_channels, backbone.num_stages
    if backbone.type == 'TIMMBackbone':
        return backbone.model_name, len(backbone.out_indices)
    if 'depth' in backbone:
        return backbone.get('base_channels', 64), backbone.depth
    layers = backbone.get('num_layers') or backbone.depths
    return backbone.embed_dims, (
        layers if isinstance(layers, int) else sum(layers)
    )


@each_leaf
def test_name_agrees_with_model(leaf):
    name, model = parts(leaf), parse(leaf).model
    kind, width, layers = BACKBONES[name['backbone']]
    assert (model.backbone.type, *size_of(model.backbone)) == (
        kind, width, layers,
    )  # fmt: skip
    own = [OWN_HEADS[key] for key in OWN_HEADS if leaf.stem.startswith(key)]
    head = own[0] if own else HEADS[name['head']]
    assert model.decode_head.type == head
    assert issubclass(MODELS.get(head), MODELS.get(HEADS[name['head']]))
    found = [item.type for item in model.get('regularizers', [])]
    if name['method'] != 'afa' or found:
        assert found == REGULARIZERS[name['method']]
    assert model.type == SEGMENTORS.get(name['method'], 'SparseEncoderDecoder')


@each_leaf
def test_name_agrees_with_schedule(leaf):
    name, cfg = parts(leaf), parse(leaf)
    iterations = 1000 * int(name['iters'])
    assert cfg.train_cfg.max_iters == iterations
    assert iterations % cfg.train_cfg.val_interval == 0
    ends = [item['end'] for item in cfg.param_scheduler]
    starts = [item['begin'] for item in cfg.param_scheduler]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == iterations
    assert cfg.train_dataloader.batch_size == int(name['batch'])


@each_leaf
def test_name_agrees_with_data(leaf):
    name, cfg = parts(leaf), parse(leaf)
    used = datasets(cfg.train_dataloader)
    found = {item.data_prefix.get('seg_map_path') for item in used}
    assert found == FOLDERS[name['dataset'], name['labels']]
    crop = (int(name['height']), int(name['width']))
    assert tuple(cfg.model.data_preprocessor.size) == crop
    for item in used:
        kind = DATA[name['dataset']][0]
        assert item.type in (kind, f'Sparse{kind}')
        crops = of_type(item.pipeline, 'RandomCrop', 'SparseRandomCrop')
        assert [tuple(c.crop_size) for c in crops] in ([crop], [])
        whole = [
            tuple(step.scale[::-1])
            for step in of_type(item.pipeline, 'Resize')
        ]
        assert crops or whole == [crop] or name['dataset'] == 'toy'
    names = DATASETS.get(used[0].type).METAINFO.get('classes')
    classes = len(names or used[0].classes)
    for head in dicts(cfg.model):
        assert head.get('num_classes', classes) == classes


@each_leaf
def test_validation_is_dense(leaf):
    name, cfg = parts(leaf), parse(leaf)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        for item in datasets(loader):
            folder = item.data_prefix.seg_map_path
            assert folder == VALIDATION[name['dataset']]
            assert 'train' not in item.get('ann_file', '')
            kinds = [step['type'] for step in item.pipeline]
            # Masks are read after the image was resized, at their own size.
            assert kinds[-2:] in (
                ['LoadAnnotations', 'PackSegInputs'],
                ['LoadAnnotations', 'PackSparseInputs'],
                ['LoadSparseAnnotations', 'PackSegInputs'],
                ['LoadSparseAnnotations', 'PackSparseInputs'],
            )
            assert item.get('supervision', 'dense') == 'dense'


@each_leaf
def test_cross_entropy_averages_over_labelled_pixels(leaf):
    model = parse(leaf).model
    losses = of_type(model, 'CrossEntropyLoss')
    # Of the others, all divide by what was labelled.
    assert losses or of_type(
        model, 'BLPLoss', 'PartialFocalLoss', 'BalancedCrossEntropyLoss'
    )
    for loss in losses:
        assert loss.get('avg_non_ignore') is True


@each_leaf
def test_every_type_is_registered(leaf):
    cfg = parse(leaf)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert DATA_SAMPLERS.get(loader.sampler.type)
        for item in [loader.dataset, *datasets(loader)]:
            assert DATASETS.get(item.type)
            for step in item.get('pipeline', []):
                TRANSFORMS.build(dict(step))
    for step in cfg.tta_pipeline:
        TRANSFORMS.build(dict(step))
    assert MODELS.get(cfg.tta_model.type)
    assert OPTIM_WRAPPERS.get(cfg.optim_wrapper.type)
    assert OPTIMIZERS.get(cfg.optim_wrapper.optimizer.type)
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    for registry, items in (
        (PARAM_SCHEDULERS, cfg.param_scheduler),
        (HOOKS, hooks),
        (LOOPS, [cfg.train_cfg, cfg.val_cfg, cfg.test_cfg]),
        (VISUALIZERS, [cfg.visualizer]),
    ):
        for item in items:
            assert registry.get(item['type']), item['type']
    metrics = cfg.val_evaluator
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        METRICS.build(dict(metric))


@each_leaf
def test_shrunk_model_builds(leaf):
    if parts(leaf)['backbone'].startswith('efficientnet'):
        pytest.importorskip('timm')
    model = MODELS.build(shrink(parse(leaf)).model)
    assert sum(p.numel() for p in model.parameters()) < 10**6


@pytest.mark.parametrize(
    ('name', 'millions'),
    [
        ('sasformer_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256', 3.45),
        ('sasformer_mit-b4_segformer_8xb2-40k_voc12-point-512x512', 61.4),
        ('afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512', 13.7),
    ],
)
def test_full_model_builds(name, millions):
    (leaf,) = (leaf for leaf in LEAVES if leaf.stem == name)
    cfg = parse(leaf)
    without_weights(cfg.model)
    model = MODELS.build(cfg.model)
    count = sum(p.numel() for p in model.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.01)
    strides = [
        layer[0].projection.stride[0] for layer in model.backbone.layers
    ]
    last = 2 if 'mit-b0' in name else 1
    assert strides == [4, 2, 2, last]


@each_leaf
def test_metafile_agrees(leaf):
    name, cfg = parts(leaf), parse(leaf)
    path, entry = ENTRIES[leaf.stem]
    assert path.parent in (leaf.parent, leaf.parent.parent)
    # MMEngine's hub and `mim download` join .mim and this.
    assert entry['Config'] == str(leaf.relative_to(REPOSITORY))
    metadata = entry['Metadata']
    assert metadata['Annotation'] == name['labels']
    assert metadata['Training Data'] == DATA[name['dataset']][1]
    assert metadata['Batch Size'] == int(name['gpus']) * int(name['batch'])
    assert metadata['Iterations'] == cfg.train_cfg.max_iters
    for result in entry.get('Results', []):
        assert result['Dataset'] == metadata['Training Data']


def test_metafiles_list_configs_that_exist():
    for name, (path, entry) in ENTRIES.items():
        assert (REPOSITORY / entry['Config']).is_file(), f'{path}: {name}'
    folders = {path.parent for path in METAFILES}
    assert folders == {path.parent for path in CONFIGS.glob('*/metafile.yml')}


@pytest.mark.parametrize('metafile', METAFILES, ids=lambda p: p.parent.name)
def test_readme_names_its_configs_and_no_others(metafile):
    readme = metafile.with_name('README.md').read_text('utf-8')
    for part in ('## Train and test', '## Results', '## Known dev', '```bib'):
        assert part in readme
    names = {leaf.name for leaf in LEAVES}
    for word in re.split(r'[\s()=]+', readme):
        word = Path(word.strip('`,.;:|')).name
        if re.search(r'-\d+x\d+\.py$', word):
            assert word in names, f'{metafile.parent.name}: {word}'
