"""Pictures of files; matplotlib is imported only when one is drawn."""
