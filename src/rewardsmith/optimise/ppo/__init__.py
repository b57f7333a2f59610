"""Proximal policy optimisation in one small loop (Schulman et al. 2017; for language, Stiennon et al. 2020)."""
