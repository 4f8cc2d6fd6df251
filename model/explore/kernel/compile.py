"""Compiles LLVM text to machine code, cached in the user's cache folder under the digest of the text."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import platformdirs


def cache_folder() -> Path:
    """The folder of compiled code: `$ONDEMAND_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("ONDEMAND_CACHE") or platformdirs.user_cache_dir("alcor-on-demand")) / "kernels"


@dataclass(frozen=True)
class Compiled:
    """Addresses of the functions of a module, valid as long as this object exists."""

    addresses: dict[str, int]
    seconds: float
    """Compile time; close to zero if the code was cached."""
    engine: Any = field(repr=False)


def compile_module(text: str, names: tuple[str, ...], *, level: int = 2, kept: bool = True) -> Compiled:
    """Compiles a module, or loads it from the cache. `level`: optimization level; 0 compiles ten times as fast as 2.

    `kept`: whether it is written to the cache; not if it is needed only once.
    """
    started = time.perf_counter()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=level
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    features = llvm.get_host_cpu_features().flatten()
    about = f"{llvmlite.__version__} {level} {llvm.get_host_cpu_name()} {features}\n{text}"
    path = cache_folder() / f"{hashlib.sha256(about.encode()).hexdigest()}.o"
    code = _read(path)
    if code is None:
        code = _object(text, machine, level)
        if kept:
            _write(path, code)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    addresses = {name: engine.get_function_address(name) for name in names}
    return Compiled(addresses, time.perf_counter() - started, engine)


def _object(text: str, machine: Any, level: int) -> bytes:
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = False  # there are no loops
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Two processes may compile the same module; the last rename wins, and both files have the same bytes.

    An unwritable cache costs time only.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)


def call(address: int, *buffers: ctypes.Array[ctypes.c_uint64]) -> int:
    """Calls a compiled function from Python, for tests and paths."""
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, *([ctypes.c_void_p] * len(buffers)))(address)
    return int(function(*map(ctypes.addressof, buffers)))
