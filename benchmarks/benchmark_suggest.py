"""Measure whether suggested images teach more than images drawn at random.

Annotation is simulated with a data set all of whose training images have
labels. At first --share of the images is labelled, drawn at random. Then in
each of --rounds as many more are, chosen by a strategy that sees the model of
the round before:
  random     a draw
  suggest    the ranking of the tool suggest
  score      its scores alone: copies of one scene may be chosen together
  entropy    the mean entropy of all pixels alone
  diversity  its choice of different images, all of which are worth the same
A model is trained from the same start on the labels of all images chosen so
far, and measured on the validation set. Seeds vary the first draw and those
at random. The first round is one of all strategies. --bound trains on the
labels of all images as well.

So that this takes minutes on a CPU, a logistic regression learns, on the last
map of the backbone of CONFIG, which is made once an image. Labels and masks
are trained on and measured at half the size of the network's input; label
files are PNGs of class indices.

--group makes images that belong together, such as the slices of a patient,
one unit that is labelled together: share and rounds then count groups.

OUT gets a file for each training as it is done, and then suggest.json,
suggest.csv and suggest.png. Started again, it goes on.
"""

import argparse
import csv
import io
import json
import random
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

STRATEGIES = ('random', 'suggest', 'score', 'entropy', 'diversity')
METRIC = 'mIoU'
#: Labels have this part of the size of the network's input.
SHRINK = 2
#: Weight of the squared weights in the loss.
PENALTY = 1e-3
Point = dict[str, Any]
#: Strategy, seed and round.
Key = tuple[str, int, int]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config of model and data')
    parser.add_argument('out', type=Path, help='folder of the results')
    parser.add_argument(
        '--strategies', nargs='+', choices=STRATEGIES, metavar='STRATEGY',
        default=['suggest', 'random'],
        help='some of those above (default: suggest random)',
    )  # fmt: skip
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--rounds', type=int, default=4)
    parser.add_argument(
        '--share', type=float, default=0.05, help='of a round (default: 0.05)'
    )
    parser.add_argument(
        '--steps', type=int, default=100,
        help='of L-BFGS in a training (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--group', metavar='REGEX', help='what the names of a group share'
    )
    for split in ('train', 'val'):
        parser.add_argument(
            f'--{split}-every', type=int, default=1, metavar='N',
            help=f'use every Nth image of {split}',
        )  # fmt: skip
    parser.add_argument(
        '--bound', action='store_true', help='train on all images as well'
    )
    parser.add_argument(
        '--title', help='of the plot (default: name of the config)'
    )
    args = parser.parse_args(argv)
    for name in ('rounds', 'steps', 'train_every', 'val_every'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    if not 0 < args.share * (args.rounds + 1) <= 1:
        parser.error('--share times all rounds must lie in (0, 1]')
    return args


@dataclass(frozen=True, eq=False)
class Item:
    """What is kept of an image in memory; compared by identity.

    Attributes:
        name: Name of the image.
        path: Its label file.
        group: Its group.
        feature: Last map of the backbone, float16, ``(C, h, w)``.
        labels: Its labels, uint8, at 1 / SHRINK of the network's input.
    """

    name: str
    path: Path
    group: str
    feature: Any
    labels: Any

    @cached_property
    def scene(self) -> Any:
        """Mean of the map, float64, ``(C,)``."""
        return self.feature.double().mean((1, 2)).numpy()


class Classifier:
    """Multinomial logistic regression on the cells of a feature map.

    Args:
        images: Those whose features are standardised by their mean and
            standard deviation. Their labels are not looked at.
        num_classes: Number of classes.
    """

    def __init__(self, images: Sequence[Item], num_classes: int) -> None:
        """Find mean and standard deviation."""
        import torch

        means = [one.feature.double().mean((1, 2)) for one in images]
        squares = [(one.feature.double() ** 2).mean((1, 2)) for one in images]
        mean = torch.stack(means).mean(0)
        variance = torch.stack(squares).mean(0) - mean**2
        self.mean = mean.float()
        self.sd = variance.clamp(min=1e-8).sqrt().float()
        self.weight = torch.zeros(num_classes, len(mean))
        self.bias = torch.zeros(num_classes)

    def fit(self, images: Sequence[Item], steps: int) -> None:
        """Learn from the labels of images, from zero.

        The loss is the mean cross entropy of all labelled pixels, each of
        which has the logits of its cell, and PENALTY times the sum of the
        squared weights.
        """
        import torch

        pairs = [cells(one, len(self.weight)) for one in images]
        feature = torch.cat([feature for feature, _ in pairs])
        feature = (feature - self.mean) / self.sd
        target = torch.cat([counts for _, counts in pairs])
        target = target / target.sum()
        weight = torch.zeros_like(self.weight, requires_grad=True)
        bias = torch.zeros_like(self.bias, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [weight, bias], max_iter=steps, line_search_fn='strong_wolfe'
        )

        def closure() -> Any:
            optimizer.zero_grad()
            log_prob = (feature @ weight.t() + bias).log_softmax(1)
            loss = -(target * log_prob).sum() + PENALTY * (weight**2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        self.weight, self.bias = weight.detach(), bias.detach()

    def __call__(self, image: Item, size: Sequence[int]) -> Any:
        """Return the logits of an image at a size, ``(C, H, W)``."""
        from torch.nn.functional import interpolate

        channels, *grid = image.feature.shape
        flat = image.feature.float().view(channels, -1)
        weight = self.weight / self.sd
        bias = self.bias - weight @ self.mean
        logits = (weight @ flat + bias[:, None]).view(1, -1, *grid)
        return interpolate(logits, tuple(size), mode='bilinear')[0]


class Simulation:
    """Trainings on more and more labels, each of which is done once.

    Args:
        args: Of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        """Read the config and the maps of all images."""
        import torch
        from mmengine.config import Config
        from mmengine.registry import init_default_scope
        from mmseg.registry import MODELS

        self.args = args
        cfg = Config.fromfile(args.config)
        init_default_scope(cfg.get('default_scope') or 'mmseg')
        keys = ('rounds', 'share', 'steps', 'group', 'train_every',
                'val_every')  # fmt: skip
        self.settings = dict(
            config=Path(args.config).stem,
            **{key: getattr(args, key) for key in keys},
        )
        torch.manual_seed(0)  # of a backbone without weights
        model: Any = MODELS.build(cfg.model)
        model.init_weights()
        model.eval()
        self.classes = model.num_classes
        self.images = read(cfg, model, 'train', args.train_every, args.group)
        self.val = read(cfg, model, 'val', args.val_every)
        self.groups = sorted({one.group for one in self.images})
        self.number = max(1, round(args.share * len(self.groups)))
        self.model = Classifier(self.images, self.classes)
        self._fitted: set[str] = set()

    def run(self, seed: int) -> Iterable[Point]:
        """Yield each point of a seed, trained or read."""
        order = list(self.groups)
        random.Random(seed).shuffle(order)
        first = order[: self.number]
        yield self._point(('start', seed, 0), first, first)
        if self.args.bound and seed == self.args.seeds[0]:
            yield self._point(('all', seed, 0), order, order)
        for strategy in self.args.strategies:
            chosen = first
            for number in range(1, self.args.rounds + 1):
                key = (strategy, seed, number)
                more = self._next(key, chosen, order)
                chosen = [*chosen, *more]
                yield self._point(key, chosen, more)

    def _next(
        self, key: Key, chosen: list[str], order: list[str]
    ) -> list[str]:
        """Return the groups that a strategy labels next."""
        strategy = key[0]
        done = self._read(key)
        if done is not None:
            new: list[str] = done['new']
            return new
        if strategy == 'random':
            return order[len(chosen) : len(chosen) + self.number]
        self._fit(chosen)
        open_ = [one for one in self.images if one.group not in self._fitted]
        seen = [self._seen(one, strategy) for one in open_]
        groups = [one.group for one in open_]
        return rank(strategy, seen, groups, self.number, self.classes)

    def _seen(self, image: Item, strategy: str) -> Any:
        from mmseg_sparse.prediction.suggest import keep
        from mmseg_sparse.prediction.write import Picture

        height, width = image.labels.shape
        prob = self.model(image, (height // 2, width // 2)).softmax(0)
        return keep(
            Picture(image.name, image.path),
            [prob],
            image.scene,
            'entropy' if strategy == 'entropy' else 'margin',
        )

    def _fit(self, chosen: Sequence[str]) -> list[Item]:
        """Train on some groups, and return their images."""
        images = [one for one in self.images if one.group in set(chosen)]
        if self._fitted != set(chosen):
            self.model.fit(images, self.args.steps)
            self._fitted = set(chosen)
        return images

    def _point(
        self, key: Key, chosen: Sequence[str], new: Sequence[str]
    ) -> Point:
        from mmseg_sparse.benchmark.trainings import commit, machine
        from mmseg_sparse.utils.atomic import write_whole

        done = self._read(key)
        if done is not None:
            return done
        began = time.process_time()
        strategy, seed, number = key
        images = self._fit(chosen)
        point: Point = dict(
            strategy=strategy, seed=seed, round=number, images=len(images),
            groups=len(chosen), metrics=measure(self.model, self.val),
            pixels=count_labels(images, self.classes), new=list(new),
            cpu_seconds=round(time.process_time() - began, 1),
            commit=commit(), machine=machine(), settings=self.settings,
        )  # fmt: skip
        write_whole(self._file(key), json.dumps(point, indent=1).encode())
        return point

    def _read(self, key: Key) -> Point | None:
        path = self._file(key)
        if not path.is_file():
            return None
        point: Point = json.loads(path.read_text('utf-8'))
        if point['settings'] != self.settings:
            raise ValueError(
                f'{path}: expected a training with {self.settings}, got one '
                f'with {point["settings"]}: choose another OUT'
            )
        return point

    def _file(self, key: Key) -> Path:
        strategy, seed, number = key
        return Path(self.args.out, f'seed{seed}_{strategy}_round{number}.json')


def read(
    cfg: Any, model: Any, split: str, every: int, group: str | None = None
) -> list[Item]:
    """Run the backbone once on every ``every``-th image of a split."""
    import cv2
    import torch
    from mmcv.transforms import Compose
    from mmseg.registry import DATASETS

    from mmseg_sparse.labels.label_map import load_png_index
    from mmseg_sparse.prediction.suggest import group_of
    from mmseg_sparse.pseudo_labels.whole_images import (
        test_pipeline,
        to_batch,
        whole_image_pipeline,
    )

    config = cfg[f'{split}_dataloader'].dataset
    dataset = DATASETS.build({**config, 'pipeline': []})
    pipeline = Compose(whole_image_pipeline([], test_pipeline(cfg)))
    found = []
    for index in range(0, len(dataset), every):
        info = dataset.get_data_info(index)
        name = Path(info['img_path']).stem
        sample = pipeline(dict(img_path=info['img_path']))
        inputs, _ = to_batch(model, sample)
        with torch.no_grad():
            feature = model.backbone(inputs)[-1][0].half().cpu()
        path = Path(info['seg_map_path'])
        height, width = (side // SHRINK for side in inputs.shape[2:])
        labels = cv2.resize(
            load_png_index(path), (width, height),
            interpolation=cv2.INTER_NEAREST,
        )  # fmt: skip
        own = name if group is None else group_of(name, group)
        found.append(Item(name, path, own, feature, labels))
    return found


@cache
def cells(image: Item, num_classes: int) -> tuple[Any, Any]:
    """Return the labelled cells of a feature map.

    Returns:
        Features ``(cells, channels)`` and numbers of labelled pixels
        ``(cells, num_classes)``, both float32.
    """
    import numpy as np
    import torch

    channels, height, width = image.feature.shape
    y, x = np.nonzero(image.labels < num_classes)
    rows, columns = image.labels.shape
    cell = (y * height // rows) * width + x * width // columns
    pairs = cell * num_classes + image.labels[y, x]
    counts = np.bincount(pairs, minlength=height * width * num_classes)
    counts = counts.reshape(-1, num_classes)
    known = torch.from_numpy(counts.any(1))
    flat = image.feature.view(channels, -1).t()
    return flat[known].float(), torch.from_numpy(counts)[known].float()


def measure(model: Classifier, images: Sequence[Item]) -> dict[str, float]:
    """Return mIoU and the IoU of each class, percent, over all pixels."""
    import numpy as np

    number = len(model.weight)
    counts = np.zeros(number * number, np.int64)
    for one in images:
        found = model(one, one.labels.shape).argmax(0).numpy()
        known = one.labels < number
        pairs = number * one.labels[known].astype(np.int64) + found[known]
        counts += np.bincount(pairs, minlength=len(counts))
    table = counts.reshape(number, number)
    both = table.diagonal()
    union = np.maximum(table.sum(0) + table.sum(1) - both, 1)
    iou = 100 * both / union
    own = {f'IoU/{c}': round(float(v), 2) for c, v in enumerate(iou)}
    return {METRIC: float(iou.mean()), **own}


def rank(
    strategy: str,
    seen: Sequence[Any],
    groups: Sequence[str],
    number: int,
    num_classes: int,
) -> list[str]:
    """Return the groups of images that a strategy chooses, best first.

    Args:
        strategy: One of :data:`STRATEGIES` but ``'random'``.
        seen: What ``suggest`` keeps of the prediction of each image without
            labels.
        groups: The group of each.
        number: Groups to choose.
        num_classes: Number of classes.
    """
    import numpy as np

    from mmseg_sparse.prediction.suggest import choose_groups, score_images

    if strategy == 'entropy':
        scores = [float(one.uncertainty.mean()) for one in seen]
    elif strategy == 'diversity':
        scores = [1.0] * len(seen)
    else:
        scores = [one.score for one in score_images(seen, num_classes)]
    features = np.stack([one.feature for one in seen])
    if strategy in ('entropy', 'score'):  # equal features differ fully
        features = np.zeros_like(features)
    chosen = choose_groups(scores, features, number, groups)
    return [groups[row[0]] for row in chosen]


def count_labels(images: Sequence[Item], num_classes: int) -> list[int]:
    """Return the labelled pixels of each class that are trained on."""
    import numpy as np

    counts = np.zeros(256, np.int64)
    for one in images:
        counts += np.bincount(one.labels.ravel(), minlength=256)
    return [int(n) for n in counts[:num_classes]]


def curves(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return mean and sd over the seeds, by strategy and round.

    The first round is one of every strategy. ``gain`` is the difference to
    random of the same seed and round: seeds differ by the first draw, which
    all strategies have in common.
    """
    names = dict.fromkeys(p['strategy'] for p in points)
    strategies = [name for name in names if name not in ('start', 'all')]
    found: dict[tuple[str, int], dict[int, Point]] = {}
    for point in points:
        own = [point['strategy']]
        if own == ['start']:
            own = strategies or own
        for name in own:
            row = found.setdefault((name, point['round']), {})
            row[point['seed']] = point
    rows = []
    for (strategy, number), by_seed in found.items():
        values = {s: p['metrics'][METRIC] for s, p in by_seed.items()}
        mean, sd = _mean_and_sd(list(values.values()))
        row = dict(strategy=strategy, round=number, seeds=len(values),
                   images=statistics.mean(
                       p['images'] for p in by_seed.values()
                   ), mean=mean, sd=sd, gain=None, gain_sd=None)  # fmt: skip
        drawn = found.get(('random', number), {})
        if strategy not in ('random', 'all') and drawn.keys() >= values.keys():
            row['gain'], row['gain_sd'] = _mean_and_sd(
                [v - drawn[s]['metrics'][METRIC] for s, v in values.items()]
            )
        rows.append(row)
    return sorted(rows, key=lambda row: (row['strategy'], row['round']))


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.mean(values), sd


def write_results(points: Sequence[Point], title: str, out: Path) -> None:
    """Write the table, the points and the plot."""
    from mmseg_sparse.utils.atomic import write_whole

    rows = curves(points)
    common = points[0]['settings']
    content = dict(title=title, settings=common, curves=rows, points=[
        {k: v for k, v in point.items() if k != 'settings'}
        for point in points
    ])  # fmt: skip
    write_whole(out / 'suggest.json', _lines(content).encode())
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    write_whole(out / 'suggest.csv', text.getvalue().encode())
    write_whole(out / 'suggest.png', draw(rows, title))


def _lines(content: Mapping[str, Any]) -> str:
    """Return JSON with a line for each entry of a list."""
    parts = []
    for key, value in content.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = '[\n' + ',\n'.join(map(json.dumps, value)) + '\n]'
        parts.append(f'{json.dumps(key)}: {text}')
    return '{\n' + ',\n'.join(parts) + '\n}\n'


def draw(rows: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Return a PNG of mean and sd over the number of labelled images."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=130, layout='constrained')
    axes = figure.add_subplot()
    widest = max(row['images'] for row in rows if row['strategy'] != 'all')
    for place, strategy in enumerate(
        dict.fromkeys(row['strategy'] for row in rows)
    ):
        own = [row for row in rows if row['strategy'] == strategy]
        if strategy == 'all':
            label = f'all {own[0]["images"]:.0f} images'
            axes.axhline(own[0]['mean'], color='grey', ls='--', label=label)
            continue
        aside = 0.006 * widest * place  # so that bars do not hide each other
        axes.errorbar(
            [row['images'] + aside for row in own],
            [row['mean'] for row in own], yerr=[row['sd'] for row in own],
            marker='o', ms=4, capsize=3, label=strategy,
        )  # fmt: skip
    seeds = max(row['seeds'] for row in rows)
    axes.set_xlabel('labelled images')
    axes.set_ylabel(f'{METRIC} (%), mean and sd of {seeds} seeds')
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right', fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format='png')
    return file.getvalue()


def main(argv: Sequence[str] | None = None) -> None:
    """Simulate, and report each point."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401  (registers)
    from mmseg_sparse.engine import console

    console.route_warnings()
    points: list[Point] = []
    title = args.title or Path(args.config).stem
    try:
        simulation = Simulation(args)
        for seed in args.seeds:
            for point in simulation.run(seed):
                points.append(point)
                print(
                    f'seed {seed} {point["strategy"]} round '
                    f'{point["round"]}: {point["images"]} images, {METRIC} '
                    f'{point["metrics"][METRIC]:.2f}',
                    flush=True,
                )
            write_results(points, title, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
