"""Which images have masks: seeded, nested, written as datasets read it."""

import itertools
import runpy
import sys
from pathlib import Path

import pytest

from mmseg_sparse.labels.hybrid_split import (
    choose_strong,
    hybrid_list,
    read_entries,
    read_names,
)
from mmseg_sparse.labels.image_list import parse_list
from tests.helpers.own_data import build, make

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
TOOL = TOOLS / 'dataset_converters' / 'make_hybrid_split.py'
NAMES = [f'2007_{number:06d}' for number in range(50)]


def test_the_choice_never_changes() -> None:
    """Splits are part of results: the same for ever, whatever numpy does."""
    assert choose_strong(NAMES, share=1 / 16) == [
        '2007_000002', '2007_000013', '2007_000047',
    ]  # fmt: skip
    assert choose_strong(NAMES[::-1], share=1 / 16, seed=0) == [
        '2007_000047', '2007_000013', '2007_000002',
    ]  # fmt: skip


def test_smaller_shares_lie_in_larger_ones() -> None:
    sets = [
        set(choose_strong(NAMES, share=share, seed=4))
        for share in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
    ]
    assert [len(found) for found in sets] == [3, 6, 12, 25, 50]
    assert all(a < b for a, b in itertools.pairwise(sets))
    assert sets[1] != set(choose_strong(NAMES, share=1 / 8, seed=5))


def test_every_image_has_the_same_chance() -> None:
    counts = dict.fromkeys(NAMES, 0)
    for seed in range(400):
        for name in choose_strong(NAMES, share=0.2, seed=seed):
            counts[name] += 1
    # binomial: 80, standard deviation 8
    assert all(80 - 40 < count < 80 + 40 for count in counts.values())


def test_a_group_is_chosen_whole() -> None:
    """Tiles of one frame: all of them, or none; shares are nested."""
    frames = [f'0001TP_00{number}' for number in range(6690, 7290, 30)]
    tiles = [f'{f}_{top}_{left}' for f in frames for top in (0, 120)
             for left in (0, 160, 320)]  # fmt: skip
    by_frame = '(.+)_[0-9]+_[0-9]+$'
    smaller: set[str] = set()
    for share in (1 / 8, 1 / 4, 1 / 2):
        chosen = choose_strong(tiles, share=share, group=by_frame)
        whole = set(choose_strong(frames, share=share))
        assert chosen == [t for t in tiles if t.rsplit('_', 2)[0] in whole]
        assert len(chosen) == 6 * round(share * 20)
        assert smaller < set(chosen)
        smaller = set(chosen)
    # without parentheses, the whole match is the group
    whole_match = choose_strong(tiles, share=1 / 2, group='^[^_]+_[^_]+')
    assert set(whole_match) == smaller


def test_lists_are_read_as_they_were_meant() -> None:
    names = ['b/2', 'a 1', '#3', 'c']
    text = hybrid_list(names, ['a 1', 'c'], weak='pseudo')
    entries = parse_list(
        text.encode(), 'list', default='point', img_suffix='.jpg'
    )
    assert [(e.name, e.supervision) for e in entries] == [
        ('b/2', 'pseudo'), ('a 1', 'dense'), ('#3', 'pseudo'), ('c', 'dense'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (
            lambda: choose_strong([], share=0.5),
            'expected names of images, got',
        ),
        (lambda: choose_strong(NAMES, share=0), r'\(0, 1\], got 0'),
        (lambda: choose_strong(NAMES, share=1.5), r'\(0, 1\], got 1.5'),
        (
            lambda: choose_strong(NAMES, share=0.5, group='_9(.)'),
            r"finds a group in every name, got '_9\(\.\)', .* '2007_000000'",
        ),
        (
            lambda: choose_strong(NAMES, share=0.5, group='(a'),
            'expected a regular expression',
        ),
        (lambda: hybrid_list(NAMES, ['x']), "'x' is not among the 50"),
        (lambda: hybrid_list(NAMES, NAMES), 'got 50 strong ones of 50'),
        (lambda: hybrid_list(NAMES, []), 'got 0 strong ones'),
        (
            lambda: hybrid_list(['a', 'b"'], ['a']),
            'a name without quotes, got b',
        ),
        (lambda: hybrid_list(NAMES, NAMES[:1], weak='dense'), "got 'dense'"),
    ],
)
def test_wrong_input(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def run(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['make_hybrid_split.py',
                                      *map(str, arguments)])  # fmt: skip
    monkeypatch.setattr(sys, 'path', [*sys.path])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_tool_writes_a_list_for_the_dataset(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = make(tmp_path)
    out = root / 'hybrid.txt'
    (root / 'candidates.txt').write_text('a\n')
    candidates = ('--strong-from', root / 'candidates.txt')
    run(monkeypatch, root / 'images', out, *candidates)
    assert '1 strong images, 3 with tag labels' in capsys.readouterr().out
    before = out.read_bytes()
    with pytest.raises(SystemExit, match='is there already'):
        run(monkeypatch, root / 'images', out, '--share', '1/2')
    assert out.read_bytes() == before
    run(monkeypatch, root / 'images', out, '--share', '1/2', '--overwrite')
    assert '2 strong images' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='is neither a file nor a folder'):
        run(monkeypatch, root / 'none', out, '--overwrite')
    with pytest.raises(SystemExit, match="which finds none in 'a'"):
        run(monkeypatch, root / 'images', out, '--group', '[b-d]',
            '--overwrite')  # fmt: skip
    strong = build(
        root, ann_file='hybrid.txt', filter_cfg=dict(supervision='dense'),
        tag_file=str(write_tags(root)), data_prefix=dict(
            img_path='images', dense='images'),
        seg_map_suffix='.jpg',
    )  # fmt: skip
    names = [strong.get_data_info(i)['img_path'] for i in range(len(strong))]
    wanted = choose_strong(['a', 'b', 'c', 'd'], share=0.5)
    assert [Path(name).stem for name in names] == wanted


def write_tags(root: Path) -> Path:
    import numpy as np

    path = root / 'tags.npy'
    tags = {name: np.array([1, 0], np.float32) for name in 'abcd'}
    np.save(path, np.array(tags, dtype=object), allow_pickle=True)
    return path


def test_names_of_folders_and_sidecars(tmp_path: Path) -> None:
    root = make(tmp_path)
    assert read_names(root / 'images') == ['a', 'b', 'c', 'd']
    assert read_names(root / 'train.txt') == ['a', 'b', 'c', 'd']
    with pytest.raises(FileNotFoundError, match='neither a file nor'):
        read_names(root / 'none.txt')
    with pytest.raises(ValueError, match=r'no images \(suffix \.bmp\)'):
        read_names(root / 'images', img_suffix='.bmp')


def test_tags_of_sidecars_are_kept(tmp_path: Path) -> None:
    import numpy as np

    from mmseg_sparse.labels.label_folder import label_file, write_label_folder

    labels = np.zeros((2, 3), np.uint8)
    files = [
        label_file(name, labels, [[0, 0, 0]], supervision=kind, size=(3, 2),
                   tags=tags)
        for name, kind, tags in (('a', 'tag', ['cat']), ('b', 'dense', []))
    ]  # fmt: skip
    meta = dict(tool='test', format='test', classes=['cat', 'dog'])
    write_label_folder(tmp_path / 'out', files, meta)
    found = read_entries(tmp_path / 'out/labels.json')
    assert [(e.name, e.supervision, e.tags) for e in found] == [
        ('a', 'tag', ('cat',)),
        ('b', 'dense', None),
    ]
