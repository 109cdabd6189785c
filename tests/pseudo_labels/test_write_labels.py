"""Pseudo labels of a data set's images: values, files, what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_sparse.doctor.from_folder import from_folder
from mmseg_sparse.pseudo_labels.whole_images import whole_images
from mmseg_sparse.pseudo_labels.write import generate
from mmseg_sparse.pseudo_labels.write_labels import Labels
from tests.helpers import generator_case as case
from tests.helpers import stock
from tests.helpers.files import contents

NUMBER = len(case.IMAGES)
COLOURS = [[1, 2, 3], [10, 20, 30], [100, 0, 0], [7, 200, 9]]


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data')
    case.write_images(root)
    return root


def made_of(root, model, **options):
    cfg = case.config(root, model, **options)
    for name in ('train', 'test'):
        cfg[f'{name}_dataloader'].dataset.dataset.palette = COLOURS
    return cfg, case.checkpoint(cfg, root / f'{model["type"]}.pth')


@pytest.fixture(scope='module')
def plain(root) -> tuple[Config, str]:
    model = stock.stock_model_config('segformer')
    model['decode_head']['num_classes'] = 4
    return made_of(root, model)


@pytest.fixture(scope='module')
def refiner(root) -> tuple[Config, str]:
    return made_of(root, case.refiner_model(), heatmaps=True)


@pytest.fixture(scope='module')
def afa(root) -> tuple[Config, str]:
    return made_of(root, case.afa_model())


#: Arguments of ``Labels``; the others are those of ``generate``.
OPTIONS = {'source', 'min_confidence', 'confidence', 'filter_tags'}


def write(cfg, weights, out, **options):
    sink = Labels(**{n: options.pop(n) for n in OPTIONS & options.keys()})
    return generate(cfg, weights, out, sink, **options)


def predictions(cfg, weights):
    """Yield name, size and logits of each image, as mmseg predicts them."""
    model = case.built(cfg, weights)
    for image in whole_images(cfg).items:
        data = {key: [value] for key, value in image.load().items()}
        with torch.no_grad():
            (found,) = model.test_step(data)
        size = case.IMAGES[image.name][0]
        logits = found.seg_logits.data
        assert logits.shape[1:] == size
        yield image.name, logits


def read(out, name):
    with Image.open(out / f'{name}.png') as picture:
        assert picture.mode == 'P'
        assert picture.getpalette()[:12] == [c for rgb in COLOURS for c in rgb]
        assert picture.getpalette()[-3:] == [255] * 3
        labels = np.asarray(picture)
    with Image.open(out / 'confidence' / f'{name}.png') as picture:
        assert picture.mode == 'L'
        return labels, np.asarray(picture)


def test_labels_are_the_surest_class_where_sure_enough(plain, tmp_path):
    least = 0.45
    made = write(*plain, tmp_path, min_confidence=least)
    assert (made.written, made.skipped) == (NUMBER, 0)
    shares = []
    for name, logits in predictions(*plain):
        prob, wanted = logits.double().softmax(0).max(0)
        wanted[prob < least] = 255
        labels, confidence = read(tmp_path, name)
        shares.append((labels == 255).mean())
        close = (prob - least).abs().numpy() < 1e-6
        assert np.array_equal(labels[~close], wanted.numpy()[~close])
        assert np.abs(confidence - 255 * prob.numpy()).max() <= 0.5001
    assert 0 < min(shares) < max(shares) < 1


def test_a_refiners_labels_are_filtered_by_the_tags(refiner, tmp_path):
    write(*refiner, tmp_path / 'a')
    write(*refiner, tmp_path / 'b', filter_tags=False)
    changed = 0
    for name, logits in predictions(*refiner):
        prob = logits.double().softmax(0)
        labels, _ = read(tmp_path / 'b', name)
        assert np.array_equal(labels, prob.argmax(0).numpy())
        changed -= (labels == 0).sum()
        for index, tag in enumerate(case.CLASSES[1:], 1):
            if tag not in case.IMAGES[name][1]:
                prob[index] = 0
        labels, confidence = read(tmp_path / 'a', name)
        changed += (labels == 0).sum()
        assert np.array_equal(labels, prob.argmax(0).numpy())
        wanted = 255 * prob.amax(0).numpy()  # not normalised again
        assert np.abs(confidence - wanted).max() <= 0.5001
    assert changed


def test_other_models_are_filtered_if_asked(plain, tmp_path):
    write(*plain, tmp_path / 'a', filter_tags=True)
    write(*plain, tmp_path / 'b')
    for name, (_, tags) in case.IMAGES.items():
        allowed = {0, *(case.CLASSES.index(tag) for tag in tags)}
        assert set(np.unique(read(tmp_path / 'a', name)[0])) <= allowed
    a, b = (read(tmp_path / x, 'a/0')[0] for x in 'ab')
    assert not np.array_equal(a, b)


@pytest.mark.parametrize('source', ['cam', 'propagated', 'final', 'labels'])
def test_the_steps_from_tags_to_labels(afa, tmp_path, source):
    cfg, weights = afa
    write(cfg, weights, tmp_path, source=source)
    model = case.built(cfg, weights)
    for image in whole_images(cfg).items:
        data = {key: [value] for key, value in image.load().items()}
        data = model.data_preprocessor(data, False)
        found = model.pseudo_labels(data['inputs'], data['data_samples'])
        height, width = data['data_samples'][0].img_shape
        wanted = getattr(found, source)[:, :height, :width].float()
        size = case.IMAGES[image.name][0]
        wanted = F.interpolate(wanted[None], size, mode='nearest-exact')[0, 0]
        with Image.open(tmp_path / f'{image.name}.png') as picture:
            assert np.array_equal(np.asarray(picture), wanted.numpy())
        if source == 'final':
            best = found.scores[:, :, :height, :width].amax(1)
            best = F.interpolate(best[None], size, mode='bilinear')[0, 0]
            confidence = read(tmp_path, image.name)[1]
            assert np.abs(confidence - 255 * best.numpy()).max() <= 0.5001
    assert (tmp_path / 'confidence').exists() == (source == 'final')


def test_a_data_set_trains_on_them(plain, root, tmp_path):
    made = write(*plain, tmp_path, min_confidence=0.45)
    lines: dict = {}
    exec(made.config_text, lines)
    settings = lines['train_dataloader']['dataset']
    assert settings.pop('_delete_')
    settings['pipeline'] = [
        *case.LOAD, dict(type='LoadSparseAnnotations'),
        dict(type='PackSparseInputs'),
    ]  # fmt: skip
    dataset = DATASETS.build(settings)
    assert len(dataset) == NUMBER
    for index, name in enumerate(sorted(case.IMAGES)):
        sample = dataset[index]['data_samples']
        labels = read(tmp_path, name)[0]
        assert np.array_equal(sample.gt_sem_seg.data[0].numpy(), labels)
        assert sample.supervision == 'pseudo'
        tags = [tag in case.IMAGES[name][1] for tag in case.CLASSES[1:]]
        shown = np.isin([1, 2, 3], labels)
        assert (sample.gt_label.numpy() > 0).tolist() == (
            np.array(tags) | shown
        ).tolist()
    data = from_folder(tmp_path, images=root / 'images', dense='')
    assert len(data.items) == NUMBER
    assert not data.strays
    assert not data.unlisted
    assert data.classes == case.CLASSES


def test_the_config_says_what_class_has_no_tag(plain, root, tmp_path):
    cfg = copy.deepcopy(plain[0])
    dataset = cfg.train_dataloader.dataset.dataset
    dataset.update(classes=('cat', 'void', 'dog', 'cow'), background=1)
    made = write(cfg, plain[1], tmp_path / 'a')
    lines: dict = {}
    exec(made.config_text, lines)
    assert lines['train_dataloader']['dataset']['background'] == 1
    images = root / 'more/images'
    images.mkdir(parents=True)
    picture = (root / 'images/2.png').read_bytes()
    (images / 'new.png').write_bytes(picture)
    other = {**dataset, 'data_root': str(root / 'more'), 'ann_file': ''}
    other['data_prefix'] = dict(img_path='images', seg_map_path='')
    (images.parent / 'new.png').write_bytes(
        (root / 'masks/2.png').read_bytes()
    )
    joined = dict(type='ConcatDataset', datasets=[dict(dataset), other])
    cfg.train_dataloader.dataset = joined
    made = write(cfg, plain[1], tmp_path / 'b')
    assert made.written == NUMBER + 1
    assert made.config_text.startswith('# no config: ')


def test_goes_on_where_it_was_stopped(plain, tmp_path):
    write(*plain, tmp_path / 'whole')
    out = tmp_path / 'parts'
    with pytest.raises(KeyboardInterrupt):
        write(*plain, out, progress=case.stop_after(2))
    assert json.loads((out / 'labels.json').read_text())['images'] == {}
    (out / 'a/0.png').write_bytes((out / 'a/0.png').read_bytes()[:-20])
    (out / '2.png.part').write_bytes(b'half')
    made = write(*plain, out)
    assert (made.written, made.skipped) == (NUMBER - 1, 1)
    (out / 'confidence/2.png').unlink()
    made = write(*plain, out)
    assert (made.written, made.skipped) == (1, NUMBER - 1)
    assert contents(out) == contents(tmp_path / 'whole')


def test_labels_of_new_tags_are_made_again(refiner, root, tmp_path):
    text = (root / 'list.txt').read_text()
    (root / 'less.txt').write_text(text.replace('dense cat, cow', 'dense'))
    (root / 'other.txt').write_text(text.replace('dense cat,', 'tag dog,'))
    for name, wanted in (('less', 3), ('list', 1), ('other', 1), ('other', 0)):
        made = write(*refiner, tmp_path, ann_file=f'{name}.txt')
        assert made.written == wanted
    listed = json.loads((tmp_path / 'labels.json').read_text())['images']
    assert listed['2']['tags'] == ['dog', 'cow']
    assert listed['2']['image'] == '2.png'


def test_what_does_not_fit_is_refused(plain, afa, tmp_path):
    def refused(match, settings=plain, error=ValueError, **options):
        with pytest.raises(error, match=match):
            write(*settings, tmp_path / 'out', **options)

    refused(r'must lie in \[0, 1\], got 1\.2', min_confidence=1.2)
    refused(r'source must be one of prediction, cam', source='x')
    refused(r'EncoderDecoder makes no labels of tags', source='final')
    refused(r"'cam' has no confidence", source='cam', min_confidence=0.5)
    refused(r"'cam' is made of the tags", source='cam', filter_tags=True)
    cfg = afa[0].copy()
    cfg.model.propagation = None
    refused(r'has no propagation', (cfg, afa[1]), source='propagated')
    (tmp_path / 'out/2.png').write_bytes(b'labels')
    with pytest.raises(FileExistsError, match=r'source=.propagated. there'):
        write(cfg, afa[1], tmp_path / 'out', source='cam')
    write(*plain, tmp_path / 'a')
    with pytest.raises(FileExistsError, match=r'min_confidence=0\.0 there, 0'):
        write(*plain, tmp_path / 'a', min_confidence=0.5)
    labels = json.loads((tmp_path / 'a/labels.json').read_text())
    labels['tool'] = 'import_labels'
    (tmp_path / 'a/labels.json').write_text(json.dumps(labels))
    with pytest.raises(FileExistsError, match=r'made by import_labels, not'):
        write(*plain, tmp_path / 'a')
    (tmp_path / 'tags').mkdir()  # labels.json alone is a folder of tags
    (tmp_path / 'tags/labels.json').write_text(json.dumps(labels))
    with pytest.raises(FileExistsError, match=r'made by import_labels, not'):
        write(*plain, tmp_path / 'tags')
    with pytest.raises(FileExistsError, match=r'import_labels made it, not'):
        write(*plain, tmp_path / 'a', overwrite=True)


def test_images_of_another_split_are_not_mixed_in(plain, tmp_path):
    cfg = copy.deepcopy(plain[0])
    cfg.val_dataloader = cfg.train_dataloader
    write(cfg, plain[1], tmp_path)
    with pytest.raises(FileExistsError, match="split='train' there, 'val' he"):
        write(cfg, plain[1], tmp_path, split='val')
