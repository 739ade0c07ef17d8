"""Sixteen numbers at once inside compiled loops.

Numba cannot know that two arrays do not overlap, and then often does not vectorise; with these the loop says itself
what stays in registers. Any processor can run them (LLVM splits what is too wide). Offsets count elements of contiguous
arrays from their start and are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

LANES = 16
VECTOR = ir.VectorType(ir.FloatType(), LANES)
LOOSE = ("contract",)  # a product and a sum may become one operation


class Float32x16(types.Type):
    """The type of a vector in compiled code."""


float32x16: Any = Float32x16(name="float32x16")


@register_model(Float32x16)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)  # type: ignore[no-untyped-call,unused-ignore]


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    start = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [offset]), VECTOR.as_pointer())


def _broadcast(builder: Any, scalar: Any) -> Any:
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.IntType(32)(0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(VECTOR, ir.Undefined), mask)


def _load(_: Any, array: Any, __: Any) -> tuple[Any, Callable[..., Any]]:
    """``load(array, offset)``: sixteen consecutive elements."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], *arguments), align=4)

    return float32x16(array, types.intp), code


def _number(_: Any, array: Any, __: Any) -> tuple[Any, Callable[..., Any]]:
    """``number(array, offset)``: one element, without the look whether the offset is negative."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, offset = arguments
        start = context.make_array(signature.args[0])(context, builder, array).data
        return builder.load(builder.gep(start, [offset]))

    return types.float32(array, types.intp), code


def _store(_: Any, array: Any, __: Any, ___: Any) -> tuple[Any, Callable[..., Any]]:
    """``store(array, offset, vector)``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, offset, vector = arguments
        builder.store(vector, _pointer(context, builder, signature.args[0], array, offset), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, float32x16), code


def _constant(_: Any, __: Any) -> tuple[Any, Callable[..., Any]]:
    """``constant(scalar)``: sixteen times the same."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return _broadcast(builder, arguments[0])

    return float32x16(types.float32), code


def _added(_: Any, __: Any, ___: Any) -> tuple[Any, Callable[..., Any]]:
    """``added(a, b)``: a + b."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments, flags=LOOSE)

    return float32x16(float32x16, float32x16), code


def _more(_: Any, __: Any, ___: Any, ____: Any) -> tuple[Any, Callable[..., Any]]:
    """``more(total, scalar, vector)``: total + scalar * vector."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        total, scalar, vector = arguments
        return builder.fadd(total, builder.fmul(_broadcast(builder, scalar), vector, flags=LOOSE), flags=LOOSE)

    return float32x16(float32x16, types.float32, float32x16), code


def _product(_: Any, __: Any, ___: Any, ____: Any) -> tuple[Any, Callable[..., Any]]:
    """``product(total, a, b)``: total + a * b, lane by lane."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        total, a, b = arguments
        return builder.fadd(total, builder.fmul(a, b, flags=LOOSE), flags=LOOSE)

    return float32x16(float32x16, float32x16, float32x16), code


def _divided(_: Any, __: Any, ___: Any) -> tuple[Any, Callable[..., Any]]:
    """``divided(a, b)``: a / b."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments)

    return float32x16(float32x16, float32x16), code


def _larger(_: Any, __: Any, ___: Any) -> tuple[Any, Callable[..., Any]]:
    """``larger(a, b)``: the larger one, and ``b`` if ``a`` is not a number."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        a, b = arguments
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    return float32x16(float32x16, float32x16), code


def _where_equal(_: Any, __: Any, ___: Any, ____: Any) -> tuple[Any, Callable[..., Any]]:
    """``where_equal(a, b, c)``: c where a = b, else 0."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        a, b, c = arguments
        return builder.select(builder.fcmp_ordered("==", a, b), c, ir.Constant(VECTOR, [0.0] * LANES))

    return float32x16(float32x16, float32x16, float32x16), code


def _sloped(_: Any, __: Any, ___: Any, ____: Any) -> tuple[Any, Callable[..., Any]]:
    """``sloped(z, slope, g)``: g where z > 0, else slope * g; not a number stays one, as g or as a sign that fails."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        z, slope, g = arguments
        positive = builder.fcmp_ordered(">", z, ir.Constant(VECTOR, [0.0] * LANES))
        return builder.select(positive, g, builder.fmul(_broadcast(builder, slope), g))

    return float32x16(float32x16, types.float32, float32x16), code


# What mypy sees of an intrinsic is how it is made, not how it is called: hence Any.
load: Any = intrinsic(_load)
number: Any = intrinsic(_number)
store: Any = intrinsic(_store)
constant: Any = intrinsic(_constant)
added: Any = intrinsic(_added)
more: Any = intrinsic(_more)
product: Any = intrinsic(_product)
divided: Any = intrinsic(_divided)
larger: Any = intrinsic(_larger)
where_equal: Any = intrinsic(_where_equal)
sloped: Any = intrinsic(_sloped)
