_base_ = [
    '../_base_/models/segformer_mit-tiny_toy.py',
    '../_base_/datasets/toy_hybrid.py',
    '../_base_/schedules/schedule_adamw_toy_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(type='DualBranchEncoderDecoder')
train_dataloader = dict(
    sampler=dict(_delete_=True, type='StrongWeakSampler', strong=1, weak=1)
)
default_hooks = dict(checkpoint=dict(interval=500))
