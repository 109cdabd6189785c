import itertools

import pytest
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

from mmseg_sparse.datasets import samplers

KINDS = ['tag', 'dense', 'tag', 'scribble', 'dense', 'tag', 'tag', 'dense']
STRONG = {1, 4, 7}


class Labelled:
    """A dataset that knows no more than the kinds of labels."""

    metainfo = {}

    def __init__(self, kinds=KINDS):
        self.kinds = kinds

    def __len__(self):
        return len(self.kinds)

    def get_data_info(self, index):
        return {'supervision': self.kinds[index]}

    def __getitem__(self, index):
        return index


def build(**arguments):
    return DATA_SAMPLERS.build(
        dict(type='StrongWeakSampler', **arguments),
        default_args=dict(dataset=Labelled(), seed=arguments.pop('seed', 3)),
    )


def first(sampler, count):
    return list(itertools.islice(sampler, count))


def test_each_batch_has_the_ratio_and_each_kind_its_turns():
    sampler = build(strong=1, weak=2)
    loader = DataLoader(Labelled(), batch_size=6, sampler=sampler)
    batches = [b.tolist() for b in itertools.islice(loader, 15)]
    for batch in batches:
        assert sum(i in STRONG for i in batch) == 2
    taken = list(itertools.chain(*batches))
    strong = [i for i in taken if i in STRONG]
    weak = [i for i in taken if i not in STRONG]
    for start in range(0, len(strong), 3):
        assert set(strong[start : start + 3]) == STRONG
    for start in range(0, len(weak), 5):
        assert set(weak[start : start + 5]) == {0, 2, 3, 5, 6}
    # random, not the same order each time
    turns = {tuple(strong[i : i + 3]) for i in range(0, 30, 3)}
    assert len(turns) > 1


def test_seed_and_order():
    assert first(build(seed=3), 40) == first(build(seed=3), 40)
    assert first(build(seed=3), 40) != first(build(seed=4), 40)
    plain = build(strong=2, weak=1, shuffle=False)
    assert first(plain, 12) == [1, 4, 0, 7, 1, 2, 4, 7, 3, 1, 4, 5]
    assert len(plain) == 8


def test_processes_take_turns_by_groups(monkeypatch):
    whole = first(build(strong=1, weak=2), 36)
    groups = [whole[i : i + 3] for i in range(0, 36, 3)]
    parts = []
    for rank in range(2):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda r=rank: (r, 2))
        parts.append(first(build(strong=1, weak=2), 18))
    for rank, part in enumerate(parts):
        assert part == list(itertools.chain(*groups[rank::2]))


def test_other_kinds_can_be_strong():
    sampler = samplers.StrongWeakSampler(
        Labelled(), strong_supervisions=('dense', 'scribble'), seed=0
    )
    assert sampler.strong == [1, 3, 4, 7]


@pytest.mark.parametrize(
    ('kinds', 'arguments', 'error', 'words'),
    [
        (KINDS, dict(strong=0), ValueError, 'strong must be positive, got 0'),
        (KINDS, dict(weak=-1), ValueError, 'weak must be positive, got -1'),
        (KINDS, dict(strong_supervisions=('mask',)), ValueError,
         r"some of .* got \('mask',\)"),
        (KINDS, dict(strong_supervisions='dense'), ValueError, "got 'dense'"),
        (['tag'] * 3, {}, ValueError, 'no strong image among 3: .* has tag'),
        (['dense'], {}, ValueError, 'no weak image among 1'),
    ],
)  # fmt: skip
def test_errors(kinds, arguments, error, words):
    with pytest.raises(error, match=words):
        samplers.StrongWeakSampler(Labelled(kinds), seed=0, **arguments)


def test_items_without_supervision_are_named():
    class Stock(Labelled):
        def get_data_info(self, index):
            return {}

    with pytest.raises(KeyError, match='item 0 of Stock has no supervision'):
        samplers.StrongWeakSampler(Stock(), seed=0)


def test_pseudo_labels_are_weak():
    kinds = ['pseudo', 'dense', 'pseudo']
    sampler = build(dataset=Labelled(kinds))
    assert (sampler.strong, sampler.weak) == ([1], [0, 2])
