"""The pages of the labelling server, one module a page; templates and scripts are taken as they are."""
