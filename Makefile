# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

ifneq ($(shell command -v ccache),)
export CMAKE_C_COMPILER_LAUNCHER ?= ccache
export CMAKE_CXX_COMPILER_LAUNCHER ?= ccache
endif

.PHONY: help setup build demo docs test lint

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## install Debian packages and .venv; quick when they are there
	@scripts/setup

build: setup ## configure and build everything into build/
	@cmake --preset release --log-level=WARNING
	@ninja -C build

demo: build ## quantize SmolLM2-135M in every format and compare
	@PYTHONPATH=python .venv/bin/python -m rotq demo --out out

test: build ## run every test; ends in "N passed, N failed, N skipped"
	@scripts/test

docs: setup ## renew docs/reference from the op and pass definitions
	@cmake --preset release --log-level=WARNING
	@ninja -C build mlir-doc
	@cp build/docs/Dialects/RotQDialect.md docs/reference/dialect.md
	@cp build/docs/Passes/RotQTransformsPasses.md docs/reference/transforms.md
	@cp build/docs/Passes/RotQConversionPasses.md docs/reference/conversions.md

lint: build ## check formatting, run clang-tidy on what changed (ALL=1: on all)
	@scripts/lint $(if $(ALL),--all)

.PHONY: gpu-check
gpu-check: build ## compile kernels of many shapes and check them on a GPU
	@.venv/bin/python benchmarks/gpu_check build --out build/gpu-check
	@.venv/bin/python benchmarks/gpu_check run build/gpu-check

.PHONY: gpu-speed
gpu-speed: build ## measure kernels on a GPU, beside others; needs torch
	@.venv/bin/python benchmarks/run_gpu build --out build/gpu-speed
	@$(or $(PYTHON),python3) benchmarks/run_gpu run build/gpu-speed
