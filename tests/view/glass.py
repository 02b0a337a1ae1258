"""A terminal small enough to trust: what people see of the bytes of a live view."""

import re

from spry.view.columns import width

PART = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Glass:
    """Understands line ends, cursor up, erase to the end of the line or the screen, and ignores colours."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.row = self.column = 0
        self.widest = 0

    def feed(self, data):
        text = data.decode()
        assert "".join(found[0] for found in PART.finditer(text)) == text, "unknown sequence"
        for number, letter, end, plain in PART.findall(text):
            if letter:
                self._obey(letter, number)
            elif end:
                self._end(end)
            else:
                self._put(plain)
        return self

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)

    def _obey(self, letter, number):
        if letter == "A":
            assert int(number) <= self.row, "above everything"
            self.row -= int(number)
        elif letter == "J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        else:
            assert letter == "m", letter

    def _end(self, end):
        self.column = 0
        if end == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))

    def _put(self, plain):
        line = self.lines[self.row]
        self.lines[self.row] = line[: self.column] + plain + line[self.column + len(plain) :]
        self.column += len(plain)
        self.widest = max(self.widest, width(self.lines[self.row]))
