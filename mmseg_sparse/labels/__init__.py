"""Label files: reading, writing, checking and making them, without a model."""
