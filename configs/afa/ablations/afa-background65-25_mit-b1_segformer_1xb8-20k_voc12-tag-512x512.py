# Table 11.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(background_scores=(0.65, 0.25))
