"""How pages are made: which, of which runs, from which notebook."""
