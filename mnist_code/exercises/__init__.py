"""Checks for the book's exercises: each says what is still wrong, and raises until nothing is."""

from mnist_code.exercises.classification import check_accuracy
from mnist_code.exercises.loading import check_batches

__all__ = ["check_accuracy", "check_batches"]
