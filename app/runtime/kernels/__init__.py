"""Triton kernels; imported only where a CUDA GPU is, by `app.runtime.fast.operations`."""
