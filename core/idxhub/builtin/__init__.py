"""The datasets that come with idxhub, as data: a module for each family, with the source of its digests.

A dataset is offered only if every digest that is needed to tell its files is known.
"""

from idxhub.builtin.emnist import EMNIST
from idxhub.builtin.fashion_mnist import FASHION_MNIST, FASHION_MNIST_SAMPLE
from idxhub.builtin.kmnist import KMNIST
from idxhub.builtin.mnist import MNIST
from idxhub.builtin.qmnist import QMNIST

DATASETS = (FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST, KMNIST, QMNIST, *EMNIST)

__all__ = ["DATASETS", "EMNIST", "FASHION_MNIST", "FASHION_MNIST_SAMPLE", "KMNIST", "MNIST", "QMNIST"]
