# The schedule as printed: 1e-3, 80k. The release trains 40k at 5e-4.
_base_ = './sasformer_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512.py'
optimizer = dict(lr=1e-3)
optim_wrapper = dict(optimizer=optimizer)
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=0,
         end=80000),
]  # fmt: skip
train_cfg = dict(max_iters=80000)
