"""Real files of the formats that users have."""

import numpy as np
from PIL import Image

from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar

from ...helpers.import_cases import labels_of


def test_clicks_of_voc_lie_on_their_class(data_root, tmp_path):
    voc = data_root / 'voc_samples'
    classes = make_classes([str(i) for i in range(21)])
    summary = import_labels(
        'whats-the-point', voc / 'voc_whats_the_point.json', tmp_path / 'out',
        images=voc / 'images', classes=classes,
        reader_options={
            'background': voc / 'voc_whats_the_point_bg_from_scribbles.json'
        },
    )  # fmt: skip
    assert summary.labeled_pixels == 13
    assert len(read_sidecar(tmp_path / 'out')['sources']) == 2
    for path in (voc / 'masks').glob('*.png'):
        labels = labels_of(tmp_path / 'out' / path.name)
        known = labels != 255
        mask = np.asarray(Image.open(path))
        assert np.array_equal(labels[known], mask[known])


def test_scribblesup_pngs_come_out_as_they_are(data_root, tmp_path):
    voc = data_root / 'voc_samples'
    summary = import_labels(
        'index-png', voc / 'scribbles', tmp_path / 'out',
        images=voc / 'images',
        classes=make_classes([str(i) for i in range(21)]),
    )  # fmt: skip
    assert summary.supervisions == {'scribble': 2}
    for path in (voc / 'scribbles').glob('*.png'):
        labels = labels_of(tmp_path / 'out' / path.name)
        assert np.array_equal(labels, np.asarray(Image.open(path)))
        mask = np.asarray(Image.open(voc / 'masks' / path.name))
        both = (labels != 255) & (mask != 255)
        assert both.sum() > 4000
        # People's strokes leave their object here and there: 98.97, 99.88 %.
        assert (labels == mask)[both].mean() > 0.98
