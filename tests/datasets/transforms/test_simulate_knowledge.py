"""After a simulation a sample tells nothing that its labels do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmseg.registry import DATASETS, TRANSFORMS

from tests.helpers.own_data import label_map, make, write_labels

from ...helpers.masks import blobs

DRAWN = {
    'SimulateScribbles': ({}, 'scribble'),
    'SimulatePoints': ({}, 'point'),
    'SimulateBlocks': (dict(share=0.01), 'block'),
}


def sample(**entries: Any) -> dict[str, Any]:
    """A dense sample of six classes; the last is no more than a speck."""
    labels = blobs()
    labels[40, 40] = 5
    return {
        'img_path': 'a/b.jpg',
        'gt_seg_map': labels,
        'seg_fields': ['gt_seg_map'],
        'supervision': 'dense',
        'gt_label': np.ones(6, np.float32),
        **entries,
    }


def run(kind: str, results: dict[str, Any], **options: Any) -> Any:
    return TRANSFORMS.build(dict(type=kind, **options))(results)


@pytest.mark.parametrize('kind', DRAWN)
@pytest.mark.parametrize('background', [None, 0])
def test_tags_of_a_dense_mask_do_not_stay(
    kind: str, background: int | None
) -> None:
    options, supervision = DRAWN[kind]
    done = run(kind, sample(), **options)
    assert done['supervision'] == supervision
    assert 'gt_label' not in done
    known = sample(num_classes=6, background=background)
    known['given_tags'] = known['gt_label']
    done = run(kind, known, **options)
    present = set(done['gt_seg_map'].flat) - {255}
    wanted = [float(i in present) for i in range(6) if i != background]
    assert done['gt_label'].tolist() == wanted
    assert 5 not in present
    assert done['given_tags'] is None
    assert known['supervision'] == 'dense'  # the input stays as it was


def test_reductions_keep_given_tags_alone() -> None:
    strokes = np.full((20, 30), 255, np.uint8)
    strokes[3, 2:9] = 1
    strokes[9, 2:9] = 2
    tags = np.array([0, 0, 0, 1], np.float32)
    options = dict(gt_seg_map=strokes, num_classes=5, background=0)
    given = sample(**options, given_tags=tags, supervision='scribble',
                   gt_label=np.array([1, 1, 0, 1]))  # fmt: skip
    gone = run('DropScribbles', given, ratio=1)
    assert gone['gt_label'].tolist() == [0, 0, 0, 1]
    assert gone['supervision'] == 'scribble'
    short = run('ShrinkScribbles', given, ratio=0)
    assert short['gt_label'].tolist() == [1, 1, 0, 1]
    # Tags that came from the map go with the strokes.
    gone = run('DropScribbles', given | dict(given_tags=None), ratio=1)
    assert gone['gt_label'].tolist() == [0, 0, 0, 0]
    # Where only the dataset spoke of tags they are its own.
    del given['given_tags']
    gone = run('DropScribbles', given, ratio=1)
    assert gone['gt_label'].tolist() == [1, 1, 0, 1]


def test_an_image_of_tags_alone_keeps_them() -> None:
    silent = sample(gt_seg_map=np.full((9, 9), 255, np.uint8),
                    supervision='tag')  # fmt: skip
    for kind, (options, _) in DRAWN.items():
        done = run(kind, silent, **options)
        assert done['supervision'] == 'tag'
        assert done['gt_label'].tolist() == [1] * 6


@pytest.mark.parametrize(
    ('before', 'after'),
    [('dense', 'scribble'), ('point', 'point'), ('block', 'block'),
     ('scribble', 'scribble')],
)  # fmt: skip
def test_kinds_of_reduced_labels(before: str, after: str) -> None:
    for kind in ('ShrinkScribbles', 'DropScribbles'):
        done = run(kind, sample(supervision=before), ratio=0.5)
        assert done['supervision'] == after


@pytest.mark.parametrize(
    ('says', 'asked', 'entries'),
    [
        (dict(background=2), {}, 5),
        (dict(background=None), {}, 6),
        ({}, {}, 6),
        ({}, dict(background=0), 5),
        (dict(background=2), dict(background=None), 6),
    ],
)
def test_tags_leave_out_the_background_of_the_dataset(
    says: dict[str, Any], asked: dict[str, Any], entries: int
) -> None:
    done = run('SimulateTags', sample(**says), num_classes=6, **asked)
    assert done['gt_label'].tolist() == [1] * entries
    assert done['supervision'] == 'tag'
    assert (done['gt_seg_map'] == 255).all()
    packed = run(
        'PackSparseInputs',
        sample(**says) | dict(img=np.zeros((90, 140, 3)), gt_label=None),
        num_classes=6, **asked,
    )  # fmt: skip
    assert packed['data_samples'].gt_label.tolist() == [1] * entries


def test_a_whole_pipeline_on_own_data(tmp_path: Path) -> None:
    root = make(tmp_path)
    write_labels(root / 'scribbles/b.png', label_map((0, 1, 0), (4, 6, 1)))
    dataset = DATASETS.build(
        dict(
            type='SparseSegDataset',
            classes=('background', 'cat', 'dog'),
            data_root=str(root),
            data_prefix=dict(img_path='images', seg_map_path='masks',
                             scribble='scribbles', point='points'),
            ann_file='train.txt',
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadSparseAnnotations', with_tags=True),
                dict(type='DropScribbles', ratio=1),
                dict(type='PackSparseInputs'),
            ],
        )
    )  # fmt: skip
    samples = [dataset[i]['data_samples'] for i in range(4)]
    kinds = [sample.supervision for sample in samples]
    assert kinds == ['scribble', 'scribble', 'point', 'tag']
    # b's dog is a tag of the list; d has tags alone.
    tags = [sample.gt_label.tolist() for sample in samples]
    assert tags == [[0, 0], [0, 1], [0, 0], [1, 1]]
