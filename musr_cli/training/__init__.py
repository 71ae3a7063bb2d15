"""Training: recipes in, checkpoints out. It knows neither terminals nor the engine."""
