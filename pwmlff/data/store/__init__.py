"""HDF5 store of labelled frames: versioned, ragged, appendable, checksummed; laid out as `docs/data.md` says."""

from __future__ import annotations

from pwmlff.data.store.checksums import verify_store
from pwmlff.data.store.reading import StoredFrames
from pwmlff.data.store.writing import write_store

__all__ = ["StoredFrames", "verify_store", "write_store"]
