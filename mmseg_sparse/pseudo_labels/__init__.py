"""From a trained model back to label files."""
