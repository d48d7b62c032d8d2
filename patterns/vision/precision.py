"""Which number format a vision network is trained in when the choice is left to us.

Convolutions in bf16 run about twice as fast as in fp32 on a processor with matrix units for it
(Intel AMX), at equal accuracy; on one without, they are slower. On a GPU the training loop decides.
"""

from __future__ import annotations


def choose_precision(precision: str, device: str) -> str:
    """Turn "auto" into "bf16" on a CPU that multiplies it in hardware; else leave it as it is."""
    import torch

    from common.training import cpu_has_fast_bf16

    on_cpu = device == "cpu" or not torch.cuda.is_available()
    return "bf16" if precision == "auto" and on_cpu and cpu_has_fast_bf16() else precision
