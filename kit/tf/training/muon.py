"""Muon: an optimizer that moves all directions of a convolution's kernel by equal lengths."""

import keras
import tensorflow as tf

MOMENTUM = 0.95
TURNS = 5
POLYNOMIAL = 3.4445, -4.7750, 2.0315  # of Jordan 2024: steep at 0, so that five turns do
RMS = 0.2  # of an update's elements at learning rate 1, about Adam's (Liu 2025, Muon is scalable for LLM training)


@keras.saving.register_keras_serializable(package="kit")
class Muon(keras.optimizers.Adam):
    """Muon (Jordan 2024) for the kernels of convolutions, as matrices of one column a filter; Adam for all else.

    All else: biases, norms, dense layers, and the convolutions that read an image or write a map, whose rows or columns are too few.
    One learning rate serves both. Keras's own, given the kernels as such matrices, took a training of 17 minutes on two cores from a mean
    pixel IoU of 0.428 to 0.454.
    """

    def update_step(self, gradient, variable, learning_rate):
        if len(variable.shape) != 4 or variable.shape[2] == 3 or variable.shape[3] == 1:
            super().update_step(gradient, variable, learning_rate)
            return
        gradient = tf.cast(gradient, tf.float32)
        momentum = self._momentums[self._get_variable_index(variable)]
        self.assign(momentum, MOMENTUM * momentum + gradient)
        matrix = tf.reshape(gradient + MOMENTUM * momentum, (-1, variable.shape[3]))
        scale = (
            RMS * max(matrix.shape) ** 0.5
        )  # an orthogonal matrix has elements of 1 / sqrt(its longer side)
        step = tf.cast(learning_rate, tf.float32) * scale * orthogonalize(matrix)
        self.assign_sub(variable, tf.reshape(step, variable.shape))


def orthogonalize(matrix) -> tf.Tensor:
    """A matrix, float32 (rows, columns), with its singular values made about equal: 0.7 to 1.2, those near 0 less.

    Five Newton-Schulz turns X <- X (a + b X'X + c (X'X)^2) from X / |X|. All turns are polynomials of the first X'X, so they are computed
    on that small square matrix, and X is multiplied once at the end: a third of the cost. Products must be exact to float32: in TF32 small
    singular values drown in X'X (see kit.tf).
    """
    if matrix.shape[0] < matrix.shape[1]:
        return tf.transpose(orthogonalize(tf.transpose(matrix)))
    a, b, c = POLYNOMIAL
    matrix = matrix / (tf.norm(matrix) + 1e-7)
    square = tf.matmul(matrix, matrix, transpose_a=True)
    one = tf.eye(matrix.shape[1])
    factors = None
    for turn in range(TURNS):
        factor = a * one + b * square + c * tf.matmul(square, square)
        factors = factor if factors is None else tf.matmul(factors, factor)
        if turn < TURNS - 1:
            square = tf.matmul(tf.matmul(factor, square), factor)
    return tf.matmul(matrix, factors)
