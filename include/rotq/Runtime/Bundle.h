//===- Bundle.h - Compiled modules as files ---------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bundle (*.rotqb) is a safetensors file that holds one U8 tensor "fatbin"
// (a fatbin, or PTX text where no assembler was at hand) and, in its metadata,
// "rotq.bundle" (the version, "1") and "manifest" (the manifest as JSON).
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_RUNTIME_BUNDLE_H
#define ROTQ_RUNTIME_BUNDLE_H

#include "rotq/Runtime/Manifest.h"

#include <cstddef>
#include <span>

namespace rotq {

struct Bundle {
  Manifest manifest;
  std::vector<std::byte> fatbin;
};

/// Parses the bytes of a bundle. They may be hostile. Messages start with
/// `name`.
Expected<Bundle> parseBundle(std::span<const std::byte> bytes,
                             std::string_view name);

/// Reads the bundle at `path`.
Expected<Bundle> readBundle(const std::string &path);

/// Writes a bundle: to a temporary file beside `path`, which then takes its
/// place, so that no reader ever sees half of one.
Status writeBundle(const std::string &path, const Manifest &manifest,
                   std::span<const std::byte> fatbin);

} // namespace rotq

#endif // ROTQ_RUNTIME_BUNDLE_H
