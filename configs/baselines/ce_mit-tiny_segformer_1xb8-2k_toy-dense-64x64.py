_base_ = [
    '../_base_/models/segformer_mit-tiny_toy.py',
    '../_base_/datasets/toy_dense.py',
    '../_base_/schedules/schedule_adamw_toy_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
# Masks of all images that TRL has few masks of.
data_root = 'work_dirs/toy_hybrid'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
