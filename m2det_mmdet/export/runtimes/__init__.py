"""What runs exported files: a module a format."""
