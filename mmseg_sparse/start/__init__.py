"""From images and labels to a project that trains: ``init``."""
