_base_ = [
    '../_base_/models/segformer_mit-b4_voc12.py',
    '../_base_/datasets/voc12_scribble.py',
    '../_base_/schedules/schedule_sgd_40k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
