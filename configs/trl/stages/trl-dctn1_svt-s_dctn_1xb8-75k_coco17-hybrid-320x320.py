_base_ = [
    '../../_base_/models/dctn_svt-s.py',
    '../../_base_/datasets/heatmaps/coco17_heatmap.py',
    '../../_base_/schedules/schedule_adam_75k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(
    backbone=dict(heatmap_channels=81), decode_head=dict(num_classes=81)
)
