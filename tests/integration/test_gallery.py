"""docs/gallery.md shows what its commands draw, and all that tools draw."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.shipped import REPOSITORY
from tests.helpers.tools import SCRIPTS, load

PAGE = (REPOSITORY / 'docs/gallery.md').read_text('utf-8')
#: What draws a picture in a tool or in what a tool calls.
DRAWS = re.compile(
    r'encode_png|enable_drawing|write_suggestions|predict_images'
)


def script():
    path = REPOSITORY / 'docs/site/gallery.py'
    spec = importlib.util.spec_from_file_location('gallery', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands() -> list[list[str]]:
    """Return the commands of the page with the variables put in."""
    variables, *blocks = script().BLOCK.findall(PAGE)
    values = dict(line.split('=') for line in variables.split())
    found = []
    for line in ''.join(blocks).replace('\\\n', ' ').splitlines():
        if line.startswith('python -m mmseg_sparse '):
            line = re.sub(r'\$\{?(\w+)\}?', lambda name: values[name[1]], line)
            found.append(shlex.split(line)[3:])
    return found


@pytest.mark.parametrize('argv', commands(), ids=lambda argv: argv[0])
def test_the_tools_take_the_commands(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / 'work_dirs/toy_hybrid'
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for word in argv[1:]:  # some tools look whether files are there
        path = Path(word.rpartition('=')[2])
        if len(path.parts) > 1 and path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif len(path.parts) > 1:
            path.mkdir(parents=True, exist_ok=True)
    tool = load(argv[0])
    monkeypatch.setattr(tool, 'check_checkpoint', lambda path: None, False)
    tool.parse_args(argv[1:])


def test_each_picture_is_there_and_small() -> None:
    _, drawn = script().blocks(PAGE)
    names = re.findall(r'!\[[^\]]+\]\((\S+)\)', PAGE)
    assert {f'images/gallery/{name}' for name in drawn} <= set(names)
    for name in names:
        with Image.open(REPOSITORY / 'docs' / name) as picture:
            picture.verify()
    folder = REPOSITORY / 'docs/images/gallery'
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert set(files) == set(drawn)
    assert sum(files.values()) < 1e6


def test_every_tool_that_draws_is_on_the_page() -> None:
    drawing = {
        name
        for name, path in SCRIPTS.items()
        if path.is_relative_to(REPOSITORY / 'tools')
        and DRAWS.search(path.read_text('utf-8'))
    }
    assert len(drawing) > 8
    missing = [name for name in drawing if f'`{name}' not in PAGE]
    assert missing == []


def test_a_picture_is_drawn_or_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = script()
    page = tmp_path / 'page.md'
    make = "from PIL import Image; Image.new('RGB', (30, 20)).save('x.png')"
    page.write_text(
        '```shell\nOUT=.\n```\n'
        f'```shell\n# a.png: $OUT/x.png\npython -c "{make}"\n```\n'
        '```shell\n# b.png: $OUT/x.png\necho no such run >&2; exit 3\n```\n'
    )
    for name, value in (
        ('PAGE', page), ('ROOT', tmp_path), ('PICTURES', tmp_path / 'out'),
    ):  # fmt: skip
        monkeypatch.setattr(gallery, name, value)
    assert gallery.main(['a.png']) == 0
    assert Image.open(tmp_path / 'out/a.png').size == (30, 20)
    assert gallery.main([]) == 1
    assert not (tmp_path / 'out/b.png').exists()
    assert gallery.main(['c.png']) == 2
