"""benchmark_suggest: rounds of labelling, each training done once."""

import csv
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from tests.helpers import tiny
from tests.helpers.tools import call, load

STRATEGIES = ('suggest', 'random', 'score', 'entropy', 'diversity')


def item(labels: np.ndarray, feature: torch.Tensor):
    benchmark = load('benchmark_suggest')
    return benchmark.Item('a', Path('a.png'), 'a', feature.half(), labels)


def test_cells_count_the_labelled_pixels_of_each_class() -> None:
    benchmark = load('benchmark_suggest')
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 255], (13, 22), p=[0.05, 0.05, 0.05, 0.85])
    labels[:5, :7] = 255  # a cell without any
    feature = torch.randn(5, 3, 4)
    found = benchmark.cells(item(labels.astype(np.uint8), feature), 3)
    rows = []
    for y in range(3):
        for x in range(4):
            counts = [0.0] * 3
            for v in range(13):
                for u in range(22):
                    inside = v * 3 // 13 == y and u * 4 // 22 == x
                    if inside and labels[v, u] < 3:
                        counts[labels[v, u]] += 1
            if any(counts):
                rows.append((feature[:, y, x].half().float(), counts))
    assert len(rows) < 12
    torch.testing.assert_close(found[0], torch.stack([r[0] for r in rows]))
    torch.testing.assert_close(found[1], torch.tensor([r[1] for r in rows]))


def test_classifier_minimises_its_loss() -> None:
    benchmark = load('benchmark_suggest')
    torch.manual_seed(0)
    labels = np.random.default_rng(1).choice([0, 1, 255], (12, 16))
    image = item(labels.astype(np.uint8), 3 + 2 * torch.randn(4, 6, 8))
    model = benchmark.Classifier([image], 2)
    model.fit([image], 200)
    feature, counts = (part.double() for part in benchmark.cells(image, 2))
    flat = image.feature.double().reshape(4, -1)
    mean, sd = flat.mean(1), flat.std(1, correction=0)
    weight = model.weight.double().requires_grad_()
    bias = model.bias.double().requires_grad_()
    logits = (feature - mean) / sd @ weight.t() + bias
    loss = -(counts * logits.log_softmax(1)).sum() / counts.sum()
    (loss + benchmark.PENALTY * (weight**2).sum()).backward()
    assert weight.grad is not None
    assert weight.grad.abs().max() < 1e-4
    scaled = (flat.t() - mean) / sd @ model.weight.double().t()
    expected = (scaled + model.bias).t().reshape(2, 6, 8)
    torch.testing.assert_close(
        model(image, (6, 8)).double(), expected, rtol=1e-4, atol=1e-4
    )
    model.bias = torch.tensor([9e3, 0.0])  # all of class 0
    share = (labels == 0).sum() / (labels < 2).sum()
    found = benchmark.measure(model, [image])
    assert found['mIoU'] == pytest.approx(50 * share)


def test_rounds_are_labelled_once_and_reported(tmp_path: Path) -> None:
    tiny.write_images(tmp_path)
    config = tmp_path / 'my.py'
    Config(tiny.config(tmp_path)).dump(config)
    out = tmp_path / 'out'

    def run(*more: object, check: bool = True):
        return call('benchmark_suggest', config, out, '--rounds', 2,
                    '--share', 0.15, '--seeds', 3, 4, '--steps', 5, *more,
                    cwd=tmp_path, check=check)  # fmt: skip

    run('--strategies', *STRATEGIES, '--bound')
    points = json.loads((out / 'suggest.json').read_text())['points']
    assert len(points) == 1 + 2 * (1 + 2 * len(STRATEGIES))
    for seed in (3, 4):
        chosen = {
            (p['strategy'], p['round']): p for p in points if p['seed'] == seed
        }
        for strategy in STRATEGIES:
            rounds = [
                chosen['start', 0],
                *(chosen[strategy, r] for r in (1, 2)),
            ]
            assert [p['images'] for p in rounds] == [1, 2, 3]
            assert len({name for p in rounds for name in p['new']}) == 3
            pixels = [sum(p['pixels']) for p in rounds]
            assert pixels == sorted(set(pixels))
    (whole,) = (p for p in points if p['strategy'] == 'all')
    assert whole['images'] == tiny.TRAIN_IMAGES
    with open(out / 'suggest.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    values = [p['metrics']['mIoU'] for p in points
              if (p['strategy'], p['round']) == ('entropy', 2)]  # fmt: skip
    (row,) = (r for r in rows if r['strategy'] == 'entropy' and
              r['round'] == '2')  # fmt: skip
    assert float(row['mean']) == pytest.approx(statistics.mean(values))
    assert float(row['sd']) == pytest.approx(statistics.stdev(values))
    drawn = [p['metrics']['mIoU'] for p in points
             if (p['strategy'], p['round']) == ('random', 2)]  # fmt: skip
    gains = [a - b for a, b in zip(values, drawn, strict=True)]
    assert float(row['gain']) == pytest.approx(statistics.mean(gains))
    assert float(row['gain_sd']) == pytest.approx(statistics.stdev(gains))
    with Image.open(out / 'suggest.png') as plot:
        assert plot.width > 500

    kept = out / 'seed4_random_round2.json'
    lost = out / 'seed3_suggest_round2.json'
    before, time = json.loads(lost.read_text()), kept.stat().st_mtime_ns
    lost.unlink()
    run()
    again = json.loads(lost.read_text())
    assert again['new'] == before['new']
    assert again['metrics'] == before['metrics']
    assert kept.stat().st_mtime_ns == time
    failed = run('--group', '[0-9]', check=False)
    assert 'choose another OUT' in failed.stderr
