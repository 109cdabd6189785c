_base_ = [
    '../_base_/models/segformer_mit-b0_camvid.py',
    '../_base_/datasets/camvid_tile_hybrid.py',
    '../_base_/schedules/schedule_adamw_1k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(data_preprocessor=dict(size=(120, 160)))
# The strong images alone.
train_dataloader = dict(dataset=dict(filter_cfg=dict(supervision='dense')))
