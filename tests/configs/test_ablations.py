"""An ablation changes a few settings of its parent; its README says which."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.shipped import (
    ABLATIONS,
    CONFIGS,
    changes,
    parent_of,
    parse,
    parts,
)

#: Those that are lists of bases, and TRL's pipelines, which have none.
CHANGED = [leaf for leaf in ABLATIONS if parent_of(leaf) is not None]
each_ablation = pytest.mark.parametrize('leaf', CHANGED, ids=lambda p: p.stem)


class Row(NamedTuple):
    """What a README says of one config: its parent and its settings."""

    pattern: str
    parent: str
    settings: dict[str, object]


def value(text: str) -> object:
    return 'absent' if text == 'absent' else ast.literal_eval(text.strip('`'))


def rows(readme: str) -> Iterator[Row]:
    """Yield the rows of "What the ablations change", one a config."""
    section = readme.partition('\n## What the ablations change\n')[2]
    for line in section.partition('\n## ')[0].splitlines():
        if not line.startswith('| `'):
            continue
        configs, parent, settings = line.strip('| ').split(' | ')
        before, names, after = re.fullmatch(
            r'`([^{}]*)(?:\{(.*)\})?([^{}]*)`', configs
        ).groups()
        patterns = [before + name + after for name in (names or '').split(',')]
        said = [part.partition('`: ') for part in settings.split('; ')]
        for index, pattern in enumerate(patterns):
            found = {}
            for key, _, text in said:
                values = re.findall(r'`[^`]+`|absent', text)
                assert len(values) in (1, len(patterns)), line
                one = values[index] if len(values) > 1 else values[0]
                found[key.strip('`')] = value(one)
            yield Row(pattern, parent.strip('`'), found)


ROWS = {
    path.parent.name: list(rows(path.read_text('utf-8')))
    for path in CONFIGS.glob('*/README.md')
}


def method_of(leaf: Path) -> str:
    return leaf.relative_to(CONFIGS).parts[0]


def test_other_ablations_are_few_and_known() -> None:
    others = {p.stem for p in ABLATIONS if p not in CHANGED}
    pipelines = {
        name for name in others if re.match(r'trl_(toy|voc12)_', name)
    }
    assert len(pipelines) == 14
    # test_content.py says what it changes.
    assert others - pipelines == {
        'ce-sparse-transforms_mit-b0_segformer_1xb8-2k_camvid-point-256x256'
    }


@each_ablation
def test_an_ablation_changes_what_its_readme_says(leaf: Path) -> None:
    said = [
        row for row in ROWS[method_of(leaf)]
        if fnmatchcase(leaf.stem, row.pattern)
    ]  # fmt: skip
    assert len(said) == 1, 'expected one row'
    parent = parent_of(leaf)
    assert parent.stem.startswith(f'{said[0].parent}_')
    found = {
        key.removeprefix('model.'): value
        for key, value in changes(
            parse(leaf).to_dict(), parse(parent).to_dict()
        )
    }
    assert 0 < len(found) <= 5
    assert found == said[0].settings


@each_ablation
def test_an_ablation_is_named_after_its_parent(leaf: Path) -> None:
    own, other = parts(leaf), parts(parent_of(leaf))
    assert own.pop('variant') not in (None, other.pop('variant'))
    # TRL's FPN on the first network is a head of the second.
    if own['head'] == 'dctnfpn':
        other['head'] = 'dctnfpn'
    assert own == other


def test_every_row_of_a_readme_is_of_a_config() -> None:
    names = [leaf.stem for leaf in CHANGED]
    for method, said in ROWS.items():
        for row in said:
            assert row.pattern.startswith(f'{method}-')
            assert any(fnmatchcase(name, row.pattern) for name in names), row
