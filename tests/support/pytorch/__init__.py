"""PyTorch's side of the comparisons: networks, losses and a training loop, written from their
published descriptions. Not part of the product."""
