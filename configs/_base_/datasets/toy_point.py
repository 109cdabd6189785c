# The toy shapes with a pixel of each region, drawn from the masks.
_base_ = './toy_dense.py'
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='SimulatePoints', seed=0),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
