"""Heat maps of a data set's images: values, resuming, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_sparse.labels import read_heatmaps
from mmseg_sparse.pseudo_labels.whole_images import whole_images
from mmseg_sparse.pseudo_labels.write import generate
from mmseg_sparse.pseudo_labels.write_heatmaps import HeatMaps
from tests.helpers import generator_case as case
from tests.helpers.files import contents

NUMBER = len(case.IMAGES)


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data')
    case.write_images(root)
    return root


@pytest.fixture(scope='module')
def afa(root) -> tuple[Config, str]:
    cfg = case.config(root, case.afa_model())
    return cfg, case.checkpoint(cfg, root / 'afa.pth')


@pytest.fixture(scope='module')
def refiner(root) -> tuple[Config, str]:
    cfg = case.config(root, case.refiner_model(), heatmaps=True)
    return cfg, case.checkpoint(cfg, root / 'refiner.pth')


#: Arguments of ``HeatMaps``; the others are those of ``generate``.
OPTIONS = {'source', 'background', 'filter_tags'}


def write(cfg, weights, out, **options):
    sink = HeatMaps(**{n: options.pop(n) for n in OPTIONS & options.keys()})
    return generate(cfg, weights, out, sink, **options)


def inputs_of(cfg, weights):
    """Yield name, model, what it is given, sample and size of each image."""
    model = case.built(cfg, weights)
    for image in whole_images(cfg).items:
        sample = image.load()
        data = {key: [value] for key, value in sample.items()}
        data = model.data_preprocessor(data, False)
        yield image.name, model, data['inputs'], data['data_samples']


def multi_hot(name):
    return [tag in case.IMAGES[name][1] for tag in case.CLASSES[1:]]


def test_activation_maps_are_those_of_the_model(afa, tmp_path):
    made = write(*afa, tmp_path)
    assert (made.written, made.skipped) == (NUMBER, 0)
    for name, model, inputs, samples in inputs_of(*afa):
        found = read_heatmaps(tmp_path / f'{name}.npz')
        height, width = samples[0].img_shape
        assert (height, width) != inputs.shape[2:]  # padded
        cam = model.pseudo_labels(inputs, samples).activation
        wanted = F.interpolate(
            cam[:, :, :height, :width], case.IMAGES[name][0], mode='bilinear'
        )[0]
        shown = np.flatnonzero(multi_hot(name))
        assert found.classes.tolist() == (shown + 1).tolist()
        assert found.num_classes == 4
        assert found.maps.max() > 0.5
        np.testing.assert_allclose(
            found.maps, wanted[shown].numpy(), rtol=2**-11, atol=1e-7
        )


def test_a_background_score_gives_the_labels_of_activation(afa, tmp_path):
    write(*afa, tmp_path, background=0.3)
    for name, (_, tags) in case.IMAGES.items():
        found = read_heatmaps(tmp_path / f'{name}.npz')
        assert len(found.classes) == 1 + len(tags)
        assert np.unique(found.maps[0]) == np.float16(0.3)
        above = found.maps[1:].max(0) > np.float16(0.3)
        assert (found.dense().argmax(0) > 0).sum() == above.sum() > 0


@pytest.mark.parametrize('filter_tags', [None, False])
def test_predictions_are_filtered_by_the_tags(refiner, tmp_path, filter_tags):
    write(*refiner, tmp_path, filter_tags=filter_tags)
    for name, model, inputs, samples in inputs_of(*refiner):
        found = read_heatmaps(tmp_path / f'{name}.npz').dense()
        size = case.IMAGES[name][0]
        height, width = samples[0].img_shape
        maps = samples[0].heatmap.data
        pad = (0, inputs.shape[3] - width, 0, inputs.shape[2] - height)
        joined = torch.cat([inputs, F.pad(maps, pad)[None]], 1)
        with torch.no_grad():
            logits = model.decode_head(model.backbone(joined))
        prob = F.interpolate(
            logits[:, :, :height, :width], size, mode='bilinear'
        )[0].softmax(0)
        if filter_tags is None:
            hot = torch.tensor([True, *multi_hot(name)])
            prob = prob * hot[:, None, None]
            assert prob.sum(0).max() < 0.999  # not normalised again
        np.testing.assert_allclose(found, prob.numpy(), rtol=1e-3, atol=1e-6)


def test_predictions_need_no_tags_nor_pseudo_labels(afa, root, tmp_path):
    cfg = afa[0].copy()
    cfg.model.test_cfg.pseudo_labels = True
    made = write(cfg, afa[1], tmp_path, source='prediction', split='test')
    assert (made.written, made.unfiltered) == (NUMBER, NUMBER)
    found = read_heatmaps(tmp_path / '2.npz')
    assert found.classes.tolist() == [0, 1, 2, 3]
    assert found.dense().sum(0) == pytest.approx(1, abs=2e-3)


def test_a_pipeline_reads_them_back(refiner, tmp_path):
    cfg, weights = refiner
    out = tmp_path / 'maps'
    made = write(cfg, weights, out)
    settings = dict(cfg.train_dataloader.dataset.dataset)
    read = eval(made.config_text)
    settings['pipeline'] = [
        *case.LOAD, read, dict(type='LoadSparseAnnotations'),
        dict(type='PackHeatmapInputs'),
    ]  # fmt: skip
    dataset = DATASETS.build(settings)
    for index, name in enumerate(case.IMAGES):
        sample = dataset[index]['data_samples']
        found = read_heatmaps(out / f'{name}.npz')
        assert np.array_equal(sample.heatmap.data.numpy(), found.dense())


def test_goes_on_where_it_was_stopped(afa, tmp_path):
    write(*afa, tmp_path / 'whole')
    out = tmp_path / 'parts'
    with pytest.raises(KeyboardInterrupt):
        write(*afa, out, progress=case.stop_after(1))
    assert set(contents(out)) == {'heatmaps.json', 'a/0.npz'}
    written = (out / 'a/0.npz').stat().st_mtime_ns
    (out / 'a/.0.npz.77.part').write_bytes(b'half')
    (out / '2.npz').write_bytes(b'PK half')  # not by this tool
    made = write(*afa, out)
    assert (made.written, made.skipped) == (NUMBER - 1, 1)
    assert (out / 'a/0.npz').stat().st_mtime_ns == written
    assert contents(out) == contents(tmp_path / 'whole')
    made = write(*afa, out)
    assert (made.written, made.skipped) == (0, NUMBER)


def test_lists_of_one_folder_go_together(afa, root, tmp_path):
    for number, name in enumerate(case.IMAGES):
        line = (root / 'list.txt').read_text().splitlines()[number]
        (root / f'{number}.txt').write_text(line)
        made = write(*afa, tmp_path, ann_file=f'{number}.txt')
        assert made.written == 1
        assert (tmp_path / f'{name}.npz').is_file()
    assert write(*afa, tmp_path).written == 0
    cfg = afa[0].copy()  # the same list at another place
    (root / 'other').mkdir()
    (root / 'other/list.txt').write_bytes((root / 'list.txt').read_bytes())
    cfg.train_dataloader.dataset.dataset.ann_file = str(
        root / 'other/list.txt'
    )
    assert write(cfg, afa[1], tmp_path).written == 0


def test_files_of_corrected_tags_are_made_again(afa, root, tmp_path):
    text = (root / 'list.txt').read_text()
    corrected = text.replace('dense dog, cow', 'tag dog')
    (root / 'corrected.txt').write_text(corrected)
    write(*afa, tmp_path, ann_file='list.txt')
    assert read_heatmaps(tmp_path / 'a/b/1.npz').classes.tolist() == [2, 3]
    made = write(*afa, tmp_path, ann_file='corrected.txt')
    assert (made.written, made.skipped) == (1, NUMBER - 1)
    assert read_heatmaps(tmp_path / 'a/b/1.npz').classes.tolist() == [2]
    made = write(*afa, tmp_path, ann_file='corrected.txt')
    assert made.written == 0


def test_one_process_writes_at_a_time(afa, tmp_path):
    def progress(done, total):
        with pytest.raises(FileExistsError, match='another process is at wo'):
            write(*afa, tmp_path)

    made = write(*afa, tmp_path, progress=progress)
    assert made.written == NUMBER
    assert write(*afa, tmp_path).written == 0


def test_outputs_of_others_are_refused(afa, root, tmp_path):
    cfg, weights = afa
    write(cfg, weights, tmp_path)
    before = contents(tmp_path)
    other = case.checkpoint(cfg, root / 'other.pth', seed=1)
    with pytest.raises(FileExistsError, match=r'afa\.pth.* there, .*other\.p'):
        write(cfg, other, tmp_path)
    with pytest.raises(FileExistsError, match=r'background=None there, 0\.5'):
        write(cfg, weights, tmp_path, background=0.5)
    changed = cfg.copy()
    changed.work_dir = 'two'
    assert write(changed, weights, tmp_path).written == 0
    changed.model.cam_flip = False
    with pytest.raises(FileExistsError, match=r'config .*\.py .* there, '):
        write(changed, weights, tmp_path)
    assert contents(tmp_path) == before
    made = write(cfg, other, tmp_path, overwrite=True)
    assert made.written == NUMBER
    assert contents(tmp_path) != before
    name = json.loads((tmp_path / 'heatmaps.json').read_text())['checkpoint']
    assert name['name'] == other


def test_heat_maps_that_a_model_reads_count(refiner, root, tmp_path):
    told = root / 'maps/heatmaps.json'
    told.write_text('{"of": 1}')
    write(*refiner, tmp_path)
    told.write_text('{"of": 2}')
    with pytest.raises(FileExistsError, match=r'heatmaps=.* there'):
        write(*refiner, tmp_path)
    told.write_text('{"of": 1, "tags": {"another": [1]}}')
    write(*refiner, tmp_path)
    told.unlink()


def test_foreign_files_are_left_alone(afa, tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r'no heatmaps\.json that'):
            write(*afa, tmp_path, overwrite=overwrite)
    (tmp_path / 'notes.txt').unlink()
    write(*afa, tmp_path)
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(FileExistsError, match=r'notes\.txt is not a file t'):
        write(*afa, tmp_path, overwrite=True)
    assert len(contents(tmp_path)) == NUMBER + 2


def test_what_does_not_fit_is_named(afa, refiner, root, tmp_path):
    def refused(match, settings=afa, **options):
        with pytest.raises(ValueError, match=match):
            write(*settings, tmp_path / 'none', **options)

    refused(r'split must be one of train, val, test', split='all')
    refused(r'has no val_dataloader', split='val')
    refused(r'source must be one of auto, cam', source='x')
    refused(r'a score between 0 and 1, got 1\.5', background=1.5)
    refused(r'0\.5 is for activation maps', refiner, background=0.5)
    refused(r'HeatmapRefiner with DCTNHead has no class', refiner,
            source='cam')  # fmt: skip
    refused(r'filter_tags=False is for predictions', filter_tags=False)
    refused(r'is not a checkpoint of the con', (afa[0], refiner[1]))
    (root / 'untagged.txt').write_text('2 dense')
    cfg = afa[0].copy()
    pack = cfg.train_dataloader.dataset.dataset.pipeline[-1]
    pack.type = 'PackSegInputs'
    refused(r'2\.png: has no tags.*ends with PackSegInputs',
            (cfg, afa[1]), ann_file='untagged.txt')  # fmt: skip
    assert not contents(tmp_path / 'none').keys() - {'heatmaps.json'}


def test_a_filter_of_the_model_waits_for_the_option(refiner, tmp_path):
    cfg, weights = refiner
    cfg = cfg.copy()
    cfg.model.test_cfg.refiner = dict(type='ClassLabelFilter')
    write(cfg, weights, tmp_path / 'a', filter_tags=False)
    found = read_heatmaps(tmp_path / 'a/2.npz')
    assert found.dense()[2].max() > 0.01  # a class without tag
    write(cfg, weights, tmp_path / 'b')
    found = read_heatmaps(tmp_path / 'b/2.npz')
    assert found.classes.tolist() == [0, 1, 3]
    assert found.dense().sum(0).max() < 0.999  # not normalised again
