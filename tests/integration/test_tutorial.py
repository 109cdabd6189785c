"""docs/tutorial.md runs from its first command to its last, as printed."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from mmseg_sparse.labels.label_map import load_png_index
from tests.helpers.shipped import REPOSITORY
from tests.helpers.tools import call

PAGE = (REPOSITORY / 'docs/tutorial.md').read_text('utf-8')
BLOCK = re.compile(r'(?:^    .+\n)+', re.M)
TOOL = ['python', '-m', 'mmseg_sparse']
EXPORT = 'export_onnx'


def commands() -> list[list[str]]:
    lines = ''.join(BLOCK.findall(PAGE)).replace('\\\n', ' ').splitlines()
    return [shlex.split(line) for line in lines]


@pytest.mark.slow
def test_the_tutorial_runs_in_an_empty_folder(tmp_path: Path) -> None:
    found = commands()
    assert [argv[:3] for argv in found] == [TOOL] * len(found)
    tools = [argv[3] for argv in found]
    assert tools[:2] == ['make_toy_dataset', 'init']
    assert tools[-1] == EXPORT
    named = set(re.findall(r'`(toy(?:_run)?/[\w./]+)`', PAGE))
    parts = ('onnx', 'onnxruntime', 'onnxscript')
    exports = all(map(importlib.util.find_spec, parts))
    for _, _, _, tool, *arguments in found:
        wanted = exports or tool != EXPORT
        done = call(tool, *arguments, cwd=tmp_path, check=wanted)
        if not wanted:
            assert re.fullmatch(r'.*error: .*mmseg_sparse\[onnx\].*\n',
                                done.stderr)  # fmt: skip
            named -= {'toy_run/onnx/model.onnx', 'toy_run/onnx/infer.py'}
    assert named
    assert [name for name in named if not (tmp_path / name).exists()] == []
    # What came back from the annotation file is what the model predicted.
    for path in (tmp_path / 'toy_run/corrected').glob('*.png'):
        predicted = tmp_path / 'toy_run/to_correct/labels' / path.name
        same = load_png_index(path) == load_png_index(predicted)
        assert same.mean() > 0.9
