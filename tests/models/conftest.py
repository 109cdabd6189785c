import pytest
from mmengine.logging import MessageHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> MessageHub:
    """A training's progress, which the test sets."""
    instance = MessageHub('a training')
    monkeypatch.setattr(
        MessageHub, 'get_current_instance', classmethod(lambda cls: instance)
    )
    instance.update_info('iter', 0)
    return instance
