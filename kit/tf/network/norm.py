"""Batch norms by TensorFlow's fused op, which Keras does not use."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kit")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch norm over the last axis, faster in training.

    In training it takes one op for the statistics and one for the gradient, instead of about forty.
    At inference, and if statistics are taken over several replicas (`synchronized`), it is Keras's
    own.
    """

    def call(self, inputs, training=None, mask=None):
        if not training or not self.trainable or self.synchronized:
            return super().call(inputs, training=training, mask=mask)
        gamma = (
            tf.ones(inputs.shape[-1:]) if self.gamma is None else tf.cast(self.gamma, tf.float32)
        )
        beta = tf.zeros(inputs.shape[-1:]) if self.beta is None else tf.cast(self.beta, tf.float32)
        values, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, gamma, beta, epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        # The op divides by count - 1, Keras keeps the mean square.
        variance = variance * (count - 1) / count
        for kept, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept.assign(kept * self.momentum + now * (1 - self.momentum))
        return values
