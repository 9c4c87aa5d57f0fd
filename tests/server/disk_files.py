"""The files of a disk cache (src/state/disk_file.h) as a test reads and forges them, without Braid's own code."""

import dataclasses
import struct
from pathlib import Path

HEADER = struct.Struct("<8sII14Q")
MASK = (1 << 64) - 1


def checksum(data):
    """As src/base/checksum.h says."""
    total = 0xcbf29ce484222325 ^ len(data)
    for (word,) in struct.iter_unpack("<Q", data + bytes(-len(data) % 8)):
        total = (total ^ word) * 0x100000001b3 & MASK
        total ^= total >> 29
    return total


def sum_of(*parts):
    return checksum(struct.pack(f"<{len(parts)}Q", *map(checksum, parts)))


@dataclasses.dataclass
class File:
    path: Path
    fields: tuple  # of the header
    tokens: tuple

    is_state = property(lambda self: self.fields[2] == 1)
    number = property(lambda self: self.fields[5])
    parent = property(lambda self: self.fields[6])
    floor = property(lambda self: self.fields[10])

    def forge(self):
        """Fills everything behind the tokens with zeros, and makes the checksums right again."""
        sizes = [4 * self.fields[12], 4 * self.fields[13], self.fields[14]]
        tokens = struct.pack(f"<{len(self.tokens)}i", *self.tokens)
        fields = [*self.fields[:15], sum_of(*map(bytes, sizes)), 0]
        fields[-1] = sum_of(HEADER.pack(*fields), tokens)
        self.path.write_bytes(HEADER.pack(*fields) + tokens + bytes(sum(sizes)))


def read(path):
    """None for what is not as long as its header says."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(HEADER.size)
        if len(head) < HEADER.size:
            return None
        fields = HEADER.unpack(head)
        count, floats, rows = fields[9], fields[12] + fields[13], fields[14]
        if size != HEADER.size + 4 * (count + floats) + rows:
            return None
        return File(path, fields, struct.unpack(f"<{count}i", file.read(4 * count)))


def lines(folder):
    """What stands in the folder: states with all the tokens that they stand after, and trouble with files that have
    a name and should not be there."""
    files, trouble = {}, []
    for path in sorted(folder.glob("*/*")):
        if path.suffix not in (".state", ".run"):
            continue
        file = read(path)
        if file is None:
            trouble.append(f"{path.name} has a name and is not whole")
        else:
            files[file.number] = file
    states = []
    for file in files.values():
        tokens, at = file.tokens, file
        while at.parent != 0:
            if at.parent not in files:
                trouble.append(f"{file.path.name} has its name before a run that it builds on")
                break
            at = files[at.parent]
            tokens = at.tokens + tokens
        else:
            if file.is_state:
                states.append((tokens, file))
    return states, trouble


def usable(states, prompt):
    """How many tokens of the prompt the best of the states spares, and that state."""
    best = (0, None)
    for tokens, file in states:
        same = next((i for i, (a, b) in enumerate(zip(tokens, prompt)) if a != b), min(len(tokens), len(prompt)))
        same = min(same, len(prompt) - 1)
        if same >= file.floor and same > best[0]:
            best = (same, file)
    return best
