"""Any file -> array."""
