_base_ = './trl-dctn1_svt-tiny_dctn_1xb8-2k_camvidtile-hybrid-120x160.py'
train_dataloader = dict(batch_size=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0,
         end=100),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=100,
         end=1000),
]  # fmt: skip
train_cfg = dict(max_iters=1000)
