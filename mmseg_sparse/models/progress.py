"""How far a training is, for losses and heads that change with it."""

from mmengine.logging import MessageHub


def training_iteration() -> int:
    """Return the index of the running training iteration, from 0.

    It is MMEngine's own count, which a checkpoint holds: a resumed training
    continues in the phase it was in. 0 outside of a training.
    """
    return int(MessageHub.get_current_instance().get_info('iter', 0))
