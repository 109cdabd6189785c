import sys
import tarfile
import zipfile

import pytest

from ..helpers.environment import Environment, mim_content, run

pytestmark = pytest.mark.slow


def wheel_content(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_the_package_and_nothing_beside_it(wheel, source):
    files = wheel_content(wheel)
    tops = {name.partition('/')[0] for name in files}
    assert tops == {'mmseg_sparse', 'mmseg_sparse-0.1.0.dist-info'}
    modules = {
        f'mmseg_sparse/{f.relative_to(source / "mmseg_sparse").as_posix()}'
        for f in (source / 'mmseg_sparse').rglob('*.py')
        if '.mim' not in f.parts
    }
    in_wheel = {
        name
        for name in files
        if name.startswith('mmseg_sparse/') and '/.mim/' not in name
    }
    assert in_wheel == modules


def test_wheel_fills_mim(wheel, source):
    prefix = 'mmseg_sparse/.mim/'
    files = wheel_content(wheel)
    content = {
        name.removeprefix(prefix): data
        for name, data in files.items()
        if name.startswith(prefix)
    }
    assert content == mim_content(source)
    assert 'tools/train.py' in content


def test_sdist_installs_the_same(source, wheel, tmp_path):
    run(
        [sys.executable, 'setup.py', '-q', 'sdist', '-d', tmp_path],
        cwd=source,
    )
    (sdist,) = tmp_path.glob('*.tar.gz')
    with tarfile.open(sdist) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    assert {'LICENSE', 'README.md', 'constraints.txt'} <= names
    assert not any('.mim' in name or 'removed' in name for name in names)

    environment = Environment(tmp_path / 'venv')
    environment.install(sdist, cwd=tmp_path)
    package = environment.site / 'mmseg_sparse'
    assert environment.origin(tmp_path) == package
    assert mim_content(package / '.mim') == mim_content(source)
    assert {
        str(f.relative_to(environment.site))
        for f in package.rglob('*.py')
        if '__pycache__' not in f.parts
    } == {n for n in wheel_content(wheel) if n.endswith('.py')}


def test_metadata_require_mmcv_for_an_extra_only(wheel):
    files = wheel_content(wheel)
    metadata = files['mmseg_sparse-0.1.0.dist-info/METADATA'].decode()
    required = [
        line.partition(': ')[2]
        for line in metadata.splitlines()
        if line.startswith('Requires-Dist')
    ]
    mmcv = [line for line in required if line.startswith('mmcv')]
    assert mmcv == ['mmcv-lite<2.2.0,>=2.0.0; extra == "mim"']
    for name in ('torch>=2.6', 'mmengine>=0.9', 'mmsegmentation>=1.2'):
        assert name in required
    assert 'setuptools<81' in required
    assert 'License-File: LICENSE' in metadata
