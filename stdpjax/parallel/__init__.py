"""Any number of devices and processes: one axis of devices, one contiguous block of the leading axis on each.

Blocks never talk to each other; the only communication is the gathering of what they computed. With several processes
every one of them calls the same functions with the same arguments in the same order, and gets the whole result.
"""

from stdpjax.parallel.devices import is_placed, is_traced, map_blocks, map_sharded, mesh, n_devices
from stdpjax.parallel.processes import MainProcessError, initialize, is_main_process, on_main_process

__all__ = ["MainProcessError", "initialize", "is_main_process", "is_placed", "is_traced", "map_blocks", "map_sharded"]
__all__ += ["mesh", "n_devices", "on_main_process"]
