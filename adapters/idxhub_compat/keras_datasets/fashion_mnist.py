"""In place of `keras.datasets.fashion_mnist`."""

from idxhub_compat.keras_datasets.load import Pair, load_pairs

NAME = "fashion-mnist"


def load_data() -> tuple[Pair, Pair]:
    """`(x_train, y_train), (x_test, y_test)` of Fashion-MNIST.

    Images are uint8, (60000, 28, 28) and (10000, 28, 28); labels are uint8, (60000,) and (10000,). The files that
    Keras has downloaded are used if they are there. Raises `IdxHubError` as `idxhub.load` does.
    """
    return load_pairs(NAME)
