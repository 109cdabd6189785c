"""Images in folders of folders, tiny models, and files made of them."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from PIL import Image

import mmseg_sparse  # noqa: F401
from mmseg_sparse.labels import write_heatmaps
from tests.helpers import afa, dctn

CLASSES = ('background', 'cat', 'dog', 'cow')
#: name -> (height, width), tags.
IMAGES = {
    'a/0': ((37, 50), ('cat',)),
    'a/b/1': ((48, 32), ('dog', 'cow')),
    '2': ((33, 45), ('cat', 'cow')),
}
LOAD = [dict(type='LoadImageFromFile')]
RESIZE = dict(type='Resize', scale=(64, 48), keep_ratio=True)


def write_images(root: Path) -> None:
    """Write images, masks, a list with tags, and heat maps of them."""
    rng = np.random.default_rng(0)
    lines = []
    for name, (size, tags) in IMAGES.items():
        shown = [0, *(CLASSES.index(tag) for tag in tags)]
        kinds = dict(
            images=rng.integers(0, 256, (*size, 3), np.uint8),
            masks=rng.choice(shown, size).astype(np.uint8),
        )
        for kind, pixels in kinds.items():
            path = root / kind / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        lines.append(f'{name} dense {", ".join(tags)}'.strip())
        maps = rng.random((2, *size))
        write_heatmaps(
            root / 'maps' / f'{name}.npz', maps, [3, 1], num_classes=4
        )
    (root / 'list.txt').write_text('\n'.join(lines))


def loader(root: Path, pipeline: list) -> dict:
    return dict(
        batch_size=2,
        dataset=dict(
            type='RepeatDataset',
            times=3,
            dataset=dict(
                type='SparseSegDataset',
                classes=CLASSES,
                data_root=str(root),
                ann_file='list.txt',
                data_prefix=dict(img_path='images', seg_map_path='masks'),
                img_suffix='.png',
                pipeline=pipeline,
                serialize_data=False,  # which takes a second
            ),
        ),
    )


def config(root: Path, model: dict, heatmaps: bool = False) -> Config:
    """A config whose training pipeline crops, flips and loads labels."""
    moves = [RESIZE, dict(type='RandomCrop', crop_size=(16, 16)),
             dict(type='RandomFlip', prob=0.5)]  # fmt: skip
    test_moves = [RESIZE]
    load = [*LOAD, dict(type='LoadSparseAnnotations')]
    pack = dict(type='PackSparseInputs')
    if heatmaps:
        maps = dict(type='LoadHeatmaps', root=str(root / 'maps'),
                    img_root=str(root / 'images'))  # fmt: skip
        load.append(maps)
        moves, test_moves = (
            [dict(type='MoveHeatmaps', transforms=m)]
            for m in (moves, test_moves)
        )
        pack = dict(type='PackHeatmapInputs')
    train = [*load, *moves, dict(type='PhotoMetricDistortion'), pack]
    test = [
        *LOAD,
        *([dict(maps, root='elsewhere')] if heatmaps else []),
        *test_moves,
        dict(type='LoadAnnotations'),
        dict(type=pack['type'].replace('Sparse', 'Seg')),
    ]
    model = copy.deepcopy(dict(model))
    model['data_preprocessor'] = dict(
        type='SegDataPreProcessor', mean=[120.0, 110.0, 100.0],
        std=[60.0, 57.0, 58.0], bgr_to_rgb=True, seg_pad_val=255,
        test_cfg=dict(size_divisor=16),
    )  # fmt: skip
    path = root / f'{model["type"]}.py'
    Config(dict(
        default_scope='mmseg',
        custom_imports=dict(imports=['mmseg_sparse']),
        model=model,
        train_dataloader=loader(root, train),
        test_dataloader=loader(root, test),
        work_dir='one',
    )).dump(path)  # fmt: skip
    return Config.fromfile(path)


def afa_model() -> dict:
    return afa.config_of(head=dict(num_classes=4), cam_scales=(1.0, 1.5))


def refiner_model() -> dict:
    return dctn.config()


def checkpoint(cfg: Config, path: Path, seed: int = 0) -> str:
    """Write weights that are not those of the initialisation."""
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)


def built(cfg: Config, weights: str) -> torch.nn.Module:
    model = MODELS.build(cfg.model)
    model.load_state_dict(torch.load(weights)['state_dict'])
    return model.eval()


def stop_after(number: int) -> Callable[[int, int], None]:
    """Return a progress that is interrupted after so many images."""

    def progress(done: int, total: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress
