# mmseg's, with what `python -m mmseg_sparse train` adds by itself: stock tools
# then check a run, stop it at a NaN and end it at Ctrl-C as ours do.
_base_ = 'mmseg::_base_/default_runtime.py'
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
runner_type = 'mmseg.CheckedRunner'
custom_hooks = [
    dict(type='RunStartHook'),
    dict(type='FiniteLossHook'),
    dict(type='InterruptHook'),
]
