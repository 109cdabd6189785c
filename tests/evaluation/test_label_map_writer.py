"""What the server of PASCAL VOC gets: palette, ids, sizes, all images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.datasets import PascalVOCDataset
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_sparse.engine import launch
from mmseg_sparse.evaluation import LabelMapWriter
from tests.helpers.shipped import CONFIGS, parse

TEST_LIST = 'ImageSets/Segmentation/test.txt'
SIZES = dict(a=(31, 20), b=(16, 33))  # width, height
CONFIG = {
    'dense': 'trl/trl_r101_fcn_1xb4-85k_voc12-hybrid-328x328.py',
    'stock': 'dfr/dfr_r50_deeplabv3plus_8xb2-40k_voc12-scribble-512x512.py',
    'tags': 'afa/afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py',
}


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """The images of the test set, and no mask."""
    root = tmp_path / 'VOC2012'
    (root / 'JPEGImages').mkdir(parents=True)
    (root / TEST_LIST).parent.mkdir(parents=True)
    (root / TEST_LIST).write_text('a\nb\n')
    for name, size in SIZES.items():
        Image.new('RGB', size, (90, 80, 70)).save(
            root / f'JPEGImages/{name}.jpg'
        )
    return root


@pytest.mark.parametrize('tta', [False, True], ids=['whole', 'tta'])
@pytest.mark.parametrize('kind', CONFIG)
def test_images_without_masks_are_predicted(
    voc: Path, kind: str, tta: bool
) -> None:
    cfg = parse(CONFIGS / CONFIG[kind])
    cfg.test_dataloader.dataset.update(
        data_root=str(voc), ann_file=TEST_LIST
    )  # as --cfg-options do
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    if tta:
        launch.enable_tta(cfg)
    launch.format_only(cfg, str(voc / 'out'))
    loader = Runner.build_dataloader(cfg.test_dataloader)
    assert len(loader) == 2
    for batch in loader:
        samples = batch['data_samples'][0]
        for sample in samples if tta else [samples]:
            assert 'gt_sem_seg' not in sample
            assert sample.ori_shape == SIZES[Path(sample.img_path).stem][::-1]
    assert cfg.test_evaluator == dict(
        type='LabelMapWriter', output_dir=str(voc / 'out')
    )


def test_files_are_index_pngs_in_the_colours_of_voc(tmp_path: Path) -> None:
    labels = np.arange(21 * 20).reshape(20, 21) % 21
    sample = SegDataSample(metainfo=dict(img_path='x/2008_000006.jpg'))
    sample.pred_sem_seg = PixelData(data=torch.from_numpy(labels)[None])
    writer = LabelMapWriter(str(tmp_path / 'out'))
    writer.dataset_meta = PascalVOCDataset.METAINFO
    writer.process({}, [sample.to_dict()])
    assert writer.compute_metrics(writer.results) == dict(label_maps=1)
    with Image.open(tmp_path / 'out/2008_000006.png') as picture:
        assert picture.mode == 'P'
        assert picture.size == (21, 20)
        np.testing.assert_array_equal(np.asarray(picture), labels)
        palette = picture.getpalette()
    # VOC's colours of background, aeroplane and tvmonitor
    assert palette[:6] == [0, 0, 0, 128, 0, 0]
    assert palette[60:63] == [0, 64, 128]
    with pytest.raises(ValueError, match='different names, got 2008_000006'):
        writer.process({}, [sample.to_dict()])
