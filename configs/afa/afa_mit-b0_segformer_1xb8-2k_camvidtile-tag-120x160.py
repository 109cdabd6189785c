_base_ = [
    '../_base_/models/afa_mit-b0_camvid.py',
    '../_base_/datasets/camvid_tile_tag.py',
    '../_base_/schedules/schedule_adamw_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(segmentation_begin=800, propagation_begin=1200)
train_cfg = dict(val_interval=2000)
