"""Listening tests: made as a page, collected from disk or by a small server, evaluated."""
