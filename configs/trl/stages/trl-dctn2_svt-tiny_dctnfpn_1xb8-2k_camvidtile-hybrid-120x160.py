_base_ = './trl-dctn1_svt-tiny_dctn_1xb8-2k_camvidtile-hybrid-120x160.py'
model = dict(
    decode_head=dict(type='DCTNFPNHead', fpn_channels=32, channels=32)
)
