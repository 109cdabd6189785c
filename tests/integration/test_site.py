"""The documentation becomes a web site, without a broken link."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.shipped import REPOSITORY

BUILD = REPOSITORY / 'docs' / 'site' / 'build.py'
HTML = REPOSITORY / 'build' / 'site' / 'html'


@pytest.fixture(scope='module')
def site() -> Path:
    # Broken links, missing anchors and missing names are errors.
    done = subprocess.run(
        [sys.executable, str(BUILD)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return HTML


def pages(site: Path) -> dict[str, str]:
    return {
        path.relative_to(site).as_posix(): path.read_text('utf-8')
        for path in site.rglob('*.html')
    }


def test_every_method_and_every_public_name_has_a_place(site: Path) -> None:
    found = pages(site)
    for readme in (REPOSITORY / 'configs').glob('*/README.md'):
        assert f'configs/{readme.parent.name}/index.html' in found
    formulas = found['api/functional.html']
    for name in ('blp_loss', 'balanced_cross_entropy', 'potts_energy'):
        assert re.search(rf'<h2 id="[\w.]*{name}"', formulas)
        assert f'{name}(' in re.sub(r'<[^>]+>', '', formulas)
    assert 'MeanTeacherEncoderDecoder' in found['api/models.segmentors.html']


def test_formulas_are_drawn_and_nothing_is_fetched(site: Path) -> None:
    for name, page in pages(site).items():
        assert 'class="arithmatex"' not in page, name
        for role in (':math:', ':func:', ':class:'):
            assert role not in page, name
        fetched = re.findall(
            r'<(?:script|img|link)[^>]*(?:src|href)="(https?:[^"]+)', page
        )
        assert fetched == [], name
    assert '<math' in pages(site)['api/functional.html']
