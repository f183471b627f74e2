"""Files of other toolkits: what users already have, read into plain tables and arrays.

selfcond's ``expertise.csv`` (read and written), the nested lists of LAPE (``.pth``) and NeuroX's
activations (HDF5, JSON lines). A file of another shape is refused in one line that begins with its
name. pandas, h5py and torch load when a file needs them.
"""

from neurotrace.probes.exchange.lape import LapeNeurons, read_lape
from neurotrace.probes.exchange.neurox import (
    NeuroxActivations,
    PooledSentences,
    pool_neurox,
    read_neurox,
)
from neurotrace.probes.exchange.selfcond import expertise_table, read_expertise, write_expertise

__all__ = [
    "LapeNeurons",
    "NeuroxActivations",
    "PooledSentences",
    "expertise_table",
    "pool_neurox",
    "read_expertise",
    "read_lape",
    "read_neurox",
    "write_expertise",
]
