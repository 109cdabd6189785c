# Crops of 320; the name that this ablation had before it became one of 512.
_base_ = '../afa-aff05_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
_base_.train_pipeline[3].crop_size = (320, 320)
model = dict(data_preprocessor=dict(size=(320, 320)))
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
