"""Read the structure of media files from their bytes: which elements a file has, and whether their sizes are right.

``read_structure`` recognizes the format by the file's first bytes, never by its name. All readers visit a limited
number of elements and use a limited amount of memory, because a file may be hostile.
"""

from harness.verification.probe.container.reader import read_structure, structure_of
from harness.verification.probe.container.structure import Structure

__all__ = ["Structure", "read_structure", "structure_of"]
