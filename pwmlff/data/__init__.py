"""From files to batches: frames, readers, the HDF5 store, neighbour lists, statistics."""
