"""Generates parts of the book from the program, its schemas and its error codes."""
