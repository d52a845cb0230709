"""Deep Potential, plain and with type embedding, on nets or on tables."""

from pwmlff.models.dp.compressed import CompressedDeepPotential
from pwmlff.models.dp.config import DPConfig
from pwmlff.models.dp.network import DeepPotential, TypeEmbeddingDeepPotential

__all__ = ["CompressedDeepPotential", "DPConfig", "DeepPotential", "TypeEmbeddingDeepPotential"]
