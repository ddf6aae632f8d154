"""A request's body, checked against what the model takes and turned into what its replica reads.

JSON is decoded once, into exactly the nesting that the signature says, and packed as raw tensors;
only a body that fails is looked at a second time, to say what is wrong with it. Pictures are
passed on as they came: their contents are foreign, and only a node decodes them.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np

from agents.protocol.calls import TENSORS
from agents.protocol.results import Signature, Tensor
from apps.common.errors import DomainError
from apps.common.parsers import MalformedJson

JSON = "application/json"
BINARY = "application/octet-stream"
CHARACTERS = 32  # of a number in JSON, with what stands around it
SLACK_BYTES = 16 * 1024
PICTURE_BYTES = 16 * 1024 * 1024

V = TypeVar("V")

# name -> how struct packs it, how numpy reads it
_DTYPES: dict[str, tuple[str, str]] = {
    "float16": ("e", "<f2"),
    "float32": ("f", "<f4"),
    "float64": ("d", "<f8"),
    "int8": ("b", "|i1"),
    "uint8": ("B", "|u1"),
    "int16": ("h", "<i2"),
    "int32": ("i", "<i4"),
    "int64": ("q", "<i8"),
    "bool": ("?", "|b1"),
}


class ContentTypeRefused(DomainError):
    """The endpoint takes no body of this type."""

    status = 415


class InputsMissing(DomainError):
    """The body has no "inputs"."""

    status = 422


class InputMissing(DomainError):
    """The model has an input that the body does not give."""

    status = 422


class InputUnknown(DomainError):
    """The body gives something that the model does not take."""

    status = 422


class InputShape(DomainError):
    """An input has another shape than the model takes."""

    status = 422


class InputDtype(DomainError):
    """An input holds something other than numbers of its type."""

    status = 422


class InputNotFinite(DomainError):
    """An input holds NaN, an infinity, or a number beyond its type."""

    status = 422


class InputRows(DomainError):
    """No rows, or more than are taken at once."""

    status = 422


class PictureUnreadable(DomainError):
    """The body is not the kind of picture that it says it is."""

    status = 422


class Payload(msgspec.Struct, frozen=True):
    """What goes to a replica."""

    kind: str
    body: bytes
    rows: int


class Checker:
    """Reads the bodies of one model version."""

    def __init__(self, signature: Signature, max_rows: int) -> None:
        self.max_rows = max_rows
        self._inputs = [_Input(tensor) for tensor in signature.inputs]
        self._names = [tensor.name for tensor in signature.inputs]
        self._pictures = signature.task.startswith("image_") and len(self._inputs) == 1
        self._tensors = bool(self._inputs) and all(one.usable for one in self._inputs)
        self._numbers = sum(one.numbers for one in self._inputs) if self._tensors else 0
        self._row_bytes = sum(one.row_bytes for one in self._inputs) if self._tensors else 0
        if self._tensors:
            self._decode = msgspec.json.Decoder(_body_type(self._inputs)).decode

    @property
    def accepted(self) -> list[str]:
        """The content types that can be read."""
        return [
            *([JSON] if self._tensors else []),
            *([BINARY] if self._tensors and len(self._inputs) == 1 else []),
            *(sorted(_MAGIC) if self._pictures else []),
        ]

    def limit(self, content_type: str) -> int:
        """The most bytes that a body of this type can have."""
        if content_type == JSON and self._tensors:
            return self.max_rows * self._numbers * CHARACTERS + SLACK_BYTES
        if content_type == BINARY and self._tensors and len(self._inputs) == 1:
            return self.max_rows * self._row_bytes
        if content_type in _MAGIC and self._pictures:
            return PICTURE_BYTES
        raise ContentTypeRefused(accepted=", ".join(self.accepted))

    def read(self, content_type: str, body: bytes) -> Payload:
        """The call that a body stands for; its type is one that ``limit`` has taken."""
        if content_type == JSON:
            return self._json(body)
        if content_type == BINARY:
            return self._binary(body)
        if not _MAGIC[content_type](body):
            raise PictureUnreadable(field=self._names[0], why="picture_of_another_kind")
        return Payload(content_type, body, 1)

    def _json(self, body: bytes) -> Payload:
        try:
            values = msgspec.structs.astuple(self._decode(body).inputs)
            if len(values) == 1:  # most models
                one, value = self._inputs[0], values[0]
                rows = self._agree([len(value) if one.free else 1])
                return Payload(TENSORS, one.pack(value), rows)
            rows = self._agree([len(value) if one.free else 1 for one, value in self._each(values)])
            packed = [one.pack(value) for one, value in self._each(values)]
        except (msgspec.MsgspecError, RecursionError, _Misfit):
            self._explain(body)
        return Payload(TENSORS, b"".join(packed), rows)

    def _binary(self, body: bytes) -> Payload:
        one = self._inputs[0]
        rows, rest = divmod(len(body), one.row_bytes)
        if rest or not rows or (rows > 1 and not one.free):
            raise InputShape(
                field=one.name,
                expected=f"n * {one.row_bytes} B" if one.free else f"{one.row_bytes} B",
                found=f"{len(body)} B",
            )
        self._agree([rows])
        one.check_raw(body)
        return Payload(TENSORS, body, rows)

    def _each(self, values: Sequence[V]) -> "zip[tuple[_Input, V]]":
        return zip(self._inputs, values, strict=True)

    def _agree(self, counts: Sequence[int]) -> int:
        """The rows of every input, which must be as many."""
        rows = counts[0]
        if not 0 < rows <= self.max_rows:
            raise InputRows(field=self._names[0], most=self.max_rows, found=rows)
        if any(count != rows for count in counts):
            raise _Misfit
        return rows

    def _explain(self, body: bytes) -> NoReturn:
        """Say what is wrong with a body that could not be read."""
        try:
            document = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise MalformedJson(why=str(error)) from error
        except RecursionError as error:
            raise MalformedJson(why="it is nested too deeply") from error
        if not isinstance(document, dict) or not isinstance(document.get("inputs"), dict):
            raise InputsMissing(names=", ".join(self._names))
        given: Mapping[str, Any] = document["inputs"]
        known = ", ".join(self._names)
        for name in (*(name for name in document if name != "inputs"), *given):
            if name not in self._names:
                raise InputUnknown(field=_short(name), known=known)
        for one in self._inputs:
            if one.name not in given:
                raise InputMissing(field=one.name)
        for one in self._inputs:
            one.explain(given[one.name])
        first = self._inputs[0]
        for one in self._inputs:  # each is right by itself: they do not agree
            if len(given[one.name]) != len(given[first.name]):
                rows = len(given[first.name])
                raise one.misshapen(_shape(given[one.name], one.depth), rows=rows)
        raise MalformedJson(why="it cannot be read")


class _Misfit(Exception):
    """Not what the signature says. What exactly, a second look finds out."""


class _Input:
    """One input of a model: how it is decoded, packed, and complained about."""

    def __init__(self, tensor: Tensor) -> None:
        self.name = tensor.name
        self.dtype = tensor.dtype.removeprefix("torch.")
        self.shape = tensor.shape
        self.depth = len(tensor.shape)
        self.free = bool(tensor.shape) and tensor.shape[0] is None
        self._inner = [size for size in tensor.shape[1 if self.free else 0 :] if size is not None]
        fixed = len(self._inner) == self.depth - self.free
        self.usable = fixed and self.depth > 0 and self.dtype in _DTYPES
        if self.usable:
            self._letter, numpy = _DTYPES[self.dtype]
            self._numpy = np.dtype(numpy)
            self.numbers = math.prod(self._inner)
            self.row_bytes = self.numbers * self._numpy.itemsize
            self.usable = self.numbers > 0

    def type(self) -> Any:
        """What msgspec decodes it to."""
        kind: Any = bool if self.dtype == "bool" else float if self._floating else int
        for _ in range(self.depth):
            kind = list[kind]
        return kind

    def pack(self, value: list[Any]) -> bytes:
        """Nested lists as raw numbers, in C order."""
        if not self.free and len(value) != self._inner[0]:
            raise _Misfit
        for size in self._inner[0 if self.free else 1 :]:
            for inner in value:
                if len(inner) != size:
                    raise _Misfit
            value = list(chain.from_iterable(value))
        try:
            return struct.pack(f"<{len(value)}{self._letter}", *value)
        except (struct.error, OverflowError):  # beyond what the type holds
            raise _Misfit from None

    def check_raw(self, body: bytes) -> None:
        numbers = np.frombuffer(body, self._numpy)
        if self._floating:
            finite = np.isfinite(numbers)
            if not finite.all():
                raise InputNotFinite(field=self.name, index=self._index(int(finite.argmin())))
        elif self.dtype == "bool" and np.frombuffer(body, np.uint8).max() > 1:
            raise InputDtype(field=self.name, expected=self.dtype, found="a byte above 1")

    def explain(self, value: Any) -> None:
        """Raise what is wrong with a value, if anything is."""
        found = _shape(value, self.depth)
        fits = len(found) == self.depth and all(
            wanted in (None, size) for wanted, size in zip(self.shape, found, strict=True)
        )
        if not fits:
            raise self.misshapen(found)
        for size in found[1:]:
            for inner in value:
                if not isinstance(inner, list) or len(inner) != size:
                    raise self.misshapen(found, uneven=True)
            value = list(chain.from_iterable(value))
        for index, number in enumerate(value):
            self._explain_number(number, index)

    def misshapen(
        self, found: Sequence[int], *, uneven: bool = False, rows: int | None = None
    ) -> InputShape:
        expected = ["n" if size is None else str(size) for size in self.shape]
        if rows is not None and self.free:
            expected[0] = str(rows)
        return InputShape(
            field=self.name,
            expected=f"[{', '.join(expected)}]",
            found=f"[{', '.join(map(str, found))}]" + (" (uneven)" if uneven else ""),
        )

    def _explain_number(self, number: Any, index: int) -> None:
        if isinstance(number, list):
            raise self.misshapen([*self._found(index), len(number)], uneven=True)
        if self.dtype == "bool":
            fits = isinstance(number, bool)
        else:
            kinds = int | float if self._floating else int
            fits = isinstance(number, kinds) and not isinstance(number, bool)
        if not fits:
            found = type(number).__name__
            raise InputDtype(
                field=self.name, expected=self.dtype, found=found, index=self._index(index)
            )
        try:
            struct.pack(f"<{self._letter}", number)
        except (struct.error, OverflowError):
            raise InputNotFinite(field=self.name, index=self._index(index)) from None

    def _found(self, index: int) -> list[int]:
        return [size if size is not None else index // self.numbers + 1 for size in self.shape]

    def _index(self, flat: int) -> str:
        """Where a number stands, as one would write it: [row, ..., column]."""
        places: list[int] = []
        for size in reversed(self._inner):
            flat, place = divmod(flat, size)
            places.append(place)
        if self.free:
            places.append(flat)
        return f"[{', '.join(map(str, reversed(places)))}]"

    @property
    def _floating(self) -> bool:
        return self.dtype.startswith("float")


def _body_type(inputs: Sequence[_Input]) -> Any:
    fields = [(f"input_{number}", one.type()) for number, one in enumerate(inputs)]
    names = {f"input_{number}": one.name for number, one in enumerate(inputs)}
    inner = msgspec.defstruct("Inputs", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return msgspec.defstruct("Body", [("inputs", inner)], forbid_unknown_fields=True, gc=False)


def _shape(value: Any, deepest: int) -> list[int]:
    """The sizes along the first elements."""
    sizes: list[int] = []
    while isinstance(value, list) and len(sizes) <= deepest:
        sizes.append(len(value))
        value = value[0] if value else None
    return sizes


def _short(name: str) -> str:
    return name if len(name) <= 64 else f"{name[:64]}..."


def _starts(*beginnings: bytes) -> Any:
    return lambda body: body.startswith(beginnings)


_MAGIC: dict[str, Any] = {
    "image/bmp": _starts(b"BM"),
    "image/gif": _starts(b"GIF87a", b"GIF89a"),
    "image/jpeg": _starts(b"\xff\xd8\xff"),
    "image/png": _starts(b"\x89PNG\r\n\x1a\n"),
    "image/webp": lambda body: body[:4] == b"RIFF" and body[8:12] == b"WEBP",
}
