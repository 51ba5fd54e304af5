# LLVM and MLIR 22 as Debian packages them: everything is in libMLIR.so.

find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
# Where add_mlir_doc puts its pages: docs/ of the build folder.
set(MLIR_BINARY_DIR ${PROJECT_BINARY_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

add_library(rotq_mlir INTERFACE)
target_include_directories(rotq_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_link_libraries(rotq_mlir INTERFACE MLIR LLVM)
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${PROJECT_SOURCE_DIR}/include)
include_directories(SYSTEM ${PROJECT_BINARY_DIR}/include)

# MLIR's headers cost more to read than our code: read them once.
file(WRITE ${PROJECT_BINARY_DIR}/mlir_headers.cpp "")
add_library(rotq_mlir_headers OBJECT ${PROJECT_BINARY_DIR}/mlir_headers.cpp)
target_link_libraries(rotq_mlir_headers PRIVATE rotq_options)
target_precompile_headers(rotq_mlir_headers PRIVATE
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Bufferization/IR/Bufferization.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/GPU/IR/GPUDialect.h>
  <mlir/Dialect/LLVMIR/LLVMDialect.h>
  <mlir/Dialect/LLVMIR/NVVMDialect.h>
  <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/IR/PatternMatch.h>
  <mlir/Pass/Pass.h>
  <mlir/Transforms/GreedyPatternRewriteDriver.h>)
set(ROTQ_HEADERS_TARGET rotq_mlir_headers)

# Threads of compiled code.
find_library(ROTQ_LIBOMP omp REQUIRED HINTS ${LLVM_LIBRARY_DIR})
