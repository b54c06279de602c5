"""Forms of data folders, one file for each."""
