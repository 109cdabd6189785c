import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import config, utils
from mmengine.registry import init_default_scope

import mmseg_sparse  # noqa: F401

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported.

    MMEngine collects garbage for each data set that is built, and looks at
    a million objects of the libraries each time.
    """
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def _look_for_mmseg_once() -> Iterator[None]:
    """For every base, MMEngine finds mmseg and reads its metafiles again."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (utils, 'load'),
            (config, 'is_installed'),
            (config, 'get_installed_path'),
        ):
            patch.setattr(module, name, cache(getattr(module, name)))
        yield


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        'markers', 'cuda: needs a CUDA device (`make gpu` runs these alone)'
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker('cuda'):
        if not torch.cuda.is_available():
            pytest.skip('no CUDA device')
        # Convolutions with ten bits of mantissa differ from the CPU's.
        torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(autouse=True)
def _scope_and_seed():
    init_default_scope('mmseg')
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def data_root() -> Path:
    root = Path(os.environ.get('MMSEG_SPARSE_DATA', REPOSITORY / 'data'))
    if not (root / 'camvid').is_dir():
        pytest.skip(f'no data: {root / "camvid"} (set MMSEG_SPARSE_DATA)')
    return root
