"""The network: two convolutions and a dense layer."""

from torch import Tensor, nn

SMALLEST = 10  # pixels: below, nothing is left after the second pooling


def build(*, channels: int, size: int, classes: int) -> nn.Sequential:
    """(N, channels, size, size) in [0, 1] to logits (N, classes); 34,826 numbers for digits."""
    side = ((size - 2) // 2 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 32, kernel_size=3),
        nn.MaxPool2d(2),  # before the ReLU: the same numbers with a quarter of the work
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * side * side, classes),
    )


def scaled(images: Tensor) -> Tensor:
    """uint8 pictures as the network takes them."""
    return images.float().div_(255)
