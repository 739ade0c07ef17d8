"""Settings of a training taken from a study's configuration."""

from cloudchamber.learning.options import TrainingOptions
from cloudchamber.schema import Config


class Study(Config):
    epochs: int = 7
    learning_rate: float = 0.5
    nucleus: str = "U238"


def test_settings_of_the_same_name_are_taken_and_others_keep_their_defaults() -> None:
    found = TrainingOptions.of(Study())
    assert (found.epochs, found.learning_rate) == (7, 0.5)
    assert found == TrainingOptions(epochs=7, learning_rate=0.5)
