"""How one run is made: from its settings to scores in the store."""
