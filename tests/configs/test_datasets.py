"""Each shipped dataset config reads the folders that its users have."""

import numpy as np
import pytest
from mmengine.runner import set_random_seed
from mmseg.registry import DATASETS, METRICS

from mmseg_sparse.datasets.benchmarks import (
    CITYSCAPES_LABEL_IDS,
    SparseCOCODataset,
    SparsePascalVOCDataset,
)
from tests.helpers.config_cases import CASES, SIZE
from tests.helpers.own_data import write_image, write_labels, write_sidecar
from tests.helpers.shipped import CONFIGS, datasets, parse

FOLDER = CONFIGS / '_base_' / 'datasets'
each_case = pytest.mark.parametrize('name', CASES)


def stripes(values):
    """Columns of the values in turn: every crop shows them all."""
    return np.resize(np.array(values, np.uint8), (SIZE[1], SIZE[0]))


def build(name, root):
    """Write the files of a case; return its training and its val dataset."""
    case, cfg = CASES[name], parse(FOLDER / f'{name}.py')
    for (image, labels), values in (
        (case.train, case.raw), (case.val, case.val_raw),
    ):  # fmt: skip
        write_image(root / image, SIZE)
        if labels:
            write_labels(root / labels, stripes(values))
    for path, text in case.lists.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    if name.startswith(('voc12_tag', 'voc12_hybrid')):
        hot = np.eye(20)[[2, 19]].sum(0)
        np.save(root / 'cls_labels_onehot.npy', {'a': hot, 'zz': hot})
    if name == 'coco14_tag':
        write_sidecar(
            root / 'tags/train2014/labels.json',
            SparseCOCODataset.METAINFO['classes'],
            {'COCO_train2014_000000000009': dict(
                supervision='tag', size=SIZE, tags=['toothbrush', 'person'],
            )},
        )  # fmt: skip
    if name == 'coco17_hybrid':
        write_sidecar(
            root / 'tags/train2017/labels.json',
            SparseCOCODataset.METAINFO['classes'],
            {'a': dict(
                supervision='tag', size=SIZE, tags=['toothbrush', 'person'],
            )},
        )  # fmt: skip
    if name == 'toy_hybrid':
        classes = DATASETS.get('ToyShapesDataset').METAINFO['classes']
        info = dict(
            supervision='tag', size=SIZE, tags=[classes[2], classes[6]]
        )
        write_sidecar(root / 'tags/labels.json', classes, {'a': info})
    for split, index in (('train', 'a'), ('val', 'b')):
        if name.startswith('camvid_tile'):
            write_sidecar(
                root / split / 'labels.json',
                DATASETS.get('CamVidDataset').METAINFO['classes'],
                {index: dict(
                    supervision='tag', size=SIZE, tags=['sky', 'bicyclist'],
                )},
            )  # fmt: skip
    # voc12_dense joins two lists; the other one is not of this test.
    train = datasets(cfg.train_dataloader)[-1]
    val = cfg.val_dataloader.dataset
    for item in (train, val):
        item.data_root = str(root)
    return DATASETS.build(train), DATASETS.build(val)


def test_every_dataset_config_has_a_case():
    assert {path.stem for path in FOLDER.glob('*.py')} == set(CASES)


@each_case
def test_training_sample(name, tmp_path):
    case = CASES[name]
    dataset, _ = build(name, tmp_path)
    assert len(dataset) == 1
    set_random_seed(0)
    for _ in range(3):
        sample = dataset[0]['data_samples']
        assert sample.img_path == str(tmp_path / case.train[0])
        labels = sample.gt_sem_seg.data
        assert labels.unique().tolist() == sorted(case.seen)
        assert sample.get('supervision') == case.supervision
        if case.tags is None:
            assert 'gt_label' not in sample
        else:
            hot = sample.gt_label.tolist()
            first = 0 if case.background is None else 1
            assert len(hot) == case.classes - first
            assert [i for i, on in enumerate(hot, first) if on] == [*case.tags]


@each_case
def test_validation_sample_has_the_dense_mask(name, tmp_path):
    case = CASES[name]
    _, dataset = build(name, tmp_path)
    assert len(dataset) == 1
    item = dataset[0]
    meaning = dict(zip(case.val_raw, case.val_raw, strict=True))
    if len(case.val_seen) < len(case.val_raw) or name == 'ade20k_block':
        meaning = {v: 255 if v in (0, 255) else v - 1 for v in case.val_raw}
    wanted = np.vectorize(meaning.get)(stripes(case.val_raw))
    labels = item['data_samples'].gt_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(labels, wanted)
    assert {*np.unique(labels)} == {*case.val_seen}


@each_case
def test_config_has_what_a_leaf_needs(name):
    cfg = parse(FOLDER / f'{name}.py')
    metrics = cfg.val_evaluator
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        METRICS.build(dict(metric))
    assert cfg.test_dataloader.dataset == cfg.val_dataloader.dataset
    if name.startswith(('voc12', 'camvid', 'toy', 'coco', 'pc', 'custom')):
        assert cfg.tta_pipeline
    # What comes before the labels must be no padding: see the architecture.
    for item in datasets(cfg.train_dataloader):
        kinds = [step['type'] for step in item.pipeline]
        assert 'Pad' not in kinds
        assert kinds[0] == 'LoadImageFromFile'


def test_cityscapes_ids_mean_what_its_scripts_say():
    evaluated = [i for i, to in enumerate(CITYSCAPES_LABEL_IDS) if to != 255]
    assert evaluated == [
        7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32,
        33,
    ]  # fmt: skip
    assert [CITYSCAPES_LABEL_IDS[i] for i in evaluated] == [*range(19)]
    assert len(CITYSCAPES_LABEL_IDS) == 34


def test_coco_classes_and_colours():
    stuff = DATASETS.get('COCOStuffDataset').METAINFO['classes']
    meta = SparseCOCODataset.METAINFO
    assert meta['classes'] == ('background', *stuff[:80])
    assert len({*map(tuple, meta['palette'])}) == 81
    voc = SparsePascalVOCDataset.METAINFO['palette']
    assert meta['palette'][:21] == voc
