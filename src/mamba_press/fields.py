"""The fields at the head of METADATA and WHEEL, changed line by line: what is not asked for stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """The lines of a head, each with those that continue it; ``rest`` is the blank line and all that follows."""

    lines: tuple[bytes, ...]
    rest: bytes
    newline: bytes

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a field, continued lines joined; names count without case."""
        return tuple(_value(line) for line in self.lines if _name(line) == name.lower())

    def setting(self, name: str, values: tuple[str, ...]) -> Fields:
        """Return the fields with exactly these values of one, where its first value was, or last of all."""
        if values == self.values(name):
            return self
        places = [place for place, line in enumerate(self.lines) if _name(line) == name.lower()]
        at = places[0] if places else len(self.lines)
        old = {_value(self.lines[place]): self.lines[place] for place in places}
        new = tuple(old.get(value) or f"{name}: {value}".encode() for value in values)
        kept = [(place, line) for place, line in enumerate(self.lines) if place not in places]
        before = tuple(line for place, line in kept if place < at)
        return replace(self, lines=(*before, *new, *(line for place, line in kept if place > at)))

    def __bytes__(self) -> bytes:
        return self.newline.join(self.lines) + self.rest


def parse(text: bytes) -> Fields:
    """Return the fields of a text; ``bytes`` of them is the text again."""
    newline = b"\r\n" if text.partition(b"\n")[0].endswith(b"\r") else b"\n"
    head = text.partition(newline * 2)[0].removesuffix(newline)
    lines: list[bytes] = []
    for line in head.split(newline):
        if lines and line[:1] in (b" ", b"\t"):
            lines[-1] += newline + line
        else:
            lines.append(line)
    return Fields(lines=tuple(lines), rest=text[len(head) :], newline=newline)


def _name(line: bytes) -> str:
    return line.partition(b":")[0].decode("utf-8", errors="replace").strip().lower()


def _value(line: bytes) -> str:
    return " ".join(line.partition(b":")[2].decode("utf-8", errors="replace").split())
