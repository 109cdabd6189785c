# Table 6: of the four blocks, only these make up the shared feature.
_base_ = './dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    decode_head=dict(in_index=[0, 1], in_channels=[128, 256]),
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=1024,
            feature_from='decode_head.fpn_bottleneck',
        )
    ],
)
# The stages left out are trained by nothing, which DDP must know.
find_unused_parameters = True
