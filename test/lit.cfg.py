# -*- Python -*-

import os
import sys

import lit.formats
import lit.util
from lit.llvm import llvm_config

config.name = "RotQ"
config.test_format = lit.formats.ShTest(not llvm_config.use_lit_shell)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "Vectors"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.rotq_test_dir

llvm_config.with_system_environment(["HOME", "TMPDIR", "CUDA_HOME"])
llvm_config.add_tool_substitutions(
    ["FileCheck", "count", "llvm-nm", "llvm-readelf", "not", "split-file"], [config.llvm_tools_dir]
)
llvm_config.add_tool_substitutions(config.rotq_tools, [config.rotq_tools_dir])

# Every tool of this build is a feature: a test of quant-run says
# `REQUIRES: quant-run`.
config.available_features.update(config.rotq_tools)

# The plugin goes into the stock tool.
mlir_opt = os.path.join(config.llvm_tools_dir, "mlir-opt")
if os.path.exists(mlir_opt):
    config.available_features.add("mlir-opt")
    config.substitutions.append(("%mlir_opt", mlir_opt))
config.substitutions.append(("%rotq_plugin", config.rotq_plugin))

config.substitutions.append(("%python", sys.executable))

# Headers are compiled, libraries linked.
clang = lit.util.which("clang", config.llvm_tools_dir)
if clang:
    config.available_features.add("clang")
    config.substitutions.append(("%clang", clang))

# The reference in docs/ against what the build generates.
config.substitutions.append(("%built_docs", config.rotq_built_docs))
config.substitutions.append(
    ("%docs", os.path.join(config.test_source_root, "..", "docs"))
)

# PTX can be assembled, not only printed, where NVIDIA's assembler is found.
cuda_dirs = [
    os.path.join(directory, "bin")
    for directory in (os.environ.get("CUDA_HOME"), "/usr/local/cuda")
    if directory
]
ptxas = lit.util.which(
    "ptxas", os.pathsep.join([os.environ.get("PATH", "")] + cuda_dirs)
)
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", ptxas))
