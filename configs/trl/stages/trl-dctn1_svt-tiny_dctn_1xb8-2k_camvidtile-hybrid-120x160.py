_base_ = [
    '../../_base_/models/dctn_svt-tiny_toy.py',
    '../../_base_/datasets/heatmaps/camvid_tile_heatmap.py',
    '../../_base_/schedules/schedule_adamw_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(
    data_preprocessor=dict(size=(128, 160)),
    backbone=dict(heatmap_channels=11),
    decode_head=dict(num_classes=11),
)
# From scratch, so that the head learns as the backbone does.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1.0))),
)
