"""Pictures of what a training has learned."""

import mmcv
import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from ..prediction.write import Predictor
from ..visualization import (
    draw_labels,
    fit_into,
    on_paper,
    overlay,
    picture_sheet,
)
from .config_text import Project
from .label_set import spread

#: So many images are drawn, each into a square of so many pixels.
IMAGES, SIDE = 6, 320


def prediction_sheet(
    project: Project, cfg: Config, checkpoint: str
) -> NDArray[np.uint8]:
    """Return images, their labels and predictions side by side, RGB.

    The images are spread evenly over those to validate on, or without such
    over those to train on.

    Args:
        project: What was trained.
        cfg: Its config.
        checkpoint: File of the weights.
    """
    predictor = Predictor(cfg, checkpoint)
    data = project.val or project.train
    palette = predictor.palette
    rows = []
    for name in spread([*data.kinds], IMAGES):
        image = mmcv.imread(str(data.image(name)), channel_order='rgb')
        prob = predictor(data.image(name))
        labels = prob.argmax(0).cpu().numpy().astype(np.uint8)
        pictures = [image]
        if data.folder is not None:
            pictures.append(draw_labels(image, data.load(name), palette))
        pictures.append(overlay(image, labels, palette, opacity=0.5))
        rows.append([_square(picture) for picture in pictures])
    titles = ['image', 'labels', 'prediction']
    if data.folder is None:
        titles.remove('labels')
    return picture_sheet(
        rows, titles, classes=predictor.classes, palette=palette
    )


def _square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (SIDE, SIDE)
    return on_paper(fit_into(picture, size), size, centred=True)
