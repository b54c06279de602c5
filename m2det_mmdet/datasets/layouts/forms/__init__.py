"""Forms of data folders, one file each."""
