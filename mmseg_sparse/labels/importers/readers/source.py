"""All that a reader needs to take a source apart safely."""

from ....utils.npy import load_npy
from ....utils.untrusted import (
    decode_text,
    load_json,
    load_xml,
    read_bytes,
    read_zip_member,
)
from ....utils.values import (
    coordinate,
    get,
    image_name,
    members,
    number,
    parse_int,
    parse_number,
    reason,
    shown,
    size,
    xy_list,
)
from ...png import load_png_index
from .rle import decode_coco_rle, decode_runs

__all__ = [
    'coordinate',
    'decode_coco_rle',
    'decode_runs',
    'decode_text',
    'get',
    'image_name',
    'load_json',
    'load_npy',
    'load_png_index',
    'load_xml',
    'members',
    'number',
    'parse_int',
    'parse_number',
    'read_bytes',
    'read_zip_member',
    'reason',
    'shown',
    'size',
    'xy_list',
]
