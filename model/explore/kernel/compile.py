"""Compiles LLVM text to machine code, kept in the cache under a key for everything that it is made from."""

from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import llvmlite
import llvmlite.binding as llvm

from model import cache

KIND: Final = "code"
"""The folder of the cache."""


@dataclass(frozen=True)
class Compiled:
    """Addresses of the functions of a module, valid as long as this object exists."""

    addresses: dict[str, int]
    seconds: float
    """Compile time; close to zero if the code was cached."""
    engine: Any = field(repr=False)
    key: str
    """What tells the module from all others."""


def compile_module(text: str, names: tuple[str, ...], *, level: int = 2, kept: bool = True) -> Compiled:
    """Compiles a module, or loads it from the cache. `level`: optimization level; 0 compiles ten times as fast as 2.

    `kept`: whether it is written to the cache; not if it is needed only once.
    """
    about = hashlib.sha256(text.encode()).hexdigest()
    return load(about, names, lambda: llvm.parse_assembly(text), level=level, kept=kept)


def load_kept(about: str, names: tuple[str, ...]) -> Compiled | None:
    """Loads what `compile_module` has compiled, by the key of it; None if it is not kept (for this kind of processor)."""
    try:
        return load(about, names, _absent)
    except LookupError:
        return None


def _absent() -> Any:
    raise LookupError


def load(about: str, names: tuple[str, ...], made: Callable[[], Any], *, level: int = 2, kept: bool = True) -> Compiled:
    """Loads the code of a module from the cache, or makes and compiles it. `about`: tells the module from all others."""
    started = time.perf_counter()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=level
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    key = cache.key_of(KIND, llvmlite.__version__, level, llvm.get_host_cpu_name(), features, about)
    code = cache.read(KIND, key)
    if code is None:
        code = _object(made(), machine, level)
        if kept:
            cache.write(KIND, key, code)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    addresses = {name: engine.get_function_address(name) for name in names}
    return Compiled(addresses, time.perf_counter() - started, engine, about)


def _object(module: Any, machine: Any, level: int) -> bytes:
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = False  # there are no loops
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def call(address: int, *buffers: ctypes.Array[ctypes.c_uint64]) -> int:
    """Calls a compiled function from Python, for tests and paths."""
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, *([ctypes.c_void_p] * len(buffers)))(address)
    return int(function(*map(ctypes.addressof, buffers)))
