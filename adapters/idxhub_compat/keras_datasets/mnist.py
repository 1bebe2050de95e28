"""In place of `keras.datasets.mnist`."""

from idxhub_compat.keras_datasets.load import Pair, load_pairs


def load_data(path: str = "mnist.npz") -> tuple[Pair, Pair]:
    """`(x_train, y_train), (x_test, y_test)` of MNIST.

    Images are uint8, (60000, 28, 28) and (10000, 28, 28); labels are uint8, (60000,) and (10000,). `path`, where Keras
    keeps its copy, is ignored: idxhub has a cache of its own. Raises `IdxHubError` as `idxhub.load` does.
    """
    del path
    return load_pairs("mnist")
