_base_ = [
    '../../_base_/models/dctn_svt-s.py',
    '../../_base_/datasets/heatmaps/voc12_heatmap.py',
    '../../_base_/schedules/schedule_adam_27k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
