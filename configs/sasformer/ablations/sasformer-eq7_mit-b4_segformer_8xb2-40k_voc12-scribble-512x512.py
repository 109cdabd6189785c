# Equation 7 as printed: mean over the stages, labelled pixels count
# too, probabilities are resized.
_base_ = '../sasformer_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='AttentionAffinityLoss',
            labeled=True,
            stage_reduction='mean',
            resize='prob',
            loss_weight=1.2,
        )
    ]
)
