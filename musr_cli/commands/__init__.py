"""The verbs of musr, one module each; heavy imports happen inside the functions."""
