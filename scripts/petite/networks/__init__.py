"""Networks and what loads Keras: what features and training both use."""
