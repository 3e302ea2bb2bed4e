"""What the machine is: device, driver, CUDA, cuDNN and cuBLAS, and the frameworks beside us."""
import ctypes
import importlib.metadata
import importlib.util
import json
import os
import platform
from pathlib import Path

from gpu_check import runner

PACKAGES = ("torch", "jax", "jaxlib", "numpy", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cudnn-cu12",
            "nvidia-cublas-cu12")


def vendor_folders() -> list[str]:
    """Where cuDNN and cuBLAS may lie: the CUDA toolkit, and Python packages of NVIDIA."""
    folders = [Path(root) / sub for root in (os.environ.get("CUDA_HOME", "/usr/local/cuda"), "/usr/local/cuda")
               for sub in ("lib64", "lib")]
    spec = importlib.util.find_spec("nvidia")
    for package in spec.submodule_search_locations or [] if spec else []:
        folders += sorted(Path(package).glob("*/lib"))
    found = [str(f) for f in dict.fromkeys(folders) if f.is_dir()]
    return found


def _cudnn(folders: list[str]) -> str:
    for path in [*(f"{f}/libcudnn.so.9" for f in folders), "libcudnn.so.9"]:
        try:
            number = ctypes.CDLL(path).cudnnGetVersion()
        except OSError:
            continue
        return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return "not found"


def _cublas(folders: list[str]) -> str:
    for path in [*(f"{f}/libcublas.so.{major}" for f in folders for major in (13, 12)), "libcublas.so.13"]:
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        parts = []
        for which in range(3):  # MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL of libraryPropertyType
            value = ctypes.c_int(-1)
            library.cublasGetProperty(which, ctypes.byref(value))
            parts.append(str(value.value))
        return ".".join(parts)
    return "not found"


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _smi() -> dict[str, str]:
    fields = ("name", "driver_version", "clocks.max.sm", "clocks.max.mem", "power.limit", "ecc.mode.current")
    out = runner.run(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"], 20, {})
    if out.code != 0:
        return {}
    values = out.out.strip().splitlines()[0].split(",")
    return {f"nvidia-smi {field}": value.strip() for field, value in zip(fields, values)}


def read(innerloop: str, environment: dict[str, str]) -> dict:
    """`doctor` is our own view of the device; an empty "gpu" there means that there is none, "gpu_reason" says why."""
    folders = vendor_folders()
    out = runner.run([innerloop, "doctor", "--json"], 60, environment)
    try:
        doctor = json.loads(out.out.strip().splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        doctor = {"gpu": None, "gpu_reason": f"innerloop doctor failed: {out.note or out.tail(2)}"}
    return {"host": platform.platform(), "python": platform.python_version(), "doctor": doctor, "smi": _smi(),
            "cudnn": _cudnn(folders), "cublas": _cublas(folders), "packages": _packages()}
