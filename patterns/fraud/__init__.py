"""Card fraud: is this payment a fraud, answered within 100 ms, priced in money.

Read in this order: `README.md` (the design), `config`, `data` (what a row, a label, the label delay
and leakage mean), `stages/features` (one definition of the windows, for a table and for a stream),
`stages/rules` (the baseline and the fallback), `stages/imbalance`, `stages/models`,
`stages/calibration`, `stages/decision`, `stages/variant` (one model with these around it),
`pipeline` (the boxes wired), `evaluate` and `evaluation` (one question a file), `train`, `serve`;
`protocols` runs the published protocols of the Fraud Detection Handbook. `entities` holds what
several of them speak of: a payment, ids, the clock, kept answers.
"""
