"""Pages that open from disk in any browser, with nothing to load: the report of `musr eval`, the listening test."""
