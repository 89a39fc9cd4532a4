"""Losses: one float32 value a sample, from probabilities (batch, height, width) and masks of 0 and 1."""

from __future__ import annotations

import keras
import tensorflow as tf


def _flat(truth, prediction):
    shape = [tf.shape(prediction)[0], -1]
    return tf.reshape(tf.cast(truth, tf.float32), shape), tf.reshape(tf.cast(prediction, tf.float32), shape)


@keras.saving.register_keras_serializable(package="kit")
class Dice(keras.losses.Loss):
    """1 - (2 sum(y p) + s) / (sum(y) + sum(p) + s), with s = 1 px so that it is defined on an empty mask (Milletari 2016, V-Net)."""

    def call(self, y_true, y_pred):
        truth, prediction = _flat(y_true, y_pred)
        both = tf.reduce_sum(truth * prediction, 1)
        return 1 - (2 * both + 1) / (tf.reduce_sum(truth, 1) + tf.reduce_sum(prediction, 1) + 1)


@keras.saving.register_keras_serializable(package="kit")
class CrossEntropy(keras.losses.Loss):
    """Mean over pixels of -w y log(p) - (1 - y) log(1 - p): unlike dice it has a gradient on empty masks; w weighs object pixels."""

    def __init__(self, weight: float = 3.0, **options):
        super().__init__(**options)
        self.weight = weight

    def call(self, y_true, y_pred):
        truth, prediction = _flat(y_true, y_pred)
        prediction = tf.clip_by_value(prediction, 1e-6, 1 - 1e-6)
        return tf.reduce_mean(-self.weight * truth * tf.math.log(prediction) - (1 - truth) * tf.math.log1p(-prediction), 1)

    def get_config(self):
        return super().get_config() | {"weight": self.weight}


def dice_and_cross_entropy(masks, probabilities) -> tf.Tensor:
    """The loss that trains: dice for the outlines plus cross entropy for the empty images, float32 (batch,)."""
    return Dice().call(masks, probabilities) + CrossEntropy().call(masks, probabilities)
