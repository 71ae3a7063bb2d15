"""Signal processing: filters, band edge, long-term spectrum, phase sources, blending."""
