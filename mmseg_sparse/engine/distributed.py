"""Jobs of several processes where there is no GPU."""

import datetime
from typing import Any

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed


def prepare_cpu_job(cfg: Config) -> None:
    """Let a job that ``torchrun`` started run on CPU; call before the runner.

    MMEngine starts NCCL and hands the model a GPU number. Without a GPU this
    starts gloo instead, and tells the runner to wrap the model for no
    device. Nothing happens where there is a GPU, or one process only.

    Args:
        cfg: The config, with its ``launcher``; ``model_wrapper_cfg`` is set.

    Raises:
        ValueError: If the launcher is one that needs GPUs.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or get_device() != 'cpu':
        return
    if not is_distributed():
        if launcher != 'pytorch':
            raise ValueError(
                f'launcher={launcher!r} needs GPUs, which this machine does '
                "not have: start the job by torchrun, with launcher='pytorch'"
            )
        arguments: dict[str, Any] = {}
        seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        if seconds is not None:
            arguments['timeout'] = datetime.timedelta(seconds=seconds)
        torch.distributed.init_process_group('gloo', **arguments)
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    # As the runner does where the config names no wrapper.
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper
