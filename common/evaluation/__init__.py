"""Numbers about models: metrics, splits and intervals, the same for every pattern.

Reading order: `splits` (which rows a model may see), then the metrics of a field (`ranking`,
`classification`, `regression`, `detection`, `segmentation`), then `bootstrap` (how far a figure can
be trusted), `latency` and `report`, and `classifier` (what all reports of classifiers ask).
Everything here is a plain function on numpy arrays: nothing knows a pattern, a model or a file.
Metrics of ranked lists and of images come back one value per query or image, and the mean is left
to the caller, so that the same vector also feeds the bootstrap. Wrong input (NaN, lengths that
differ, one class where two are needed) raises `ValueError` naming the argument and the remedy; no
metric answers NaN for a question that has no answer, except where a docstring says
so.
"""
