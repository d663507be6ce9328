"""What pyproject.toml cannot say: the compiled modules of the core.

`python -m fondaco_build` (with src on the path) calls it in place; `pip install` calls it too.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "src"))

from fondaco_build import MODULES, STAMP, source_hash  # noqa: E402  after the path is set

CORE = Path("src/fondaco/core")
# -fno-plt and hidden symbols spare an indirection at each call between functions.
FLAGS = ["-O3", "-fno-plt", "-fvisibility=hidden", "-fno-semantic-interposition", "-Wno-unused"]


def write_stamp() -> str:
    """Write the module that carries the hash of the sources; return its path."""
    path = ROOT / CORE / f"{STAMP}.c"
    text = f"""\
/* Made by setup.py: the hash of the sources that the core was compiled from. */
#include <Python.h>
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{STAMP}", NULL, -1, NULL}};
PyMODINIT_FUNC PyInit_{STAMP}(void) {{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddStringConstant(module, "SOURCE_HASH", "{source_hash()}") < 0) {{
        Py_DECREF(module);
        return NULL;
    }}
    return module;
}}
"""
    path.write_text(text)
    return str(CORE / path.name)


def extensions() -> list[Extension]:
    """Translate the sources and return what there is to compile."""
    compiled = cythonize(
        [
            Extension(f"fondaco.core.{name}", [str(CORE / f"{name}.py")], extra_compile_args=FLAGS)
            for name in MODULES
        ],
        include_path=["src"],
        build_dir="build/cython",
        force=True,
        quiet=True,
        nthreads=0,
        compiler_directives={"language_level": 3},
    )
    stamp = Extension(f"fondaco.core.{STAMP}", [write_stamp()], extra_compile_args=FLAGS)
    return [*compiled, stamp]


# `make setup` compiles in place first; its editable install then has nothing left to compile.
built = os.environ.get("FONDACO_CORE_BUILT") == "1"
setup(ext_modules=[] if built else extensions(), package_dir={"": "src"})
