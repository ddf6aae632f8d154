"""Image classification: pictures by class in, a small convolutional network out."""
