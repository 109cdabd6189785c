"""The command line of import_labels.py."""

import json
import re
import shutil
from inspect import signature

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.importers import FORMATS, load_reader

from ..helpers import tools
from ..helpers.import_cases import CONTENT, labelme, make_source


@pytest.fixture
def call(tmp_path):
    """Call the tool in this process; return its status or error and output."""

    def run(*arguments):
        done = tools.call(
            'import_labels', *arguments, '--images', 'images',
            cwd=tmp_path, check=False,
        )  # fmt: skip
        return done.stderr.rstrip('\n') or done.returncode, done.stdout

    return run


def test_help_names_every_format(call):
    described = call('--help')[1].partition('positional arguments')[0]
    listed = re.findall(r'^  ([a-z-]+) {2,}\S', described, re.MULTILINE)
    assert listed == list(FORMATS)


def test_help_tells_every_option_of_the_readers(call):
    text = call('--help')[1]
    told = text.partition('options of the readers, for --option:\n')[2]
    listed = re.findall(r'^  ([a-z-]+) +(\w+)(?:\.PART)?=', told, re.MULTILINE)
    options = [
        (name, parameter.name.removesuffix('_'))
        for name in FORMATS
        for parameter in signature(load_reader(name)).parameters.values()
        if parameter.name not in ('source', 'on_error')
    ]
    assert listed == options
    assert ('via', 'tag_attribute') in listed
    # Each has what its docstring says.
    assert len(re.findall(r'=\S+\n {21}\w', told)) == len(options)
    assert 'csv              columns.PART=TEXT' in told
    assert 'The value of pixels without a label.' in told


@pytest.mark.parametrize(
    'names', [('sky,tree,road',), ('sky,', 'tree,', 'road'),
              ('sky', 'tree', 'road')],
)  # fmt: skip
def test_classes_with_commas_or_spaces(names, call, tmp_path):
    make_source(tmp_path)
    assert call('labelme', 'json', 'out', '--classes', *names)[0] == 0
    sidecar = json.loads((tmp_path / 'out' / 'labels.json').read_text())
    assert sidecar['classes'] == ['sky', 'tree', 'road']


def test_as_a_program_on_a_terminal_that_lacks_signs(tmp_path, monkeypatch):
    make_source(tmp_path)
    for name in ('ü', '树'):
        images = tmp_path / 'images'
        shutil.copy(images / 'b.jpg', images / f'{name}.jpg')
        content = json.dumps(labelme(f'{name}.jpg', size=(30, 40)))
        (tmp_path / 'json' / f'{name}.json').write_text(content)
    monkeypatch.setenv('PYTHONIOENCODING', 'ascii')
    done = tools.run(
        'import_labels', 'labelme', 'json', 'out', '--images', 'images',
        '--workers', 2, '--classes', 'sky,tree,road', cwd=tmp_path,
    )  # fmt: skip
    assert '3 images (1 block, 1 point, 1 tag), 3 classes' in done.stdout
    assert re.search(r'\d+ pixels labelled, [\d.]+ %', done.stdout)
    assert '1 shapes clipped at the edge of their image' in done.stdout
    assert r'2 images without labels: \xfc, \u6811' in done.stdout
    assert re.search(r'\] (\d)/\1, ', done.stdout)


def test_every_argument_arrives(call, tmp_path):
    make_source(tmp_path, {
        **CONTENT, 'x': labelme('z.jpg', size=(9, 9)),
        'c': labelme('sub/c.jpg'),
    })  # fmt: skip
    (tmp_path / 'names.txt').write_text('sky\nwood\nroad\n')
    (tmp_path / 'map.json').write_text('{"tree": "wood"}')
    line = (
        'labelme', 'json', 'out', '--classes', 'names.txt', '--class-map',
        'map.json', 'road=255', '--skip-unknown', '--stroke-width', '5',
        '--point-radius', '2', '--supervision', 'scribble', '--keep-empty',
        '--overlap', 'later-on-top',
    )  # fmt: skip
    status, text = call(*line)
    assert status == 0
    assert '1 missing images left out: z.jpg' in text
    assert '2 images without labels: b, sub/c' in text
    sidecar = json.loads((tmp_path / 'out' / 'labels.json').read_text())
    assert sidecar['class_map'] == {'road': 255, 'sky': 0, 'tree': 1}
    assert sidecar['options'] == {
        'stroke_width': 5.0, 'point_radius': 2.0, 'supervision': 'scribble',
        'skip_unknown': True, 'keep_empty': True, 'fill': None,
        'overlap': 'later-on-top', 'annotator': None, 'downsample': 1.0,
        'offset': [0.0, 0.0], 'reader': {},
    }  # fmt: skip
    filled = call('labelme', 'json', 'filled', *line[3:], '--fill', 'sky')
    assert filled[0] == 0
    assert '13 pixels that the source says are void' in filled[1]
    assert call(*line)[0].endswith('--overwrite')
    assert call(*line, '--overwrite')[0] == 0


def test_reader_options_and_dataset_types(call, tmp_path):
    make_source(tmp_path)
    (tmp_path / 'points.csv').write_text('Photo,Label,Row,Column\n'
                                         'a.jpg,car,7,3\n')  # fmt: skip
    status, _ = call('csv', 'points.csv', 'out', '--classes', 'CamVidDataset',
                     '--option', 'columns.image=Photo')  # fmt: skip
    assert status == 0
    with Image.open(tmp_path / 'out' / 'a.png') as picture:
        labels = np.asarray(picture)
        assert picture.getpalette()[24:27] == [64, 0, 128]
    assert np.argwhere(labels != 255).tolist() == [[7, 3]]
    assert labels[7, 3] == 8


@pytest.mark.parametrize(
    ('arguments', 'problem'),
    [
        (('yolo', 'json', 'out'), "unknown format 'yolo', expected one of"),
        (('labelme', 'no', 'out'), 'error: no: No such file or directory'),
        (('labelme', 'json', 'out', '--classes', 'sky'), 'unknown class'),
        (('labelme', 'json', 'out', '--class-map', 'a=b'), 'needs class'),
        (('labelme', 'json', 'out', '--stroke-width', 'nan'), 'got nan'),
        (('isat', 'json', 'out', '--option', 'a=1'), 'it has: image'),
        (('labelme', 'images', 'out'), r'no \*.json in the folder'),
        (('coco', 'json', 'out'), 'expected a file, got a folder'),
    ],
)
def test_errors_are_one_line(arguments, problem, call, tmp_path):
    make_source(tmp_path)
    status, _ = call(*arguments)
    assert re.search(problem, status)
    assert status.startswith('python -m mmseg_sparse import_labels: error: ')
    assert '\n' not in status
    assert not (tmp_path / 'out').exists()


def test_interrupted(call, tmp_path, monkeypatch):
    make_source(tmp_path)

    def stop(*_):
        raise KeyboardInterrupt

    bar = tools.load('import_labels').ProgressBar
    monkeypatch.setattr(bar, '__call__', stop)
    with pytest.raises(KeyboardInterrupt, match='nothing was written'):
        call('labelme', 'json', 'out')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['images', 'json']
