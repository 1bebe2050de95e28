"""PyArrow tables from idxhub, and a dataset of small arrows."""
