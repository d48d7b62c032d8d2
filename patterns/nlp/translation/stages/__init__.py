"""The boxes: word by word as the baseline; subwords -> Transformer -> search; BLEU."""
