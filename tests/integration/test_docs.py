"""The config for one's own data trains as docs/datasets.md prints it."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_sparse.labels.label_folder import label_file, write_label_folder
from mmseg_sparse.labels.label_map import distinct_palette, save_index_png
from tests.helpers.shipped import REPOSITORY
from tests.helpers.tools import call

CLASSES = ('background', 'cat', 'dog')


def write_data(root: Path) -> None:
    rng = np.random.default_rng(0)
    dense = np.zeros((64, 64), np.uint8)
    dense[10:40, 12:50] = 1
    dense[45:60, 5:30] = 2
    strokes = np.full_like(dense, 255)
    strokes[20:22, 15:45] = 1
    strokes[50:52, 8:26] = 2
    strokes[2:4, 5:60] = 0
    palette = distinct_palette(3)
    for split in ('train', 'val'):
        folder = root / 'images' / split
        folder.mkdir(parents=True)
        for name in ('a', 'b', 'c', 'd'):
            picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(picture).save(folder / f'{name}.jpg')
            save_index_png(root / f'masks/val/{name}.png', dense, palette)
    write_label_folder(
        root / 'labels/train',
        [
            label_file(
                name, strokes, palette, supervision='scribble', size=(64, 64)
            )
            for name in ('a', 'b', 'c', 'd')
        ],
        dict(tool='import_labels', format='cvat', classes=list(CLASSES)),
    )


def test_the_config_for_own_data_trains(tmp_path: Path) -> None:
    page = (REPOSITORY / 'docs/datasets.md').read_text('utf-8')
    section = page[page.index('## Your own data') :]
    found = re.search(r'```python\n(.*?)```', section, re.S)
    assert found
    (tmp_path / 'my.py').write_text(found[1])
    write_data(tmp_path / 'data/custom')
    done = call(
        'train', 'my.py', '--cfg-options', 'train_cfg.max_iters=2',
        'train_cfg.val_interval=2', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'train_dataloader.dataset.pipeline.2.scale=(64,64)',
        'train_dataloader.dataset.pipeline.3.crop_size=(64,64)',
        'model.data_preprocessor.size=(64,64)',
        cwd=tmp_path,
    )  # fmt: skip
    assert 'mIoU' in done.stdout + done.stderr
    assert (tmp_path / 'work_dirs/my/iter_2.pth').is_file()


def test_init_makes_the_lines_that_the_page_explains(tmp_path: Path) -> None:
    page = (REPOSITORY / 'docs/datasets.md').read_text('utf-8')
    section = page[page.index('## Your own data') :]
    section = section[: section.index('### Writing the config by hand')]
    explained = re.findall(r'^\| `(\w+)` \|', section, re.M)
    write_data(tmp_path / 'data/custom')
    done = call(
        'init', 'data/custom/images/train', 'data/custom/labels/train',
        '--iters', '2', '--batch', '2', '--weights', 'none', cwd=tmp_path,
    )  # fmt: skip
    printed = re.findall(r'^(\w+): +\S', done.stdout, re.M)
    assert list(dict.fromkeys(printed)) == explained
    assert (tmp_path / 'work_dirs/custom/config.py').is_file()
