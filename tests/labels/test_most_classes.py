"""255 classes, the largest number, go all the way from import to batch."""

from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS

from mmseg_sparse.labels.classes import check_classes, make_classes
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_map import complete_label_map
from mmseg_sparse.labels.simulate.folder import FolderJob, simulate_folder

from ..helpers.import_cases import labelme, make_source
from ..helpers.own_data import write_labels

NAMES = tuple(f'c{index}' for index in range(255))
LAST = 254


def sample(root: Path, labels: str, **changes: object) -> dict[str, object]:
    dataset = DATASETS.build(
        dict(
            type='SparseSegDataset',
            classes=NAMES,
            data_root=str(root),
            ann_file=f'{labels}/labels.json',
            data_prefix=dict(img_path='images', seg_map_path=labels),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadSparseAnnotations', with_tags=True),
            ],
        )
        | changes
    )
    return dataset[0]


def test_what_is_imported_is_trained_on(tmp_path: Path) -> None:
    shapes = [
        dict(label=f'c{index}', shape_type='point', points=[[x, 2]])
        for index, x in ((0, 3), (LAST, 30))
    ]
    source = make_source(tmp_path, {'a': labelme('a.jpg', *shapes)})
    import_labels(
        'labelme', source, tmp_path / 'labels',
        images=tmp_path / 'images', classes=make_classes(NAMES),
    )  # fmt: skip
    found = sample(tmp_path, 'labels')
    assert set(np.unique(found['gt_seg_map'])) == {0, LAST, 255}
    assert np.flatnonzero(found['gt_label']).tolist() == [0, LAST]


def test_what_is_simulated_is_trained_on(tmp_path: Path) -> None:
    make_source(tmp_path, {})
    mask = np.zeros((30, 40), np.uint8)
    mask[5:25, 20:] = LAST
    write_labels(tmp_path / 'masks/a.png', mask)
    job = FolderJob('points', NAMES, options=dict(seed=0))
    simulate_folder(job, tmp_path / 'masks', tmp_path / 'labels')
    found = sample(tmp_path, 'labels')
    assert set(np.unique(found['gt_seg_map'])) == {0, LAST, 255}


def test_a_label_map_names_all_values_of_the_most_classes(
    tmp_path: Path,
) -> None:
    make_source(tmp_path, {})
    write_labels(tmp_path / 'masks/a.png', np.full((30, 40), LAST))
    (tmp_path / 'list.txt').write_text('a')
    turned = list(reversed(range(255)))
    options = dict(ann_file='list.txt', label_map=turned)
    found = sample(tmp_path, 'masks', **options)
    assert set(np.unique(found['gt_seg_map'])) == {0}
    with pytest.raises(ValueError, match=r'name each value .* none for 9'):
        sample(tmp_path, 'masks', **options | dict(label_map=turned[:9]))
    assert complete_label_map({}, LAST)[7] == LAST  # found when it is loaded


def test_no_more_than_that() -> None:
    assert check_classes(list(NAMES)) == NAMES
    with pytest.raises(ValueError, match='1 to 255 classes, got 256'):
        check_classes((*NAMES, 'c255'))
    with pytest.raises(ValueError, match=r"names in order .* 'abc'"):
        check_classes('abc')
