"""Predictor: both branches, resized as mmseg resizes its prediction."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

import mmseg_sparse.models.decode_heads
from mmseg_sparse.evaluation import Predictor
from tests.helpers import stock
from tests.helpers.sparse import config

assert mmseg_sparse.models.decode_heads  # registers BLPHead
HEAD = dict(
    type='BLPHead', in_channels=[8, 8, 16, 32], in_index=[0, 1, 2, 3],
    channels=12, num_classes=stock.NUM_CLASSES, norm_cfg=dict(type='BN'),
    self_training_begin=None,
    loss_decode=dict(type='CrossEntropyLoss'),
)  # fmt: skip
#: The image is 53 x 41; it is tested at 85 x 66 and padded to 96 x 96.
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(85, 70), keep_ratio=True),
    dict(type=LoadAnnotations),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def build(head=HEAD, **changes):
    cfg = config(**changes)
    cfg.decode_head = head
    cfg.data_preprocessor.test_cfg = dict(size_divisor=32)
    model = stock.build(cfg)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model.eval()


@pytest.fixture
def image(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    path = tmp_path / 'a.png'
    Image.fromarray(noise).resize((53, 41)).save(path)
    return str(path)


def network_input(model, image):
    """The image as RGB, resized, normalised, and padded by zeros."""
    rgb = cv2.resize(np.asarray(Image.open(image)), (85, 66))
    tensor = torch.from_numpy(rgb).permute(2, 0, 1).float()
    preprocessor = model.data_preprocessor
    tensor = (tensor - preprocessor.mean) / preprocessor.std
    return F.pad(tensor, (0, 96 - 85, 0, 96 - 66))[None]


def at_the_images_size(logits):
    """Without the padding, then at the image's size, then softmax."""
    logits = F.interpolate(logits[..., :66, :85], (41, 53), mode='bilinear')
    return logits.softmax(1)[0].numpy()


@torch.no_grad()
def test_both_branches_go_the_way_of_mmsegs_prediction(image):
    model = build()
    prob = Predictor(model, PIPELINE)(image)
    inputs = network_input(model, image)
    feats = model.extract_feat(inputs)
    feats.valid = torch.zeros(1, 96, 96, dtype=torch.bool)
    feats.valid[:, :66, :85] = True
    for got, logits in (
        (prob.segmentation, model.decode_head.forward(feats)),
        (prob.annotation, model.decode_head.annotation_logits(feats)),
    ):
        logits = F.interpolate(logits, (96, 96), mode='bilinear')
        np.testing.assert_allclose(got, at_the_images_size(logits), rtol=2e-4)
    assert prob.annotation.shape == (stock.NUM_CLASSES + 1, 41, 53)
    np.testing.assert_array_equal(prob.predicted, prob.segmentation.argmax(0))
    assert prob.annotation.std() > 0.01


@torch.no_grad()
def test_a_sliding_window_slides_for_both(image):
    window = dict(mode='slide', crop_size=(64, 64), stride=(32, 32))
    model = build(test_cfg=window)
    prob = Predictor(model, PIPELINE)(image)
    inputs = network_input(model, image)
    head = model.decode_head
    for got, branch in (
        (prob.segmentation, head.forward),
        (prob.annotation, head.annotation_logits),
    ):
        total, count = 0, torch.zeros(96, 96)
        for y in (0, 32):
            for x in (0, 32):
                crop = inputs[..., y : y + 64, x : x + 64]
                logits = branch(model.extract_feat(crop))
                logits = F.interpolate(logits, (64, 64), mode='bilinear')
                total = total + F.pad(logits, (x, 32 - x, y, 32 - y))
                count[y : y + 64, x : x + 64] += 1
        want = at_the_images_size(total / count)
        np.testing.assert_allclose(got, want, rtol=2e-4)


def test_the_model_is_left_as_it_was(image):
    model = build()
    predictor = Predictor(model, PIPELINE)
    first = predictor(image)
    assert 'encode_decode' not in vars(model)
    assert model.out_channels == stock.NUM_CLASSES
    second = predictor(image)
    np.testing.assert_array_equal(first.annotation, second.annotation)
    np.testing.assert_array_equal(first.segmentation, second.segmentation)
    # After an error too.
    model.decode_head.annotation_logits = lambda feats: 1 / 0
    with pytest.raises(ZeroDivisionError):
        predictor(image)
    assert 'encode_decode' not in vars(model)
    assert model.out_channels == stock.NUM_CLASSES


def test_a_stock_head_has_no_annotation_probability(image):
    cfg = stock.stock_model_config('segformer')
    predictor = Predictor(stock.build(cfg).eval(), PIPELINE)
    prob = predictor(image)
    assert not predictor.has_scribble_branch
    assert prob.annotation is None
    np.testing.assert_allclose(prob.segmentation.sum(0), 1, rtol=1e-5)
    plain = build(HEAD | dict(scribble_loss=False))
    assert not Predictor(plain, PIPELINE).has_scribble_branch


def test_one_output_channel_gives_two_classes(image):
    cfg = stock.stock_model_config('segformer')
    cfg.decode_head.update(num_classes=2, out_channels=1, threshold=0.4)
    model = stock.build(cfg).eval()
    prob = Predictor(model, PIPELINE)(image)
    assert prob.segmentation.shape == (2, 41, 53)
    np.testing.assert_allclose(prob.segmentation.sum(0), 1, rtol=1e-6)
    np.testing.assert_array_equal(prob.predicted, prob.segmentation[1] > 0.4)


def test_what_cannot_be_measured_is_named(image):
    with pytest.raises(ValueError, match='an EncoderDecoder, got a Identity'):
        Predictor(torch.nn.Identity(), PIPELINE)
    model = build()
    model.decode_head.conv_seg.bias.data[2] = torch.nan
    with pytest.raises(ValueError, match='the segmentation probability is no'):
        Predictor(model, PIPELINE)(image)
