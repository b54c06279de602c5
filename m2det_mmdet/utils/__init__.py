"""What several parts of the package need: errors, files, configs, images."""
