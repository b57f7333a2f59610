"""DPO, GRPO and RLOO through TRL: one thin adapter a method, and all that depends on TRL's version."""
