"""Audio in and out: formats, reading and writing in blocks, resampling."""
