"""Checks for the book's exercises. Each says what's wrong with an answer, or that nothing is."""

from mnist_code.exercises.autodiff import check_loss
from mnist_code.exercises.classification import check_accuracy
from mnist_code.exercises.deployment import check_quantized
from mnist_code.exercises.faster import check_operations
from mnist_code.exercises.forward_pass import check_softmax
from mnist_code.exercises.further import check_shift
from mnist_code.exercises.initialization import check_init
from mnist_code.exercises.jit import check_padded
from mnist_code.exercises.loading import check_batches
from mnist_code.exercises.project import check_optimizer, check_program
from mnist_code.exercises.pure_functions import check_running_mean
from mnist_code.exercises.two_numbers import check_possible_counts
from mnist_code.exercises.vmap import check_pairwise
from mnist_code.exercises.whole_program import check_second_choice
from mnist_code.exercises.wider import check_shares

__all__ = [
    "check_accuracy",
    "check_batches",
    "check_init",
    "check_loss",
    "check_operations",
    "check_optimizer",
    "check_padded",
    "check_pairwise",
    "check_possible_counts",
    "check_program",
    "check_quantized",
    "check_running_mean",
    "check_second_choice",
    "check_shares",
    "check_shift",
    "check_softmax",
]
