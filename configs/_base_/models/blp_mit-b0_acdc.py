# As on CamVid, with ACDC's classes and crops.
_base_ = './blp_mit-b0_camvid.py'
model = dict(
    data_preprocessor=dict(size=(192, 192)),
    decode_head=dict(num_classes=4),
)
