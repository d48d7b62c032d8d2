"""One file for each box: features, rules, imbalance, models, calibration, decision."""
