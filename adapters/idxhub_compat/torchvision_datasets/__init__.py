"""In place of `torchvision.datasets`: `FashionMNIST`, `MNIST`, `KMNIST`, `QMNIST` and `EMNIST`.

They need torch and Pillow, and do not import torchvision.
"""

from idxhub_compat.torchvision_datasets.emnist import EMNIST
from idxhub_compat.torchvision_datasets.mnist import (
    KMNIST,
    MNIST,
    DatasetNotFoundError,
    FashionMNIST,
    WrongFilesError,
)
from idxhub_compat.torchvision_datasets.qmnist import QMNIST

__all__ = ["EMNIST", "KMNIST", "MNIST", "QMNIST", "DatasetNotFoundError", "FashionMNIST", "WrongFilesError"]
