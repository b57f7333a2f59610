"""Responses rated by attribute (helpfulness, verbosity, …): what multi-attribute heads learn from.

The layouts that give pairs where one attribute is named (`layouts.rated`) give ratings of all attributes here.
"""
