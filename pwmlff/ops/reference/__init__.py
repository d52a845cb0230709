"""PyTorch twins of the native operations: fallback where the library is missing, and oracle in the tests."""

from pwmlff.ops.reference.dp import (
    embedding_contraction,
    environment_matrix,
    environment_rows,
    quintic_switch,
)
from pwmlff.ops.reference.families import FAMILIES, evaluate
from pwmlff.ops.reference.kalman import KALMAN_TILE, kalman_sweep
from pwmlff.ops.reference.nets import fitting_net, plain_net, residual_net
from pwmlff.ops.reference.pair_sums import pair_forces, pair_virials
from pwmlff.ops.reference.shortest import count_nearer
from pwmlff.ops.reference.tables import table_features
from pwmlff.ops.reference.zbl import UNIVERSAL_SCREENING, repulsion_energies, stored_repulsion_energies

__all__ = [
    "FAMILIES",
    "KALMAN_TILE",
    "UNIVERSAL_SCREENING",
    "count_nearer",
    "embedding_contraction",
    "environment_matrix",
    "environment_rows",
    "evaluate",
    "fitting_net",
    "kalman_sweep",
    "pair_forces",
    "pair_virials",
    "plain_net",
    "quintic_switch",
    "repulsion_energies",
    "residual_net",
    "stored_repulsion_energies",
    "table_features",
]
