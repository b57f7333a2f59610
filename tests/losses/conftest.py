"""Shapes and dtypes of the losses are checked at run time here."""

from __future__ import annotations

from jaxtyping import install_import_hook

# Takes hold of modules that are imported from now on; those that another test package imported stay unchecked.
# An int is a float, as for pyright.
install_import_hook("rewardsmith.losses", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
