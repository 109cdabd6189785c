"""A sample that cannot be trained on is one sentence with file and remedy."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

import mmseg_sparse  # noqa: F401
from mmseg_sparse.engine.failure import report
from mmseg_sparse.engine.samples import (
    CheckedPipeline,
    SampleError,
    check_samples,
)
from tests.helpers.own_data import write_image, write_labels

STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def write(root: Path, labels: object = ((0, 1), (2, 255))) -> dict:
    write_image(root / 'a.jpg', (2, 2))
    write_labels(root / 'a.png', labels)
    return dict(
        img_path=str(root / 'a.jpg'), seg_map_path=str(root / 'a.png'),
        reduce_zero_label=False, label_map=None, seg_fields=[],
    )  # fmt: skip


def test_a_good_sample_is_what_the_pipeline_makes(tmp_path: Path) -> None:
    info = write(tmp_path)
    made = CheckedPipeline(STEPS, num_classes=3)(info)
    assert made['data_samples'].gt_sem_seg.data.tolist() == [
        [[0, 1], [2, 255]]
    ]


@pytest.mark.parametrize(
    ('name', 'spoil', 'words'),
    [
        ('a.png', lambda p: p.write_bytes(b'no'), 'LoadAnnotations failed'),
        ('a.png', lambda p: p.unlink(), 'a.png is missing; restore the file'),
        ('a.jpg', lambda p: p.write_bytes(b'no'), 'write the file again'),
        ('a.jpg', lambda p: p.unlink(), 'a.jpg is missing; restore the file'),
        (
            'a.png',
            lambda p: write_labels(p, ((0, 3), (200, 255))),
            '2 pixels have the label 3, 200, which is none of the 3 classes',
        ),
    ],
)
def test_what_is_wrong_with_a_file(name, spoil, words, tmp_path: Path) -> None:
    info = write(tmp_path)
    spoil(tmp_path / name)
    with pytest.raises(SampleError) as caught:
        CheckedPipeline(STEPS, num_classes=3)(info)
    text = str(caught.value)
    assert words in text
    assert str(tmp_path / name) in text
    assert 'check_labels CONFIG' in text
    assert '\n' not in text


def test_labels_that_are_no_class_are_those_of_the_model(
    tmp_path: Path,
) -> None:
    info = write(tmp_path, ((0, 7), (1, 7)))
    CheckedPipeline(STEPS)(dict(info, seg_fields=[]))
    checked = CheckedPipeline(STEPS, num_classes=2, ignore_index=7)
    checked(info)
    with pytest.raises(SampleError, match=r'the label 255, .* and not 7'):
        checked(write(tmp_path, ((0, 7), (1, 255))))


@pytest.mark.parametrize('value', [np.nan, -np.inf])
def test_an_image_with_nan(value: float) -> None:
    image = np.zeros((3, 4, 2), np.float32)
    image[1, 2, 0] = value

    def load(info: dict) -> dict:
        return info | {'img': image}

    def to_bytes(info: dict) -> dict:  # hides it
        return info | {'img': np.nan_to_num(image).astype(np.uint8)}

    words = rf'^x\.tif: 1 values .* \({value}\) at \[1, 2, 0\]: write'
    with pytest.raises(SampleError, match=words):
        CheckedPipeline([load, to_bytes])({'img_path': 'x.tif'})


def dataset(root: Path) -> dict:
    for name in 'ab':
        write_image(root / 'images' / f'{name}.jpg')
        write_labels(root / 'labels' / f'{name}.png', np.zeros((5, 7)))
    return dict(
        type='BaseSegDataset', data_root=str(root), pipeline=STEPS,
        metainfo=dict(classes=('x', 'y')),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
    )  # fmt: skip


def test_wrapped_data_sets_and_other_processes(tmp_path: Path) -> None:
    inner = dict(dataset(tmp_path), _scope_='mmseg')
    twice = dict(type='RepeatDataset', dataset=inner, times=2)
    whole = DATASETS.build(dict(type='ConcatDataset', datasets=[twice, inner]))
    check_samples(whole, num_classes=2, ignore_index=255)
    (tmp_path / 'labels/b.png').unlink()
    loader = DataLoader(whole, 1, num_workers=1, collate_fn=list)
    with pytest.raises(SampleError) as caught:
        list(loader)
    assert 'Original Traceback' in str(caught.value)
    text = report(caught.value)
    assert text.startswith(f'{tmp_path}/labels/b.png is missing; restore')
    assert '\n' not in text
