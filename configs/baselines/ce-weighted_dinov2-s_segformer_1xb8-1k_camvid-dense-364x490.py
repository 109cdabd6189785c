# Weights 1 / ln(1.02 + frequency) over the pixels of masks/train, divided by
# their mean over those pixels. Stock CE averages weighted pixels only where no
# label is 255, so it sums here and loss_weight divides by the batch's pixels.
_base_ = './ce_dinov2-s_segformer_1xb8-1k_camvid-dense-364x490.py'
model = dict(
    decode_head=dict(
        loss_decode=dict(
            reduction='sum',
            loss_weight=1 / (8 * 364 * 490),
            class_weight=[
                0.8, 0.613, 4.793, 0.476, 2.211, 1.248, 4.503, 4.57, 1.832,
                5.427, 6.269,
            ],
        )
    )
)  # fmt: skip
