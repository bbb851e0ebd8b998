"""What features and training both use of neural networks: pretrained backbones."""
