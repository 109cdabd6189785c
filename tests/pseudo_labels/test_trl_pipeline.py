"""TRL's stages in order: killed in each and continued, never mixed."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_sparse.labels import make_toy_dataset
from mmseg_sparse.pseudo_labels.trl_configs import read_settings
from mmseg_sparse.pseudo_labels.trl_pipeline import TRLPipeline
from mmseg_sparse.utils.stages import StageError
from tests.helpers import tiny
from tests.helpers.trl_pipeline_case import SHIPPED, run, write_config

#: In each stage, the file that a process is killed after, and how many of it.
KILLS = [
    ('classifier/iter_2.pth', 1),
    ('cam/heatmaps/*.npz', 2),
    ('cam/done.json', 1),
    ('dctn1/iter_2.pth', 1),
    ('refined/heatmaps/*.npz', 3),
    ('dctn2/iter_4.pth', 1),
    ('pseudo_labels/labels/*.png', 2),
    ('final/iter_2.pth', 1),
    ('evaluation/dctn1/*.png', 1),
]
ROWS = ['CAM', 'DCTN1', 'DCTN1 + CLF', 'DCTN2', 'DCTN2 + CLF', 'final model']
STAGES = ['classifier', 'cam', 'dctn1', 'refined', 'dctn2', 'pseudo_labels',
          'final', 'evaluation']  # fmt: skip


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline on five images, of which two have masks."""
    root = tmp_path_factory.mktemp('trl')
    data = root / 'data'
    make_toy_dataset(data, num_train=5, num_val=2)
    names = sorted(p.stem for p in (data / 'images/train').iterdir())
    (data / 'tags').mkdir()
    images = {}
    for name in names:
        mask = np.asarray(Image.open(data / f'masks/train/{name}.png'))
        images[name] = [int(c) for c in np.unique(mask) if 0 < c < 255]
    classes = ('background', 'stripes', 'checker', 'dots', 'rings', 'zigzag',
               'bricks')  # fmt: skip
    lines = [
        f'{name} {"dense" if index % 3 == 1 else "tag"} '
        + ', '.join(classes[c] for c in images[name])
        for index, name in enumerate(names)
    ]
    (root / 'split.txt').write_text('\n'.join(lines) + '\n')
    for name in SHIPPED:
        write_config(root, name, data)
    (root / 'pipeline.py').write_text(
        f'split = {str(root / "split.txt")!r}\n'
        f'dense_masks = {str(data / "masks/train")!r}\n'
        + ''.join(f'{name} = "{name}.py"\n' for name in SHIPPED)
    )
    return root / 'pipeline.py'


@pytest.fixture(scope='module')
def whole(config: Path) -> Path:
    """The work folder of a run in one go."""
    work_dir = config.parent / 'whole'
    run(config, work_dir)
    return work_dir


def test_reports_every_step(whole: Path) -> None:
    report = json.loads((whole / 'evaluation/report.json').read_text())
    assert [row['name'] for row in report] == ROWS
    assert all(0 <= row['mIoU'] <= 100 for row in report)
    text = (whole / 'evaluation/report.txt').read_text()
    assert all(name in text for name in ROWS)
    assert 'best background score' in text
    labels = sorted(p.name for p in (whole / 'pseudo_labels/labels').iterdir()
                    if p.suffix == '.png')  # fmt: skip
    assert labels == [f'train_{i:04d}.png' for i in (0, 2, 3)]
    listed = (whole / 'pseudo_labels/hybrid_pseudo.txt').read_text()
    assert listed.split()[1::2] == ['pseudo', 'dense', 'pseudo', 'pseudo',
                                    'dense']  # fmt: skip


@pytest.mark.parametrize('network', ['dctn1', 'dctn2'])
def test_refined_maps_are_validated(
    whole: Path, config: Path, network: str
) -> None:
    """On the validation images, whose maps the stage before has made."""
    upstream = dict(dctn1='cam', dctn2='refined')[network]
    maps = sorted(p.stem for p in whole.glob(f'{upstream}/heatmaps_val/*.npz'))
    images = (config.parent / 'data/images/val').iterdir()
    assert maps == sorted(p.stem for p in images)
    (log,) = whole.glob(f'{network}/*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    found = [row['mIoU'] for row in rows if 'mIoU' in row]
    assert len(found) == 1
    assert 0 < found[0] <= 100


def test_ablations_share_a_classifier(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    """Another network in the first round begins with the same heat maps."""
    ran: list[str] = []

    def launch(name: str, arguments: Sequence[str]) -> None:
        ran.append(arguments[2])
        raise StageError('stopped')

    text = "model['backbone']['with_cross'] = False\n"
    path = copied_configs(config, tmp_path, dctn1=text)
    settings = dataclasses.replace(
        read_settings(path, str(tmp_path / 'work')), shared=whole
    )
    pipeline = TRLPipeline(settings, launch)
    states = [pipeline.stages.state(name) for name in STAGES[:3]]
    assert states == ['done', 'done', 'to do']
    with pytest.raises(StageError, match='stopped'):
        pipeline.stages.run()
    assert ran == [str(tmp_path / 'work/dctn1')]
    read = Config.fromfile(tmp_path / 'work/dctn1/config.py')
    roots = [
        step.root for loader in (read.train_dataloader, read.val_dataloader)
        for step in loader.dataset.pipeline if step['type'] == 'LoadHeatmaps'
    ]  # fmt: skip
    assert roots == [f'{whole}/cam/heatmaps', f'{whole}/cam/heatmaps_val']
    # Where its heat maps are does not count.
    own = TRLPipeline(dataclasses.replace(settings, shared=None))
    for name in STAGES:
        told = own.stages.fingerprint(name)
        assert told == pipeline.stages.fingerprint(name)
    # Other settings of the classifier: another classifier.
    other = TRLPipeline(dataclasses.replace(settings, seed=1))
    assert other.stages.folder('cam') == tmp_path / 'work/cam'


def test_killed_in_each_stage_it_comes_to_the_same(
    config: Path, whole: Path
) -> None:
    work_dir = config.parent / 'parts'
    for kill in KILLS:
        run(config, work_dir, kill)
    run(config, work_dir)
    for pattern in ('*/labels/*.png', '*/heatmaps/*.npz', '*/report.txt'):
        files = sorted(whole.glob(pattern))
        assert files
        for file in files:
            other = work_dir / file.relative_to(whole)
            assert file.read_bytes() == other.read_bytes(), other
    for name in SHIPPED:
        one, two = (
            tiny.state(folder / name / 'iter_4.pth')
            for folder in (whole, work_dir)
        )
        assert not tiny.differences(one, two)


def test_what_is_done_is_skipped(config: Path, whole: Path) -> None:
    def launch(name: str, arguments: Sequence[str]) -> None:
        raise AssertionError(name)

    lines: list[str] = []
    settings = read_settings(config, str(whole))
    stages = TRLPipeline(settings, launch).stages
    stages.run(report=lines.append)
    assert lines == [f'{name}: done' for name in STAGES]


def test_other_settings_are_refused(config: Path, whole: Path) -> None:
    """The error names the stage and what differs; nothing is touched."""
    changed = config.parent / 'changed'
    changed.mkdir()
    for path in config.parent.glob('*.py'):
        (changed / path.name).write_text(path.read_text())
    with open(changed / 'dctn1.py', 'a') as file:
        file.write('optim_wrapper = dict(optimizer=dict(lr=5e-4))\n')
    settings = read_settings(changed / 'pipeline.py', str(whole))
    stages = TRLPipeline(settings, lambda *_: pytest.fail('ran')).stages
    before = sorted(whole.rglob('*'))
    assert [stages.state(n) for n in stages.names[:2]] == ['done'] * 2
    assert {stages.state(n) for n in stages.names[2:]} == {'other'}
    wanted = (
        r'stage dctn1 in .*whole/dctn1 has other settings: config: '
        r'"lr": 0.001 there, "lr": 0.0005 here; .*--overwrite-from dctn1'
    )
    with pytest.raises(StageError, match=wanted):
        stages.run()
    with pytest.raises(StageError, match='stage dctn1 in'):
        stages.run(overwrite_from='refined')
    assert 'on another dctn1' in stages.difference('refined')
    assert sorted(whole.rglob('*')) == before


def test_every_setting_counts_from_its_stage_on(
    config: Path, whole: Path
) -> None:
    other = config.parent / 'other.txt'
    text = (config.parent / 'split.txt').read_text()
    other.write_text(text.replace('train_0002 tag', 'train_0002 dense'))
    settings = read_settings(config, str(whole))
    weights = whole / 'classifier/iter_4.pth'
    for changes, first in (
        (dict(clf=(True, False)), 'pseudo_labels'),
        (dict(clf=(False, True)), 'refined'),
        (dict(seed=1), 'classifier'),
        (dict(split=other), 'classifier'),
        (dict(classifier_checkpoint=weights), 'classifier'),
        (dict(background=None), 'evaluation'),
        (dict(dense_masks=None), 'evaluation'),
    ):
        changed = dataclasses.replace(settings, **changes)
        stages = TRLPipeline(changed).stages
        states = {name: stages.state(name) for name in stages.names}
        wanted = STAGES.index(first)
        assert states == {
            name: 'done' if index < wanted else 'other'
            for index, name in enumerate(STAGES)
        }


def test_a_moved_list_is_the_same(config: Path, whole: Path) -> None:
    """A checkout at another place goes on; names keep letters, suffixes."""
    folder = config.parent / 'é'
    folder.mkdir()
    text = (config.parent / 'split.txt').read_text()
    lines = [line.replace(' ', '.png ', 1) for line in text.splitlines()]
    (folder / 'split.txt').write_text('\n'.join(lines))
    settings = read_settings(config, str(whole))
    moved = dataclasses.replace(settings, split=folder / 'split.txt')
    stages = TRLPipeline(moved).stages
    assert {stages.state(name) for name in stages.names} == {'done'}


def test_a_missing_mask_shows_before_anything_runs(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    settings = read_settings(config, str(tmp_path / 'work'))
    masks = tmp_path / 'masks'
    masks.mkdir()
    for path in settings.dense_masks.iterdir():
        (masks / path.name).write_bytes(path.read_bytes())
    (masks / 'train_0001.png').unlink()  # of a strong image
    fewer = dataclasses.replace(settings, dense_masks=masks)
    TRLPipeline(fewer)
    (masks / 'train_0003.png').unlink()
    wanted = r'1 of 3 weak images have no mask, such as .*train_0003\.png'
    with pytest.raises(FileNotFoundError, match=wanted):
        TRLPipeline(fewer)
    split = tmp_path / 'split.txt'
    split.write_text('train_0000 tag\nother dense\n')
    lost = dataclasses.replace(settings, split=split)
    with pytest.raises(FileNotFoundError, match=r'split\.txt.*other is dense'):
        TRLPipeline(lost)
    split.write_text('train_0000 tag\ntrain_0001\n')
    wanted = r'split\.txt:2: train_0001 has no supervision'
    with pytest.raises(ValueError, match=wanted):
        TRLPipeline(lost)


def copied_configs(config: Path, folder: Path, **more: str) -> Path:
    """Copy a pipeline's configs, with more at the end of some."""
    for path in config.parent.glob('*.py'):
        text = path.read_text() + '\n' + more.get(path.stem, '')
        (folder / path.name).write_text(text)
    return folder / 'pipeline.py'


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (
            "['img_suffix'] = '_left.png'",
            r"dctn2\.py: expected an img_suffix .* got '_left\.png'",
        ),
        (
            "\nval_dataloader['dataset']['data_prefix']['img_path'] = 'no'",
            r'dctn2\.py: val_dataloader: expected the images of .*dctn1\.py,',
        ),
        ("['type'] = 'Unknown'", 'Unknown is not in the'),
    ],
)
def test_datasets_that_do_not_fit_show_before_anything_runs(
    config: Path, tmp_path: Path, more: str, message: str
) -> None:
    text = f"train_dataloader['dataset']{more}\n"
    path = copied_configs(config, tmp_path, dctn2=text)
    with pytest.raises((KeyError, ValueError), match=message):
        TRLPipeline(read_settings(path, str(tmp_path / 'work')))


def test_labels_of_another_suffix_are_refused(
    config: Path, tmp_path: Path
) -> None:
    text = "train_dataloader['dataset']['seg_map_suffix'] = '_m.png'\n"
    path = copied_configs(config, tmp_path, final=text)
    with pytest.raises(ValueError, match=r"final\.py: .*seg_map_suffix.*'_m"):
        TRLPipeline(read_settings(path, str(tmp_path / 'work')))


def test_weights_may_go_once_they_were_used(
    config: Path, tmp_path: Path
) -> None:
    weights = tmp_path / 'w.pth'
    text = f"load_from = '{weights}'\n"
    path = copied_configs(config, tmp_path, final=text)
    settings = read_settings(path, str(tmp_path / 'work'))
    with pytest.raises(FileNotFoundError, match='weights not found'):
        TRLPipeline(settings)
    weights.write_text('1')
    first = TRLPipeline(settings).stages.fingerprint('final')
    weights.write_text('2')
    begun = TRLPipeline(settings).stages
    assert begun.fingerprint('final') != first
    folder = begun.folder('final')
    folder.mkdir(parents=True)
    (folder / 'stage.json').write_text(json.dumps(begun._begun['final']))
    (folder / 'done.json').write_text('{}')
    weights.unlink()
    again = TRLPipeline(settings).stages
    assert again.fingerprint('final') == begun.fingerprint('final')


def test_tags_of_a_file_count_and_maps_keep_folders(
    config: Path, tmp_path: Path
) -> None:
    tags = tmp_path / 'tags.json'
    text = f"train_dataloader['dataset']['tag_file'] = '{tags}'\n"
    for stage in ('classifier', 'dctn2'):
        path = copied_configs(config, tmp_path, **{stage: text})
        tags.write_text('old')
        settings = read_settings(path, str(tmp_path / 'work'))
        first = TRLPipeline(settings)
        same = TRLPipeline(settings)
        tags.write_text('new')
        other = TRLPipeline(settings)
        begin = STAGES.index(stage)
        for index, name in enumerate(STAGES):
            told = first.stages.fingerprint(name)
            assert same.stages.fingerprint(name) == told
            changed = other.stages.fingerprint(name) != told
            assert changed == (index >= begin)
    dataset = first.configs['dctn1'].train_dataloader.dataset
    (step,) = (s for s in dataset.pipeline if s['type'] == 'LoadHeatmaps')
    assert step.img_root == str(config.parent / 'data/images/train')


def test_a_classifier_that_has_moved_is_found(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    ran: list[str] = []

    def launch(name: str, arguments: Sequence[str]) -> None:
        ran.append(arguments[2])
        raise StageError('stopped')

    weights = (whole / 'classifier/iter_4.pth').read_bytes()
    settings = read_settings(config, str(tmp_path / 'work'))
    paths = [tmp_path / name for name in ('a.pth', 'b.pth')]
    for path in paths:
        path.write_bytes(weights)
        moved = dataclasses.replace(settings, classifier_checkpoint=path)
        with pytest.raises(StageError, match='stopped'):
            TRLPipeline(moved, launch).stages.run()
        path.unlink()
    assert ran == [str(path) for path in paths]


def test_overwriting_begins_at_a_stage(
    config: Path, tmp_path: Path, whole: Path
) -> None:
    import shutil

    copied = tmp_path / 'work'
    shutil.copytree(whole, copied)
    ran: list[str] = []

    def launch(name: str, arguments: Sequence[str]) -> None:
        ran.append(name)
        raise StageError('stopped')

    settings = read_settings(config, str(copied))
    stages = TRLPipeline(settings, launch).stages
    with pytest.raises(StageError, match='stopped'):
        stages.run(overwrite_from='final')
    assert ran == ['train']
    assert [stages.state(n) for n in stages.names[-3:]] == [
        'done', 'begun', 'to do',
    ]  # fmt: skip
    (copied / 'evaluation').mkdir()
    (copied / 'evaluation/mine.txt').write_text('mine')
    with pytest.raises(StageError, match='not overwritten'):
        stages.run(overwrite_from='evaluation')
    with pytest.raises(StageError, match=r"expected a .* got 'dctn3'"):
        stages.run(until='dctn3')


def test_one_process_at_a_time(config: Path, tmp_path: Path) -> None:
    settings = read_settings(config, str(tmp_path / 'work'))
    other = TRLPipeline(settings, lambda *_: None).stages

    def launch(name: str, arguments: Sequence[str]) -> None:
        with pytest.raises(StageError, match='another process is at work'):
            other.run()
        raise StageError('looked')

    with pytest.raises(StageError, match='looked'):
        TRLPipeline(settings, launch).stages.run()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("split = 'a'\n", 'missing classifier, dctn1'),
        ('{all}dctn4 = 1\n', 'unknown dctn4'),
        ('{all}clf = (True,)\n', 'clf must be two of True, False'),
        ("{all}dense_masks = 'none'\n", 'dense_masks: folder not found: none'),
        ("{all}split = 'none.txt'\n", 'split: file not found: none.txt'),
    ],
)
def test_wrong_configs(config: Path, text: str, message: str) -> None:
    path = config.parent / 'wrong.py'
    path.write_text(text.format(all=config.read_text()))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_settings(path)
