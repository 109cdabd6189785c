"""From a trained model to an ONNX file, checked against PyTorch."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..utils.untrusted import one_line
from .export import stock_checkpoint, stock_config

#: Largest difference of logits between ONNX and PyTorch, in float32.
TOLERANCE = 1e-4
#: Sides of images are multiples of it, so that every stride divides them.
DIVISOR = 32
#: What may vary in a file, the most first.
LEVELS = ('batch and size', 'batch', 'nothing')


class Network(nn.Module):
    """A stock segmentor as a function of images alone.

    Args:
        model: The segmentor.
        preprocessing: Whether images come as RGB values of 0 to 255, which
            are normalised here; otherwise they come normalised.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, preprocessing: bool) -> None:
        super().__init__()
        self.model = model
        self.preprocessing = preprocessing
        mean, std = normalization(model)
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1))
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1))
        # RGB comes in; a model that does not swap BGR was trained on BGR.
        self.swap = not model.data_preprocessor.channel_conversion

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(N, C, H, W)`` of images ``(N, 3, H, W)``."""
        if self.preprocessing:
            image = image.flip(1) if self.swap else image
            image = (image - self.mean) / self.std
        size = image.shape[2:]
        meta = dict(img_shape=size, ori_shape=size, pad_shape=size)
        logits: Tensor = self.model.encode_decode(image, [meta])
        return logits


def normalization(model: Any) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of the input, channel by channel."""
    preprocessor = model.data_preprocessor
    if not getattr(preprocessor, '_enable_normalize', False):
        return [0.0] * 3, [1.0] * 3
    return (
        preprocessor.mean.flatten().tolist(),
        preprocessor.std.flatten().tolist(),
    )


@dataclass(frozen=True)
class Exported:
    """An ONNX file.

    Attributes:
        content: The file.
        varies: What may vary, one of :data:`LEVELS`.
        difference: Largest difference of logits from PyTorch.
        notes: Why more may not vary.
        script: A Python script that uses the file.
    """

    content: bytes
    varies: str
    difference: float
    notes: Sequence[str]
    script: str


def export_onnx(
    cfg: Config,
    checkpoint: str,
    *,
    size: tuple[int, int] | None = None,
    preprocessing: bool = False,
) -> Exported:
    """Export the stock model of a training.

    The file takes ``image``, float32 ``(N, 3, H, W)`` in RGB, and gives
    ``logits``, ``(N, C, H, W)``. Where the model allows it, number and size
    of the images may vary; the size in multiples of 32 pixels.

    Args:
        cfg: Config of the training.
        checkpoint: Its checkpoint.
        size: ``(height, width)`` of the images; None: that of the training
            crops, or 512 x 512.
        preprocessing: Whether the file normalises the images, which are then
            RGB values of 0 to 255.

    Raises:
        ImportError: If onnx, onnxruntime or onnxscript is missing.
        ValueError: If the model cannot be exported, or the file differs from
            PyTorch by more than ``1e-4``.
    """
    network = Network(_stock_model(cfg, checkpoint), preprocessing).eval()
    if size is None:
        given = (cfg.model.get('data_preprocessor') or {}).get('size')
        height, width = given or (512, 512)
        size = (_rounded(height), _rounded(width))
    notes: list[str] = []
    for varies in LEVELS:
        reason = _fixed_size(network) if varies == LEVELS[0] else None
        if reason is None:
            try:
                content = _export(network, size, varies)
                difference = _compare(network, content, size, varies)
            except Exception as error:  # of the exporter or of onnxruntime
                if isinstance(error, ImportError):
                    raise
                reason = one_line(error)[:200]
        if reason is None:
            script = inference_script(network, size, varies)
            return Exported(content, varies, difference, notes, script)
        notes.append(f'{varies} cannot vary: {reason}')
    raise ValueError('the model cannot be exported: ' + '; '.join(notes))


def _rounded(length: int) -> int:
    return -(-length // DIVISOR) * DIVISOR


def _stock_model(cfg: Config, checkpoint: str) -> Any:
    """Build the stock segmentor with its trained weights."""
    stock, _ = stock_config(cfg)
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    weights = stock_checkpoint(cfg, stock, content)['state_dict']
    init_default_scope('mmseg')
    settings = stock.model
    settings.pop('pretrained', None)
    model = revert_sync_batchnorm(MODELS.build(settings))
    model.load_state_dict(weights)
    return model


def _fixed_size(network: nn.Module) -> str | None:
    """Return why the size of images cannot vary, where that is known."""
    for name, module in network.named_modules():
        if isinstance(module, nn.AdaptiveAvgPool2d) and (
            module.output_size not in (1, (1, 1))
        ):
            return f'{name} pools to a grid, whose cells depend on the size'
    return None


def _export(network: nn.Module, size: tuple[int, int], varies: str) -> bytes:
    """Return the ONNX file."""
    import onnx  # noqa: F401  a clear error before a long trace
    import onnxscript  # noqa: F401

    free = torch.export.Dim.DYNAMIC
    axes = {LEVELS[0]: (0, 2, 3), LEVELS[1]: (0,), LEVELS[2]: ()}[varies]
    number = 1 if varies == LEVELS[2] else 2
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder, 'model.onnx')
        torch.onnx.export(
            network,
            (torch.zeros(number, 3, *size),),
            path,
            input_names=['image'],
            output_names=['logits'],
            dynamic_shapes=({axis: free for axis in axes},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        return path.read_bytes()


def _compare(
    network: Network, content: bytes, size: tuple[int, int], varies: str
) -> float:
    """Return the largest difference of logits on random images.

    Raises:
        ValueError: If it is above :data:`TOLERANCE`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content)
    height, width = size
    shapes = [(1 if varies == LEVELS[2] else 2, height, width)]
    if varies != LEVELS[2]:
        shapes.append((3, height, width))
    if varies == LEVELS[0]:
        shapes.append((1, height + DIVISOR, width + 3 * DIVISOR))
    rng = np.random.default_rng(0)
    worst = 0.0
    for number, rows, columns in shapes:
        images = rng.standard_normal((number, 3, rows, columns), np.float32)
        if network.preprocessing:
            images = 256 * rng.random(images.shape, np.float32)
        (found,) = session.run(None, {'image': images})
        with torch.no_grad():
            wanted = network(torch.from_numpy(images)).numpy()
        if found.shape != wanted.shape:
            raise ValueError(f'{found.shape} is not {wanted.shape}')
        # Unlike Python's, this maximum is NaN where one of both is.
        worst = float(np.maximum(worst, np.abs(found - wanted).max()))
    if not worst <= TOLERANCE:
        raise ValueError(
            f'logits differ from those of PyTorch by {worst:.2g}, expected '
            f'at most {TOLERANCE:g}'
        )
    return worst


def inference_script(
    network: Network, size: tuple[int, int], varies: str
) -> str:
    """Return a script that needs numpy and onnxruntime only."""
    pad = '(-np.array(image.shape[:2]) % 32)'
    if varies != LEVELS[0]:
        pad = f'np.array({size}) - image.shape[:2]  # images of this size'
    prepare = ''
    if not network.preprocessing:
        flip = '[..., ::-1]' if network.swap else ''
        mean = [round(v, 4) for v in network.mean.flatten().tolist()]
        std = [round(v, 4) for v in network.std.flatten().tolist()]
        prepare = f'image = (image{flip} - np.float32({mean}))'
        prepare += f' / np.float32({std})\n'
    return f'''\
"""python infer.py IMAGE.npy LABELS.npy; an RGB image, H x W x 3."""
import sys
from pathlib import Path
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(Path(__file__).parent / 'model.onnx')
image = np.load(sys.argv[1]).astype(np.float32)
{prepare}rows, columns = {pad}
padded = np.pad(image, ((0, rows), (0, columns), (0, 0)))
logits = session.run(None, {{'image': padded.transpose(2, 0, 1)[None]}})[0][0]
logits = logits[:, : image.shape[0], : image.shape[1]]
np.save(sys.argv[2], logits.argmax(0).astype(np.uint8))
'''
