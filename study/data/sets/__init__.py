"""Layouts of data sets -> samples."""
