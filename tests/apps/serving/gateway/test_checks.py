"""JSON becomes the bytes that numpy would make of it, or is refused with the place named."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.results import Signature, Tensor
from apps.common.errors import DomainError
from apps.serving.checks import Checker


def checker(*tensors: Tensor) -> Checker:
    signature = Signature(task="table", inputs=list(tensors), outputs=[], weights="")
    return Checker(signature, 8)


def tensor(dtype: str, *shape: int | None, name: str = "x") -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=list(shape))


def body(**inputs) -> bytes:
    return json.dumps({"inputs": inputs}).encode()


def refusal(checker: Checker, raw: bytes) -> tuple[str, dict]:
    with pytest.raises(DomainError) as caught:
        checker.read("application/json", raw)
    return caught.value.code, caught.value.params


class TestJson:
    @given(st.integers(1, 8), st.integers(1, 3), st.integers(1, 3), st.randoms())
    def test_is_packed_in_c_order(self, rows, height, width, random):
        values = np.array(
            [random.uniform(-9, 9) for _ in range(rows * height * width)], "<f4"
        ).reshape(rows, height, width)

        payload = checker(tensor("float32", None, height, width)).read(
            "application/json", body(x=values.tolist())
        )

        assert (payload.kind, payload.rows, payload.body) == ("tensors", rows, values.tobytes())

    @pytest.mark.parametrize(
        ("dtype", "values"),
        [
            ("float64", [1.5, 2]),
            ("float16", [1.5, 2]),
            ("int64", [2**60, -1]),
            ("int32", [2**30, -1]),
            ("uint8", [255, 0]),
            ("bool", [True, False]),
        ],
    )
    def test_is_of_any_dtype(self, dtype, values):
        payload = checker(tensor(dtype, None)).read("application/json", body(x=values))

        assert payload.body == np.array(values, dtype).tobytes()

    def test_of_several_inputs_is_one_after_the_other(self):
        two = checker(tensor("uint8", None, 2, name="a"), tensor("uint8", None, name="b"))

        payload = two.read("application/json", body(b=[5, 6], a=[[1, 2], [3, 4]]))

        assert (payload.rows, payload.body) == (2, bytes([1, 2, 3, 4, 5, 6]))

    def test_of_several_inputs_has_as_many_rows_of_each(self):
        two = checker(tensor("uint8", None, 2, name="a"), tensor("uint8", None, name="b"))

        code, params = refusal(two, body(a=[[1, 2], [3, 4]], b=[5]))

        assert code == "input_shape"
        assert params == {"field": "b", "expected": "[2]", "found": "[1]"}

    def test_without_a_free_dimension_is_one_row(self):
        payload = checker(tensor("uint8", 2, 2)).read("application/json", body(x=[[1, 2], [3, 4]]))

        assert (payload.rows, payload.body) == (1, bytes([1, 2, 3, 4]))

    @pytest.mark.parametrize(
        ("dtype", "value", "code", "index"),
        [
            ("float32", [[1, 2], [3, 1e39]], "input_not_finite", "[1, 1]"),
            ("uint8", [[1, 2], [256, 3]], "input_not_finite", "[1, 0]"),
            ("uint8", [[1, 2.0], [3, 4]], "input_dtype", "[0, 1]"),
            ("float32", [["a", 2], [3, 4]], "input_dtype", "[0, 0]"),
            ("bool", [[True, 1], [False, True]], "input_dtype", "[0, 1]"),
        ],
    )
    def test_names_the_place(self, dtype, value, code, index):
        found, params = refusal(checker(tensor(dtype, None, 2)), body(x=value))

        assert (found, params["index"]) == (code, index)

    @pytest.mark.parametrize(
        "value", [1, "a", None, {}, [1, 2], [[1, 2], [3]], [[1, 2], 3], [[1, [2]]], [[]]]
    )
    def test_of_another_shape_is_refused(self, value):
        assert refusal(checker(tensor("float32", None, 2)), body(x=value))[0] == "input_shape"

    @given(st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ))  # fmt: skip
    def test_of_any_kind_is_taken_or_refused(self, value):
        raw = json.dumps({"inputs": {"x": value}}, allow_nan=True).encode()
        try:
            payload = checker(tensor("float32", None, 2)).read("application/json", raw)
        except DomainError:
            return
        assert np.frombuffer(payload.body, "<f4").tobytes() == np.array(value, "<f4").tobytes()


class TestSignatures:
    def test_with_other_free_dimensions_take_no_numbers(self):
        assert checker(tensor("float32", None, None)).accepted == []
