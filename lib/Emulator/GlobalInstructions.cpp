//===- GlobalInstructions.cpp - Loads that LLVM has no intrinsic for
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTable.h"

#include <bit>
#include <cstring>

using namespace mlir::rotq::emulator;

/// A load of `count` words. Operand: the address.
static void load(Thread &thread, uint32_t *words, uint32_t site, unsigned count,
                 bool isInvariant) {
  Access access{addressOf(words), 4 * count};
  access.log2Alignment = unsigned(std::countr_zero(access.size));
  access.isInvariant = isInvariant;
  access.site = site;
  if (regionOf(access.address) == kSharedRegion ||
      regionOf(access.address) == kLocalRegion)
    thread.fail("ld.global of an address that is not of global memory", site);
  std::memcpy(words, thread.access(access), access.size);
}

void mlir::rotq::emulator::addGlobalInstructions(Instructions &table) {
  struct Form {
    const char *vector, *operand;
    unsigned count;
  };
  // How caches keep the line changes no result.
  for (llvm::StringRef path : {"", ".nc"})
    for (llvm::StringRef line : {"", ".L2::128B", ".L2::256B"})
      for (const Form &form :
           {Form{"", "x", 1}, Form{".v2", "{}", 2}, Form{".v4", "{}", 4}})
        table.push_back(
            perThread(("ld.global" + path + ".L1::no_allocate" + line +
                       form.vector + ".b32 " + form.operand + ",[]")
                          .str(),
                      [count = form.count, isInvariant = !path.empty()](
                          Thread &thread, uint32_t *words, uint32_t site) {
                        load(thread, words, site, count, isInvariant);
                      },
                      kSm80));
}
