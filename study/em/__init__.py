"""Neurons in volumes of electron microscopy by pixel-embedded affinity (Huang et al. 2022, Table 4)."""
