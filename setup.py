"""What pyproject.toml cannot say: the compiled core, and the compiled modules of the edge.

`python -m fondaco_build` (with src on the path) calls it in place; `pip install` calls it too,
and with FONDACO_CORE_BUILT=1 leaves out what was built in place before.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "src"))

from fondaco_build import (  # noqa: E402  after the path is set
    EDGE,
    STAMP,
    UNITED,
    edge_hash,
    source_hash,
    unite,
)

CORE = Path("build/united/fondaco/core")
# Hidden symbols spare an indirection at each call; what Cython writes and doesn't use is no fault.
FLAGS = ["-O3", "-fno-plt", "-fvisibility=hidden", "-Wno-unused"]
# The core is one file of many small functions: more of them go into their callers (a twentieth).
CORE_FLAGS = [
    *("--param", "max-inline-insns-auto=120"),
    *("--param", "inline-unit-growth=200"),
    *("--param", "large-function-insns=8000"),
    *("--param", "large-function-growth=2000"),
]


def write_united() -> str:
    """Write the modules of the core as one; return its path."""
    source, declarations = unite()
    (ROOT / CORE).mkdir(parents=True, exist_ok=True)
    (ROOT / CORE / f"{UNITED}.py").write_text(source)
    (ROOT / CORE / f"{UNITED}.pxd").write_text(declarations)
    return str(CORE / f"{UNITED}.py")


def write_stamp() -> str:
    """Write the module that carries the hash of the sources; return its path."""
    path = ROOT / CORE / f"{STAMP}.c"
    text = f"""\
/* Made by setup.py: the hashes of the sources that were compiled. */
#include <Python.h>
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{STAMP}", NULL, -1, NULL}};
PyMODINIT_FUNC PyInit_{STAMP}(void) {{
    PyObject *module = PyModule_Create(&definition);
    if (module && (PyModule_AddStringConstant(module, "SOURCE_HASH", "{source_hash()}") < 0 ||
                   PyModule_AddStringConstant(module, "EDGE_HASH", "{edge_hash()}") < 0)) {{
        Py_DECREF(module);
        return NULL;
    }}
    return module;
}}
"""
    path.write_text(text)
    return str(CORE / path.name)


def extensions() -> list[Extension]:
    """Return what is to be compiled, its sources written."""
    united = Extension(
        f"fondaco.core.{UNITED}", [write_united()], extra_compile_args=FLAGS + CORE_FLAGS
    )
    edge = [
        Extension(
            f"fondaco.{name}",
            [f"src/fondaco/{name.replace('.', '/')}.py"],
            extra_compile_args=FLAGS,
        )
        for name in EDGE
    ]
    return [
        *cythonize([united], include_path=["build/united"], build_dir="build/cython", force=True),
        *cythonize(edge, build_dir="build/cython", include_path=["src"]),
        Extension(f"fondaco.core.{STAMP}", [write_stamp()], extra_compile_args=FLAGS),
    ]


setup(ext_modules=[] if os.environ.get("FONDACO_CORE_BUILT") == "1" else extensions())
