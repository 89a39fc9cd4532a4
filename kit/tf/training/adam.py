"""Adam, in which the encoder learns at a rate of its own and may begin later."""

from collections.abc import Sequence

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kit")
class Adam(keras.optimizers.Adam):
    """Adam (Kingma 2015), in which the encoder learns at a share of the rate and may begin later.

    Adam's bias correction counts steps. For an encoder that was frozen at first, it must count the
    encoder's own steps: when it thaws, its moments are 0, and if they were taken for those of a
    later step, the encoder would move up to 6.5 times too far.

    Args:
        learning_rate: of all variables but the encoder's.
        encoder: the encoder's variables.
        encoder_rate: the encoder's share of the learning rate.
        freezes: whether some steps leave the encoder's variables out.
        **options: of keras.optimizers.Adam.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        encoder: Sequence[keras.Variable] = (),
        encoder_rate: float = 1.0,
        freezes: bool = False,
        **options,
    ):
        super().__init__(learning_rate, **options)
        # Keras would take variables, if they were kept here, for the optimizer's own.
        self.encoder = frozenset(map(self._var_key, encoder))
        self.encoder_rate, self.freezes = encoder_rate, freezes

    def build(self, var_list):
        if self.built:
            return
        super().build(var_list)
        if self.freezes:
            self.encoder_steps = self.add_variable(
                (), dtype="int", aggregation="only_first_replica", name="encoder_steps"
            )

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        learning = trainable_variables or self._trainable_variables
        if self.freezes and any(map(self.in_encoder, learning)):
            self.encoder_steps.assign_add(1)

    def in_encoder(self, variable) -> bool:
        """Whether a variable is the encoder's."""
        return self._var_key(variable) in self.encoder

    def choose_rate(self, variable, learning_rate):
        """The learning rate of a variable."""
        if not self.in_encoder(variable):
            return learning_rate
        return tf.cast(learning_rate, tf.float32) * self.encoder_rate

    def update_step(self, gradient, variable, learning_rate):
        rate = self.choose_rate(variable, learning_rate)
        if self.freezes and self.in_encoder(variable):
            rate *= self._correct(self.encoder_steps) / self._correct(self.iterations)
        super().update_step(gradient, variable, rate)

    def _correct(self, steps):
        """The bias correction after so many steps (Kingma 2015, the end of section 2)."""
        count = tf.cast(steps, tf.float32) + 1
        return tf.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
