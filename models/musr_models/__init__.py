"""Networks, their weights and the contract that the engine of musr runs them by."""
