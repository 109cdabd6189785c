import math
from dataclasses import replace

import pytest
import torch

from mmseg_sparse.functional import Attention, attention_affinity
from mmseg_sparse.functional.token_centers import Centers
from tests.helpers.measure import kept_bytes, largest_tensor
from tests.reference import attention_affinity as reference

F64 = torch.float64


def make_layer(n, heads, d, query_hw, key_hw, scale, dtype=F64):
    query = torch.randn(n, heads, math.prod(query_hw), d, dtype=dtype) * 1.5
    key = torch.randn(n, heads, math.prod(key_hw), d, dtype=dtype) * 1.5
    return Attention(query, key, scale, query_hw, key_hw)


def make_case(dtype=F64, n=2, classes=5):
    """Two stages with unlike grids, heads, widths and scales."""
    stages = [
        [
            make_layer(n, 2, 3, (5, 7), (2, 3), 0.7, dtype),
            make_layer(n, 2, 3, (5, 7), (2, 3), 0.4, dtype),
        ],
        [make_layer(n, 3, 8, (3, 4), (3, 4), 0.3, dtype)],
    ]
    logits = torch.randn(n, classes, 9, 11, dtype=dtype) * 3
    labels = torch.full((n, 37, 45), 255)
    labels[0, 3:20, 4:30] = 1
    labels[1, 0:9, :] = 4
    valid = torch.ones(n, 37, 45, dtype=torch.bool)
    valid[1, 17:] = False
    valid[1, :, 29:] = False
    return logits, stages, labels, valid


def literal(stages):
    return [
        (
            [(layer.query, layer.key, layer.scale) for layer in layers],
            layers[0].query_hw,
            layers[0].key_hw,
        )
        for layers in stages
    ]


@pytest.mark.parametrize('distance', ['l1', 'l2', 'kl', 'ce'])
@pytest.mark.parametrize('labeled', [False, True])
@pytest.mark.parametrize('padded', [False, True])
def test_equals_reference(distance, labeled, padded):
    logits, stages, labels, valid = make_case()
    valid = valid if padded else None
    for reduction in ('sum', 'mean'):
        fast = attention_affinity(
            logits,
            stages,
            labels,
            distance=distance,
            labeled=labeled,
            stage_reduction=reduction,
            valid=valid,
        )
        slow = reference.attention_affinity(
            logits,
            literal(stages),
            labels,
            distance_kind=distance,
            labeled=labeled,
            stage_reduction=reduction,
            valid=valid,
        )
        assert fast.dtype == F64
        assert fast.item() == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize('resize', ['logits', 'prob'])
def test_both_ways_to_resize_equal_the_reference(resize):
    logits, stages, labels, valid = make_case()
    fast = attention_affinity(
        logits, stages, labels, resize=resize, valid=valid
    )
    slow = reference.attention_affinity(
        logits, literal(stages), labels, resize=resize, valid=valid
    )
    assert fast.item() == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize('padded', [False, True])
@pytest.mark.parametrize('resize', ['logits', 'prob'])
def test_true_centres_equal_the_reference_on_the_tokens_own_pixels(
    padded, resize
):
    """Tokens at every 8th pixel, of logits as large as the image."""
    layer = make_layer(2, 2, 3, (5, 7), (5, 7), 0.6)
    centers = Centers(8.0, 0.0)
    layer = replace(layer, query_centers=centers, key_centers=centers)
    logits = torch.randn(2, 4, 37, 53, dtype=F64) * 3
    labels = torch.randint(0, 4, (2, 37, 53))
    labels = labels.masked_fill(torch.rand(2, 37, 53) < 0.6, 255)
    valid = torch.ones(2, 37, 53, dtype=torch.bool)
    valid[1, 20:] = valid[1, :, 30:] = False
    options = dict(resize=resize, distance='kl')
    fast = attention_affinity(
        logits, [[layer]], labels, align='centers',
        valid=valid if padded else None, **options,
    )  # fmt: skip
    slow = reference.attention_affinity(
        logits[:, :, ::8, ::8], literal([[layer]]), labels[:, ::8, ::8],
        distance_kind='kl', resize=resize,
        valid=valid[:, ::8, ::8] if padded else None,
    )  # fmt: skip
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_true_centres_must_be_known():
    logits, stages, labels, _ = make_case()
    with pytest.raises(ValueError, match=r'query_centers and key_centers'):
        attention_affinity(logits, stages, labels, align='centers')
    with pytest.raises(ValueError, match=r"align must be in .* got 'center'"):
        attention_affinity(logits, stages, labels, align='center')


@pytest.mark.parametrize('padded', [False, True])
def test_uniform_attention_equals_scores_that_are_all_alike(padded):
    logits, stages, labels, valid = make_case()
    valid = valid if padded else None
    for layer in stages[0] + stages[1]:
        layer.query.requires_grad_()
    fast = attention_affinity(
        logits.requires_grad_(), stages, labels, uniform=True, valid=valid
    )
    alike = [
        [(query, key, 0.0) for query, key, _ in layers]
        for layers, _, _ in literal(stages)
    ]
    grids = [(query_hw, key_hw) for _, query_hw, key_hw in literal(stages)]
    slow = reference.attention_affinity(
        logits.detach(),
        [(a, *hw) for a, hw in zip(alike, grids, strict=True)],
        labels,
        valid=valid,
    )
    assert fast.item() == pytest.approx(slow, rel=1e-10)
    fast.backward()
    assert logits.grad.any()
    assert all(layer.query.grad is None for layer in stages[0] + stages[1])


@pytest.mark.parametrize('padded', [False, True])
@pytest.mark.parametrize('channels', [5, 41])
def test_neither_pass_makes_an_attention_matrix(padded, channels):
    layer = make_layer(1, 1, 8, (24, 28), (20, 24), 0.4, torch.float32)
    query = layer.query.requires_grad_()
    logits = torch.randn(1, channels, 12, 14, requires_grad=True)
    labels = torch.full((1, 48, 56), 255)
    valid = torch.ones(1, 48, 56, dtype=torch.bool)
    valid[:, 40:] = False
    dense = 24 * 28 * 20 * 24

    def run(use):
        values = use(layer)
        (values.sum() if values.ndim else values).backward()

    def loss(layer):
        return attention_affinity(
            logits, [[layer]], labels, valid=valid if padded else None
        )

    assert largest_tensor(lambda: run(loss)) < dense / 4
    assert query.grad.abs().sum() > 0
    # the measure sees one where one is made
    assert largest_tensor(lambda: run(Attention.dense)) >= dense


def test_no_propagated_rows_wait_for_the_backward_pass():
    layers = [
        make_layer(1, 4, 8, (24, 32), (3, 4), 0.5, torch.float32)
        for _ in range(3)
    ]
    for layer in layers:
        layer.query.requires_grad_()
    logits = torch.randn(1, 3, 24, 32, requires_grad=True)
    labels = torch.full((1, 24, 32), 255)
    propagated = sum(layer.query.nbytes for layer in layers)
    kept = kept_bytes(lambda: attention_affinity(logits, [layers], labels))
    assert kept < 10 * logits.nbytes
    assert kept < propagated / 3


def test_other_ignore_index_equals_reference():
    logits, stages, labels, _ = make_case()
    labels = labels.masked_fill(labels == 255, 7)
    fast = attention_affinity(logits, stages, labels, ignore_index=7)
    slow = reference.attention_affinity(
        logits, literal(stages), labels, ignore_index=7
    )
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_by_hand():
    # One head, one query, two keys, scores 0 and ln 3: A = (1/4, 3/4).
    # Keys predict (1, 0) and (0, 1) up to e^-50, so Y = (1/4, 3/4); the
    # query, between them, has P = (1/2, 1/2).
    attention = Attention(
        torch.ones(1, 1, 1, 1, dtype=F64),
        torch.tensor([0.0, math.log(3)], dtype=F64).view(1, 1, 2, 1),
        1.0,
        (1, 1),
        (1, 2),
    )
    logits = torch.tensor([[[[50.0, -50.0]], [[-50.0, 50.0]]]], dtype=F64)
    labels = torch.full((1, 4, 8), 255)
    # Y* = softmax(1/4, 3/4) = (1, e^0.5) / (1 + e^0.5), P* = (1/2, 1/2).
    y = 1 / (1 + math.exp(0.5))
    loss = attention_affinity(logits, [[attention]], labels)
    assert loss.item() == pytest.approx(2 * (0.5 - y), rel=1e-12)
    values = torch.tensor([[[4.0, 1.0], [8.0, 3.0]]], dtype=F64)
    expected = torch.tensor([[[7.0, 2.5]]], dtype=F64)
    torch.testing.assert_close(attention.propagate(values), expected)


@pytest.mark.parametrize('channels', [1, 3, 11])
def test_propagate_equals_dense(channels):
    attention = make_layer(2, 3, 5, (4, 7), (2, 5), 0.8)
    values = torch.randn(2, 10, channels, dtype=F64)
    dense = attention.dense()
    torch.testing.assert_close(
        dense.sum(-1), torch.ones_like(dense[..., 0]), rtol=1e-12, atol=0
    )
    expected = (dense @ values[:, None]).mean(1)
    torch.testing.assert_close(
        attention.propagate(values), expected, rtol=1e-10, atol=1e-12
    )


def test_masked_keys_share_their_attention_in_proportion():
    attention = make_layer(2, 3, 5, (4, 7), (2, 5), 0.8)
    values = torch.randn(2, 10, 4, dtype=F64)
    valid = torch.rand(2, 10) < 0.6
    valid[:, 0] = True
    weights = attention.dense() * valid[:, None, None]
    weights = weights / weights.sum(-1, keepdim=True)
    expected = (weights @ values[:, None]).mean(1)
    torch.testing.assert_close(
        attention.propagate(values, valid=valid),
        expected,
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize('distance', ['l1', 'l2', 'kl', 'ce'])
def test_gradcheck(distance):
    logits, stages, labels, valid = make_case(classes=3)
    stages = [stages[0], [make_layer(2, 2, 3, (2, 3), (2, 3), 0.5)]]
    tensors = [
        t.clone().requires_grad_()
        for layers in stages
        for layer in layers
        for t in (layer.query, layer.key)
    ]

    def loss(logits, *tensors):
        pairs = iter(zip(tensors[::2], tensors[1::2], strict=True))
        rebuilt = [
            [
                Attention(
                    *next(pairs), layer.scale, layer.query_hw, layer.key_hw
                )
                for layer in layers
            ]
            for layers in stages
        ]
        return attention_affinity(
            logits, rebuilt, labels, distance=distance, valid=valid
        )

    logits.requires_grad_()
    assert torch.autograd.gradcheck(loss, (logits, *tensors), atol=1e-7)


def test_labelled_and_padded_queries_get_no_gradient():
    logits, stages, labels, valid = make_case()
    query = stages[0][0].query.requires_grad_()
    attention_affinity(logits, stages, labels, valid=valid).backward()
    rows = query.grad.abs().sum((1, 3)) > 0
    for image in range(2):
        unlabelled = reference.nearest(labels[image] == 255, (5, 7))
        inside = reference.nearest(valid[image], (5, 7))
        counted = torch.tensor(unlabelled) & torch.tensor(inside)
        assert rows[image].tolist() == counted.tolist()
        assert 0 < counted.sum() < 35


def test_padding_takes_no_part():
    logits, stages, labels, valid = make_case()
    key = stages[0][0].key.requires_grad_()
    before = attention_affinity(logits, stages, labels, valid=valid)
    before.backward()
    known = torch.tensor(reference.nearest(valid[1], (2, 3)))
    used = key.grad[1].abs().sum((0, 2)) > 0
    assert used.tolist() == known.tolist()
    assert 0 < known.sum() < 6
    # what the labels say in padding does not matter either
    changed = labels.masked_fill(~valid, 2)
    after = attention_affinity(logits, stages, changed, valid=valid)
    assert after.item() == before.item()


@pytest.mark.parametrize('nothing', ['labelled', 'padding'])
def test_nothing_to_count_is_zero_with_zero_gradient(nothing):
    logits, stages, labels, valid = make_case()
    logits.requires_grad_()
    if nothing == 'labelled':
        labels = torch.ones_like(labels)
    else:
        valid = torch.zeros_like(valid)
        valid[:, :1, :1] = True
        labels[:, 0, 0] = 3
    loss = attention_affinity(logits, stages, labels, valid=valid)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().sum().item() == 0


def test_one_pixel_one_class_and_all_unlabelled_are_finite():
    attention = make_layer(1, 1, 2, (1, 1), (1, 1), 1.0)
    for classes in (1, 2):
        logits = torch.randn(1, classes, 1, 1, dtype=F64, requires_grad=True)
        labels = torch.full((1, 1, 1), 255)
        loss = attention_affinity(logits, [[attention]], labels)
        loss.backward()
        # a single token can only be propagated to itself
        assert loss.item() == pytest.approx(0, abs=1e-12)
        assert torch.isfinite(logits.grad).all()


def test_inputs_stay_as_they_were():
    logits, stages, labels, valid = make_case()
    tensors = [logits, labels, valid, stages[0][0].query, stages[1][0].key]
    copies = [t.clone() for t in tensors]
    attention_affinity(logits, stages, labels, valid=valid)
    assert all(map(torch.equal, tensors, copies))


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 2e-2),
        (torch.float16, 2e-2),
    ],
)
def test_narrow_dtypes_give_a_float32_loss(dtype, tolerance):
    logits, stages, labels, valid = make_case()
    exact = attention_affinity(logits, stages, labels, valid=valid).item()
    narrow = [
        [
            Attention(
                layer.query.to(dtype),
                layer.key.to(dtype),
                layer.scale,
                layer.query_hw,
                layer.key_hw,
            )
            for layer in layers
        ]
        for layers in stages
    ]
    loss = attention_affinity(logits.to(dtype), narrow, labels, valid=valid)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=tolerance)


def test_autocast_computes_in_float32():
    logits, stages, labels, valid = make_case(torch.float32)
    plain = attention_affinity(logits, stages, labels, valid=valid)
    with torch.autocast('cpu', torch.bfloat16):
        cast = attention_affinity(logits, stages, labels, valid=valid)
    assert cast.item() == plain.item()


@pytest.mark.cuda
def test_runs_on_cuda():
    logits, stages, labels, valid = make_case(torch.float32)
    cpu = attention_affinity(logits, stages, labels, valid=valid)
    moved = [
        [
            Attention(
                layer.query.cuda(),
                layer.key.cuda(),
                layer.scale,
                layer.query_hw,
                layer.key_hw,
            )
            for layer in layers
        ]
        for layers in stages
    ]
    gpu = attention_affinity(
        logits.cuda(), moved, labels.cuda(), valid=valid.cuda()
    )
    assert gpu.item() == pytest.approx(cpu.item(), rel=1e-5)


def test_errors_name_what_is_wrong():
    logits, stages, labels, valid = make_case()
    with pytest.raises(ValueError, match=r"distance .* got 'cosine'"):
        attention_affinity(logits, stages, labels, distance='cosine')
    with pytest.raises(ValueError, match=r"stage_reduction .* got 'max'"):
        attention_affinity(logits, stages, labels, stage_reduction='max')
    with pytest.raises(ValueError, match=r"resize .* got 'labels'"):
        attention_affinity(logits, stages, labels, resize='labels')
    with pytest.raises(ValueError, match='entry 1 of stages holds no'):
        attention_affinity(logits, [stages[0], []], labels)
    with pytest.raises(ValueError, match=r'labels \(N, H, W\), got'):
        attention_affinity(logits, stages, labels[:1])
    with pytest.raises(ValueError, match=r'valid \(2, 37, 45\), got'):
        attention_affinity(logits, stages, labels, valid=valid[:, 1:])
    with pytest.raises(ValueError, match='at least one stage'):
        attention_affinity(logits, [], labels)
    mixed = [[stages[0][0], stages[1][0]]]
    with pytest.raises(ValueError, match='share one query'):
        attention_affinity(logits, mixed, labels)
    query, key = torch.randn(1, 2, 6, 4), torch.randn(1, 2, 3, 4)
    with pytest.raises(ValueError, match=r'query_hw=\(2, 2\).* has 6'):
        Attention(query, key, 1.0, (2, 2), (1, 3))
    with pytest.raises(ValueError, match='4 channels a head, key has 3'):
        Attention(query, key[..., :3], 1.0, (2, 3), (1, 3))
    with pytest.raises(ValueError, match='expected query'):
        Attention(query, key[:, :1], 1.0, (2, 3), (1, 3))
    attention = Attention(query, key, 1.0, (2, 3), (1, 3))
    with pytest.raises(ValueError, match=r'values \(1, 3, C\)'):
        attention.propagate(torch.randn(1, 4, 5))
    with pytest.raises(ValueError, match=r'valid \(1, 3\)'):
        attention.propagate(
            torch.randn(1, 3, 5), valid=torch.ones(1, 2, dtype=torch.bool)
        )
