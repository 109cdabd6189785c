"""When a regularizer counts, and how much."""

import pytest
import torch

from mmseg_sparse.models.progress import WeightSchedule
from tests.helpers import stock
from tests.helpers.sparse import AFFINITY, config

NAME = 'decode.loss_affinity'


@pytest.mark.parametrize(
    ('options', 'wanted'),
    [
        (dict(), [1, 1, 1, 1, 1, 1, 1]),
        (dict(begin=2), [0, 0, 1, 1, 1, 1, 1]),
        (dict(ramp=4), [0.25, 0.5, 0.75, 1, 1, 1, 1]),
        (dict(begin=2, ramp=2), [0, 0, 0.5, 1, 1, 1, 1]),
        # From 1 to 0.5 within two iterations, to 2 within one; then it stays.
        (
            dict(points=((1, 1.0), (3, 0.5), (4, 2.0))),
            [1, 1, 0.75, 0.5, 2, 2, 2],
        ),
        (dict(begin=1, ramp=2, points=((0, 3.0),)), [0, 1.5, 3, 3, 3, 3, 3]),
    ],
)
def test_factor_of_each_iteration(options, wanted):
    schedule = WeightSchedule(**options)
    assert [schedule.factor(i) for i in range(7)] == pytest.approx(wanted)


def test_scales_the_losses_alone(hub):
    images, samples = stock.batch()
    plain = stock.build(config([AFFINITY])).loss(images, samples)
    model = stock.build(
        config(
            [
                dict(
                    AFFINITY, begin=3, loss_weight_schedule=[(0, 1), (8, 0.2)]
                ),
                dict(type='KeepingRegularizer', ramp=8),
            ]
        )
    )
    for iteration, factor in ((2, 0.0), (3, 0.7), (8, 0.2)):
        hub.update_info('iter', iteration)
        losses = model.loss(images, samples)
        wanted = factor * plain[NAME].item()
        assert losses[NAME].item() == pytest.approx(wanted, rel=1e-5)
        kept = model.regularizers[1].logits.mean()
        assert torch.equal(losses['decode.kept'], kept)  # no loss: as it is
    assert plain.keys() | {'decode.kept'} == losses.keys()


def test_waits_without_running_but_in_the_graph(hub, monkeypatch):
    cfg = config([dict(type='DFRLoss', in_channels=16, begin=1)])
    cfg.decode_head.channels = 16
    model = stock.build(cfg)
    (loss,) = model.regularizers
    monkeypatch.setattr(type(loss), 'forward', None)
    losses = model.loss(*stock.batch())
    assert losses['decode.loss_dfr'].item() == 0
    model.parse_losses(losses)[0].backward()
    assert all(not part.grad.any() for part in loss.parameters())


def test_arguments_that_a_regularizer_has_itself_are_its_own():
    class Own:
        def __init__(self, begin, ramp=3):
            """Both mean something else here."""

    cfg = dict(begin=7, ramp=2, loss_weight_schedule=[(0, 0.5)])
    schedule = WeightSchedule.take(cfg, Own)
    assert cfg == dict(begin=7, ramp=2)
    assert schedule == WeightSchedule(points=((0, 0.5),))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(begin=-1), 'begin must be .* got -1'),
        (dict(ramp=2.5), 'ramp must be .* got 2.5'),
        (dict(loss_weight_schedule=[(3, 1.0), (3, 0.5)]), 'rising order'),
        (dict(loss_weight_schedule=[(0, -1.0)]), 'neither negative'),
    ],
)
def test_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        stock.build(config([dict(AFFINITY, **options)]))
