"""What every room may use: files, checks of untrusted data."""
