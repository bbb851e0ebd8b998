"""Networks and the loading of Keras, for features and training."""
