# A frozen transformer's attention has no gradient: the loss moves the
# prediction alone. Of the twelve layers, the attention of the fourth and fifth
# agrees best with dense masks, see README.md. Maps and attention of an image
# take 4.1 MB on disk.
_base_ = (
    '../baselines/ce_dinov2-s_segformer_1xb8-1k_camvid-scribble-364x490.py'
)
model = dict(
    type='SparseEncoderDecoder',
    backbone=dict(attention_layers=(3, 4)),
    regularizers=[
        dict(type='AttentionAffinityLoss', stages=(0,), loss_weight=1.2)
    ],
)
