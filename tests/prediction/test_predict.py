"""``predict`` writes label maps, pictures and annotation files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_map import load_png_index
from mmseg_sparse.prediction.write import FORMATS
from mmseg_sparse.pseudo_labels.whole_images import load_segmentor
from tests.helpers import start_case as case
from tests.helpers import tiny
from tests.helpers.tools import call, load

SIZES = {'a': (96, 80), 'sub/b': (61, 47)}


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config, a checkpoint and images, with no data set anywhere."""
    root = tmp_path_factory.mktemp('predict')
    cfg = Config(tiny.config(root / 'nowhere'))
    cfg.tta_pipeline = [
        dict(type='LoadImageFromFile'),
        dict(
            type='TestTimeAug',
            transforms=[
                [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
                [dict(type='LoadAnnotations')],
                [dict(type='PackSegInputs')],
            ],
        ),
    ]
    cfg.dump(root / 'my.py')
    torch.manual_seed(0)
    model = tiny_model(cfg)
    meta = dict(
        dataset_meta=dict(classes=tiny.CLASSES, palette=list(tiny.PALETTE))
    )
    torch.save(dict(meta=meta, state_dict=model.state_dict()), root / 'my.pth')
    rng = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        path = root / f'images/{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(path)
    return root


def tiny_model(cfg: Config):
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    for module in model.modules():  # so that every class is predicted
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.3)
    return model.eval()


def predict(root: Path, *arguments: object, check: bool = True):
    return call('predict', 'my.py', 'my.pth', *arguments, cwd=root,
                check=check)  # fmt: skip


def test_labels_and_confidences(root: Path) -> None:
    done = predict(root, 'images', 'plain', '--format', 'npy')
    assert '2 images predicted, 0 were there' in done.stdout
    cfg = Config.fromfile(root / 'my.py')
    model = load_segmentor(cfg, str(root / 'my.pth'), 'cpu')
    for name, (width, height) in SIZES.items():
        labels = load_png_index(root / f'plain/labels/{name}.png')
        assert labels.shape == (height, width)
        prob = np.load(root / f'plain/probabilities/{name}.npy')
        assert prob.shape == (3, height, width)
        np.testing.assert_allclose(prob.sum(0), 1, atol=2e-3)
        confidence = load_png_index(root / f'plain/confidence/{name}.png')
        np.testing.assert_allclose(confidence, 255 * prob.max(0), atol=1)
        picture = Image.open(root / f'plain/labels/{name}.png')
        assert picture.getpalette()[:9] == np.ravel(tiny.PALETTE).tolist()
        # The same as the model itself on the same pixels.
        image = np.array(Image.open(root / f'images/{name}.png'))[..., ::-1]
        inputs = torch.tensor(image.transpose(2, 0, 1).copy()).float()
        inputs = ((inputs - 127.0) / 64.0)[None]
        with torch.no_grad():
            logits = model.encode_decode(
                inputs, [dict(img_shape=image.shape[:2])]
            )
        np.testing.assert_array_equal(labels, logits[0].argmax(0))
    assert len(np.unique(labels)) > 1


def test_a_second_run_goes_on(root: Path) -> None:
    predict(root, 'images/a.png', 'twice')
    before = (root / 'twice/labels/a.png').stat().st_mtime_ns
    done = predict(root, 'images/a.png', 'images/sub/b.png', 'twice')
    assert '1 images predicted, 1 were there' in done.stdout
    assert (root / 'twice/labels/a.png').stat().st_mtime_ns == before
    done = predict(root, 'images/a.png', 'twice', '--tta', check=False)
    assert 'tta=False there, True here' in done.stderr
    done = predict(
        root, 'images/a.png', 'twice', '--tta', '--tile', 32, '--overwrite'
    )
    assert '1 images predicted' in done.stdout
    assert not (root / 'twice/labels/b.png').exists()


def test_mirror_images_give_mirror_predictions(root: Path) -> None:
    picture = Image.open(root / 'images/a.png')
    (root / 'pair').mkdir()
    picture.save(root / 'pair/x.png')
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        root / 'pair/y.png'
    )
    predict(root, 'pair', 'mirrored', '--tta', '--format', 'npy')
    one, other = (
        np.load(root / f'mirrored/probabilities/{n}.npy') for n in 'xy'
    )
    np.testing.assert_allclose(one, other[..., ::-1], atol=2e-3)


@pytest.mark.parametrize('name', ['labelme', 'cvat', 'coco', 'label-studio'])
def test_annotation_files_are_read_back(name: str, root: Path) -> None:
    out = root / f'as-{name}'
    predict(root, 'images', out, '--format', name, '--tolerance', 0)
    source = out / name
    if name != 'labelme':
        (source,) = source.iterdir()
    import_labels(
        name, source, root / f'back-{name}', images=root / 'images',
        classes=make_classes(tiny.CLASSES),
    )  # fmt: skip
    for stem in SIZES:
        np.testing.assert_array_equal(
            load_png_index(root / f'back-{name}/{stem}.png'),
            load_png_index(out / f'labels/{stem}.png'),
        )


def test_overlays_have_a_legend(root: Path) -> None:
    predict(root, 'images/a.png', 'shown', '--format', 'overlay')
    sheet = np.array(Image.open(root / 'shown/overlay/a.png'))
    assert sheet.shape[1] > 2 * SIZES['a'][0]
    for colour in tiny.PALETTE:  # a square of 16 x 16 pixels each
        assert (sheet == colour).all(2).sum() >= 256
    listed = json.loads((root / 'shown/predictions.json').read_text())
    assert listed['classes'] == list(tiny.CLASSES)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere', 'x'], "got 'nowhere'"),
        (['images/a.png', 'other/a.png', 'x'], 'one file, a'),
    ],
)
def test_mistakes_are_one_line(arguments, message, root: Path) -> None:
    case.image(root / 'other/a.png')
    done = predict(root, *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (root / 'x').exists()


def test_the_command_line_offers_every_format() -> None:
    assert load('predict').parse_args(
        ['c', 'k', 'i', 'o', '--format', *FORMATS]
    ).format == [*FORMATS]
