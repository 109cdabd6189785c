# Segmenter with ViT-B/16 and the mask transformer for the 21 classes of VOC.
_base_ = 'mmseg::_base_/models/segmenter_vit-b16_mask.py'
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=21, loss_decode=dict(avg_non_ignore=True)),
)
