"""VGG at 1/8 of the image, as the first DeepLab has it."""

from typing import Any

from mmcv.cnn import VGG
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

#: Stride of the five pools, and dilation of the convolutions before each.
_STRIDES = (2, 2, 2, 1, 1)
_DILATIONS = (1, 1, 1, 1, 2)


@MODELS.register_module()
class DilatedVGG(BaseModule):
    """The convolutions of VGG with an output stride of 8 in place of 32.

    The last two pools have a stride of 1, and the convolutions between them
    a dilation of 2. All pools are 3x3, so that a side of ``n`` pixels gives
    ``ceil(n / 8)``. Keys of the weights are those of torchvision's VGG,
    ``features.*``; its classifier is left out.

    Source: Chen et al., "Semantic image segmentation with deep convolutional
    nets and fully connected CRFs", ICLR 2015 (DeepLab-LargeFOV), which TRL
    has in table 5. The large field of view is that of the head after it.

    Args:
        depth: 11, 13, 16 or 19.
        base_channels: Channels of the first convolutions; the last ones
            have eight times as many.
        init_cfg: Where weights come from.

    Raises:
        ValueError: If there is no VGG of this depth.
    """

    def __init__(
        self,
        depth: int = 16,
        base_channels: int = 64,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in VGG.arch_settings:
            raise ValueError(
                'depth must be one of '
                f'{", ".join(map(str, VGG.arch_settings))}, got {depth}'
            )
        layers: list[nn.Module] = []
        channels = 3
        for stage, count in enumerate(VGG.arch_settings[depth]):
            dilation = _DILATIONS[stage]
            width = base_channels * min(2**stage, 8)
            for _ in range(count):
                conv = nn.Conv2d(
                    channels, width, 3, padding=dilation, dilation=dilation
                )
                layers += [conv, nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(3, _STRIDES[stage], padding=1))
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Return the last map, at 1/8 of the image.

        Args:
            image: ``(N, 3, H, W)``.
        """
        return (self.features(image),)
