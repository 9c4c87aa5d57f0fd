"""As much of a terminal as tests and captured screens need: bytes in, rows of text out."""

import re
import unicodedata

ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([@-~])")


def width(char):
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Screen:
    """Rows that scroll off at the top stay in `lines`; a cell holds a character, "" behind a wide one."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[]]
        self.row = self.column = 0
        self.modes = set()
        self.pending = b""

    def top(self):
        return max(0, len(self.lines) - self.rows)

    def feed(self, data):
        data = self.pending + data
        text = data.decode("utf-8", "ignore") if data[-4:].isascii() else None
        if text is None:  # a character may be cut at the end
            for cut in range(len(data), max(0, len(data) - 4), -1):
                try:
                    text = data[:cut].decode("utf-8")
                    self.pending = data[cut:]
                    break
                except UnicodeDecodeError:
                    continue
            else:
                text, self.pending = data.decode("utf-8", "replace"), b""
        else:
            self.pending = b""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = ESCAPE.match(text, at)
                if not found:
                    self.pending = text[at:].encode() + self.pending
                    return
                self.escape(found.group(1), found.group(2))
                at = found.end()
            else:
                self.put(text[at])
                at += 1

    def resize(self, columns, rows):
        """Rows longer than a narrower screen go on in the next one, as most terminals have it."""
        lines, row, column = [], 0, 0
        for i, line in enumerate(self.lines):
            line = list(line)
            while line and line[-1] in ("", " "):
                line.pop()
            if i == self.row:
                row, column = len(lines) + self.column // columns, self.column % columns
            lines.extend(line[at:at + columns] for at in range(0, max(1, len(line)), columns))
        lines.extend([] for _ in range(row + 1 - len(lines)))
        self.lines, self.row, self.column = lines, row, column
        self.columns, self.rows = columns, rows

    def down(self):
        self.row += 1
        while self.row >= len(self.lines):
            self.lines.append([])

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        elif char == "\t":
            self.column = min(self.columns - 1, self.column // 8 * 8 + 8)
        elif char >= " ":
            size = width(char)
            line = self.lines[self.row]
            if size == 0:  # it belongs to the character before
                if line and self.column > 0:
                    line[min(self.column, len(line)) - 1] += char
                return
            if self.column + size > self.columns:
                self.column = 0
                self.down()
                line = self.lines[self.row]
            line.extend(" " * (self.column + size - len(line)))
            line[self.column] = char
            for i in range(1, size):
                line[self.column + i] = ""
            self.column += size

    def escape(self, numbers, final):
        n = int(numbers) if numbers.isdigit() else 0
        if final == "A":
            self.row = max(self.top(), self.row - max(n, 1))
        elif final == "C":
            self.column = min(self.columns - 1, self.column + max(n, 1))
        elif final == "H":
            self.row, self.column = self.top(), 0
        elif final == "J":
            first = self.top() if n == 2 else self.row
            del self.lines[first + 1:]
            if n == 2:
                self.lines[first] = []
            else:
                del self.lines[first][self.column:]
            while self.row >= len(self.lines):
                self.lines.append([])
        elif final == "K":
            del self.lines[self.row][self.column:]
        elif final in "hl" and numbers.startswith("?"):
            (self.modes.add if final == "h" else self.modes.discard)(numbers)

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def shown(self):
        return "\n".join("".join(line).rstrip() for line in self.lines[self.top():])

    def cursor_line(self):
        return "".join(self.lines[self.row]).rstrip()
