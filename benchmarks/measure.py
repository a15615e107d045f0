"""Time and peak memory of a function in a process of its own, and what the machine is."""

import multiprocessing
import os
import platform
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch


def run_alone(function: Callable, *arguments) -> tuple[dict[str, float], object]:
    """Call a function of a module in a fresh process; return {seconds, peak_mib} and its result.

    peak_mib is what the process needed beyond what it held when the call began (Linux only). Whatever the function
    must not be charged for, it does before it calls `start_clock`.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(there, function, arguments))
    process.start()
    there.close()
    try:
        facts, result = here.recv()
    except EOFError:
        raise SystemExit("the measured process died; see above") from None
    process.join()
    return facts, result


def start_clock() -> None:
    """Begin to measure here: imports, reading and warming up are over."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")  # the high-water mark falls to what is in use now
    _begun["memory"], _begun["time"] = high_water(), time.perf_counter()


def high_water() -> float:
    """Most memory that this process has held at once since the mark was reset, MiB; NaN where Linux's files lack."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def machine(device: str = "cpu") -> dict[str, object]:
    """The processor, threads, device and versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores",
        "instructions": torch.backends.cpu.get_cpu_capability(),  # AVX2 or AVX512: one name of a processor may have either
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in ("torch", "scikit-learn", "numpy")},
    }


_begun: dict[str, float] = {}


def _child(connection, function: Callable, arguments: tuple) -> None:
    warnings.simplefilter("ignore")
    start_clock()
    result = function(*arguments)
    facts = {"seconds": time.perf_counter() - _begun["time"], "peak_mib": high_water() - _begun["memory"]}
    connection.send((facts, result))
