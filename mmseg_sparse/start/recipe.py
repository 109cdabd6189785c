"""Method, sizes and schedule for the labels that there are."""

from collections.abc import Collection
from dataclasses import dataclass, replace

#: Iterations of the shortest and the longest schedule.
SHORTEST, LONGEST = 100, 40000
#: Multiples of this fit the strides of the backbone.
STRIDE = 32


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        method: ``'ce'``, ``'sasformer'``, ``'afa'`` or ``'trl'``.
        loss_weight: Weight of SASFormer's loss.
        reason: Why this method, for reading.
        scale: Length to which the longer side of images is resized.
        crop: Size of the crops, ``(height, width)``.
        batch: Images an iteration.
        iters: Iterations.
        validations: How often to validate on the way.
    """

    method: str
    loss_weight: float
    reason: str
    scale: int = 0
    crop: tuple[int, int] = (0, 0)
    batch: int = 8
    iters: int = 1000
    validations: int = 4

    @property
    def val_interval(self) -> int:
        """Iterations between validations; the last one ends the training."""
        return max(1, self.iters // self.validations)


def method_for(kinds: Collection[str]) -> Recipe:
    """Return the method for kinds of labels.

    The choice follows the results in ``configs/*/README.md``.

    Args:
        kinds: Kinds of labels of the training images.
    """
    kinds = set(kinds)
    if kinds == {'tag'}:
        return Recipe('afa', 0.0, 'image tags: AFA learns from tags alone')
    sparse = kinds - {'dense', 'pseudo', 'tag'}
    if kinds == {'dense', 'tag'}:
        return Recipe(
            'trl', 0.0,
            'masks of some images, tags of others: TRL, mIoU 82.7 on the toy '
            'shapes, where cross entropy on the masks alone has 74.8',
        )  # fmt: skip
    if not sparse:
        return Recipe('ce', 0.0, 'dense masks: cross entropy')
    if sparse == {'point'}:
        return Recipe(
            'sasformer', 0.2,
            'points: SASFormer, mIoU 41.9 on points of CamVid, where cross '
            'entropy has 40.2 and DFR 38.0',
        )  # fmt: skip
    reason = (
        'scribbles: SASFormer, mIoU 72.9 on scribbles of ACDC, where cross '
        'entropy has 44.1'
    )
    if 'scribble' not in sparse:
        reason = 'blocks: SASFormer, as for scribbles (not measured on blocks)'
    return Recipe('sasformer', 1.2, reason)


def with_sizes(
    recipe: Recipe,
    size: tuple[int, int],
    *,
    on_cpu: bool,
    scale: int | None = None,
    crop: int | None = None,
) -> Recipe:
    """Add the size of images and of crops.

    Args:
        recipe: The method.
        size: Median ``(width, height)`` of the images.
        on_cpu: Whether a CPU trains: crops are at most 256 instead of 512
            pixels, and images at most 512 instead of 1024.
        scale: Longer side of the resized images; None: by the size.
        crop: Side of the crops; None: by the size.
    """
    longest, largest = (512, 256) if on_cpu else (1024, 512)
    scale = scale or min(max(size), longest)
    width, height = (max(1, round(n * scale / max(size))) for n in size)
    if crop is not None:
        return replace(recipe, scale=scale, crop=(crop, crop))
    if recipe.method in ('afa', 'trl'):
        # Tags are those of the whole image, so crops are nearly whole.
        scale = min(scale, largest)
        width, height = (round(n * scale / max(size)) for n in size)
        step = 8 if recipe.method == 'afa' else STRIDE
        sides = tuple(max(STRIDE, n // step * step) for n in (height, width))
        return replace(recipe, scale=scale, crop=(sides[0], sides[1]))
    side = int(0.9 * min(width, height)) // STRIDE * STRIDE
    side = min(largest, max(side, 2 * STRIDE))
    return replace(recipe, scale=scale, crop=(side, side))


def with_schedule(
    recipe: Recipe,
    *,
    images: int,
    second: float,
    validation: float,
    minutes: float,
    iters: int | None = None,
) -> Recipe:
    """Add the number of iterations that fits a time.

    It is at most 100 epochs, and between 100 and 40000 iterations.

    Args:
        recipe: Method and sizes.
        images: Number of training images.
        second: Duration of one iteration.
        validation: Duration of one validation, in seconds.
        minutes: Time for the training.
        iters: Number of iterations, in place of all this.
    """
    wanted = 60 * minutes
    validations = 4 if 4 * validation < 0.3 * wanted else 1
    if iters is None:
        left = max(wanted - validations * validation, 0.5 * wanted)
        most = 100 * max(1, images // recipe.batch)
        fits = min(int(left / second), max(most, 1000), LONGEST)
        step = 100 if fits < 5000 else 1000
        iters = max(SHORTEST, fits // step * step)
    return replace(recipe, iters=iters, validations=validations)


def duration(recipe: Recipe, second: float, validation: float) -> str:
    """Return how long a training takes, for reading."""
    total = recipe.iters * second + recipe.validations * validation
    if total < 90:
        return f'{total:.0f} seconds'
    if total < 5400:
        return f'{total / 60:.0f} minutes'
    return f'{total / 3600:.1f} hours'
