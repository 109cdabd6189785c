# SGD 5e-4, momentum 0.9, weight decay 1e-4, poly 0.9 to zero, 40k iterations.
_base_ = 'mmseg::_base_/schedules/schedule_40k.py'
optimizer = dict(lr=5e-4, weight_decay=1e-4)
optim_wrapper = dict(optimizer=optimizer)
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=0,
         end=40000),
]  # fmt: skip
