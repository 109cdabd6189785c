# voc12_tag.py with crops of 320x320.
_base_ = './voc12_tag.py'
_base_.train_pipeline[3].crop_size = (320, 320)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
