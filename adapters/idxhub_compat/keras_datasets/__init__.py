"""In place of `keras.datasets`: the modules `fashion_mnist` and `mnist`, each with `load_data`."""

from idxhub_compat.keras_datasets import fashion_mnist, mnist

__all__ = ["fashion_mnist", "mnist"]
