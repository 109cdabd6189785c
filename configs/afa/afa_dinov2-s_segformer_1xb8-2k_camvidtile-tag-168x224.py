# The stem of the frozen backbone learns as fast as the head.
_base_ = [
    '../_base_/models/afa_dinov2-s_camvid.py',
    '../_base_/datasets/camvid_tile_tag_224.py',
    '../_base_/schedules/schedule_adamw_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(segmentation_begin=800, propagation_begin=1200)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'stem': dict(lr_mult=5.0)})
)
train_cfg = dict(val_interval=2000)
