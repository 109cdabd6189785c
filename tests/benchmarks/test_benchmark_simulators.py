"""benchmark_simulators: it measures each simulator and writes the figures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.masks import blobs
from tests.helpers.tools import call


def test_figures_are_of_the_masks(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(blobs(number)).save(tmp_path / f'{number}.png')
    out = tmp_path / 'figures.json'
    done = call(
        'benchmark_simulators', tmp_path, '--size', '180', '280',
        '--repeats', '1', '--out', out, cwd=tmp_path,
    )  # fmt: skip
    assert '3 masks of 180x280' in done.stdout
    figures = json.loads(out.read_text())
    assert all(f['images_per_second'] > 0 for f in figures.values())
    void = np.mean([(blobs(number) == 255).mean() for number in range(3)])
    for percent in (10, 20, 50):
        assert figures[f'blocks, {percent} %']['labelled'] == pytest.approx(
            percent / 100 * (1 - void), abs=1e-4
        )
    whole = figures['scribbles']['labelled']
    short = figures['shrink to 50 %']['labelled']
    spots = figures['shrink to 0']['labelled']
    assert 0.4 * whole < short < 0.7 * whole
    assert 0 < spots < 0.3 * whole


def test_no_mask_is_an_error(tmp_path: Path) -> None:
    done = call('benchmark_simulators', tmp_path, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert re.search(r'error: .*: no PNG in it', done.stderr)
