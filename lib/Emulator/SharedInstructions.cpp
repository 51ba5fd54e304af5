//===- SharedInstructions.cpp - Matrices and copies in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fragments.h"
#include "InstructionTable.h"

#include <bit>
#include <cstring>

using namespace mlir::rotq::emulator;

namespace {
/// A shape of ldmatrix: rows of 16 bytes, or of what becomes 16 bytes.
struct MatrixShape {
  unsigned rows, elementBits;
  const Fragment &layout;
  /// Bits of a byte's source in shared memory; padding fills the 16 bytes.
  unsigned sourceBits = 8;
};
} // namespace

/// Bits from `at` on.
static uint32_t bitsAt(const uint8_t *bytes, unsigned at, unsigned count) {
  uint32_t result = 0;
  for (unsigned i = 0; i < count; ++i)
    result |= uint32_t(bytes[(at + i) / 8] >> (at + i) % 8 & 1) << i;
  return result;
}

/// ldmatrix.sync.aligned: lane `rows` i + r has the address of row r of matrix
/// i. Results: the registers of each matrix.
static void loadMatrices(const MatrixShape &shape, unsigned count,
                         WarpCall &call) {
  std::array<std::array<uint8_t, 16>, 32> rows;
  for (unsigned lane = 0; lane < shape.rows * count; ++lane) {
    Thread &thread = *call.threads[lane];
    uint64_t address = addressOf(call.words[lane]);
    requireShared(thread, address, call.site);
    Access access{address, 2 * shape.sourceBits};
    access.log2Alignment = 4;
    access.site = call.site;
    const auto *bytes = static_cast<const uint8_t *>(thread.access(access));
    for (unsigned i = 0; i < 16; ++i)
      rows[lane][i] =
          uint8_t(bitsAt(bytes, shape.sourceBits * i, shape.sourceBits));
  }
  unsigned bits = shape.elementBits,
           words = unsigned(shape.layout[0].size()) * bits / 32;
  for (unsigned lane = 0; lane < 32; ++lane) {
    std::fill_n(call.words[lane], words * count, 0);
    for (unsigned matrix = 0; matrix < count; ++matrix)
      for (auto [i, position] : llvm::enumerate(shape.layout[lane])) {
        const auto &row = rows[matrix * shape.rows + position.row];
        call.words[lane][matrix * words + i * bits / 32] |=
            bitsAt(row.data(), position.col * bits, bits) << i * bits % 32;
      }
  }
}

/// stmatrix.sync.aligned.m8n8: the addresses are as those of ldmatrix, and come
/// before a register of each matrix.
static void storeMatrices(const Fragment &layout, unsigned count,
                          WarpCall &call) {
  uint16_t rows[32][8];
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned matrix = 0; matrix < count; ++matrix)
      for (auto [i, position] : llvm::enumerate(layout[lane]))
        rows[matrix * 8 + position.row][position.col] =
            uint16_t(call.words[lane][2 + matrix] >> 16 * i);
  for (unsigned lane = 0; lane < 8 * count; ++lane) {
    Thread &thread = *call.threads[lane];
    uint64_t address = addressOf(call.words[lane]);
    requireShared(thread, address, call.site);
    Access access{address, 16};
    access.log2Alignment = 4;
    access.isWrite = true;
    access.site = call.site;
    std::memcpy(thread.access(access), rows[lane], 16);
  }
}

static void addStmatrix(Instructions &table) {
  for (unsigned count : {1u, 2u, 4u})
    for (bool trans : {false, true})
      table.push_back(aligned(
          "llvm.nvvm.stmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
              (trans ? ".trans.b16" : ".b16"),
          [=](WarpCall &call) {
            storeMatrices(fragmentOfM8N8(trans), count, call);
          },
          kSm90));
}

static void addLdmatrix(Instructions &table) {
  auto add = [&](const llvm::Twine &shapeName, unsigned most,
                 const llvm::Twine &type, const MatrixShape &shape,
                 llvm::ArrayRef<Chip> chips) {
    for (unsigned count = 1; count <= most; count *= 2)
      table.push_back(aligned(
          ("llvm.nvvm.ldmatrix.sync.aligned." + shapeName + ".x" +
           llvm::Twine(count) + type)
              .str(),
          [=](WarpCall &call) { loadMatrices(shape, count, call); }, chips));
  };
  for (bool trans : {false, true})
    add("m8n8", 4, trans ? ".trans.b16" : ".b16",
        {8, 16, fragmentOfM8N8(trans)}, kSm75);
  add("m16n16", 2, ".trans.b8", {16, 8, fragmentOfM16N16()}, kNarrowFloats);
  struct Packed {
    const char *name;
    unsigned bits;
  };
  for (const Packed &packed :
       {Packed{".b8x16.b6x16_p32", 6}, Packed{".b8x16.b4x16_p64", 4}}) {
    add("m8n16", 4, packed.name, {8, 8, fragmentOfM8N16(), packed.bits},
        kNarrowFloats);
    add("m16n16", 2, llvm::Twine(".trans") + packed.name,
        {16, 8, fragmentOfM16N16(), packed.bits}, kNarrowFloats);
  }
}

/// cp.async of `size` bytes, of which the source gives the first: they arrive
/// when they are waited for, never before. Operands: target, source.
static void copyAsync(Thread &thread, const uint32_t *words, uint32_t site,
                      uint32_t size, uint32_t sourceSize) {
  Thread::Copy copy{addressOf(words), addressOf(words + 2), size, sourceSize,
                    site};
  requireShared(thread, copy.target, site);
  if (sourceSize > size)
    thread.fail("cp.async of " + std::to_string(sourceSize) +
                    " bytes of a source to " + std::to_string(size) + " bytes",
                site);
  Access target{copy.target, size};
  target.log2Alignment = unsigned(std::countr_zero(size));
  target.isWrite = true;
  target.site = site;
  thread.access(target);
  Access source{copy.source, sourceSize};
  source.log2Alignment = target.log2Alignment;
  source.site = site;
  if (sourceSize)
    thread.access(source);
  thread.getBlock().getShared().setInFlight(offsetOf(copy.target), size, true);
  thread.copies.back().push_back(copy);
}

static void finish(Thread &thread, const Thread::Copy &copy) {
  thread.getBlock().getShared().setInFlight(offsetOf(copy.target), copy.size,
                                            false);
  Access target{copy.target, copy.size};
  target.isWrite = true;
  target.site = copy.site;
  auto *bytes = static_cast<std::byte *>(thread.access(target));
  std::memset(bytes, 0, copy.size);
  if (copy.sourceSize)
    std::memcpy(bytes, thread.access({copy.source, copy.sourceSize}),
                copy.sourceSize);
}

static void commitCopies(Thread &thread, uint32_t *, uint32_t) {
  thread.copies.emplace_back();
}

/// Operand: how many of the newest groups may still be under way.
static void waitForCopies(Thread &thread, uint32_t *words, uint32_t) {
  size_t committed = thread.copies.size() - 1, kept = words[0];
  size_t finished = committed > kept ? committed - kept : 0;
  for (size_t i = 0; i < finished; ++i)
    for (const Thread::Copy &copy : thread.copies[i])
      finish(thread, copy);
  thread.copies.erase(thread.copies.begin(),
                      thread.copies.begin() + std::ptrdiff_t(finished));
}

static void waitForAllCopies(Thread &thread, uint32_t *, uint32_t) {
  for (const auto &group : thread.copies)
    for (const Thread::Copy &copy : group)
      finish(thread, copy);
  thread.copies.assign(1, {});
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static void addCopies(Instructions &table) {
  struct Cache {
    const char *name;
    uint32_t smallest;
  };
  for (const Cache &cache : {Cache{"ca", 4}, Cache{"cg", 16}}) {
    std::string name = std::string("cp.async.") + cache.name + ".shared.global";
    for (uint32_t size = cache.smallest; size <= 16; size *= 2) {
      std::string intrinsic = "llvm.nvvm." + name + "." + std::to_string(size);
      table.push_back(perThread(
          intrinsic,
          [=](Thread &thread, uint32_t *words, uint32_t site) {
            copyAsync(thread, words, site, size, size);
          },
          kSm80));
      table.push_back(perThread(
          intrinsic + ".s",
          [=](Thread &thread, uint32_t *words, uint32_t site) {
            copyAsync(thread, words, site, size, words[4]);
          },
          kSm80));
    }
    // In inline assembly the sizes are operands.
    for (bool hasSourceSize : {false, true})
      table.push_back(perThread(
          name + (hasSourceSize ? " [],[],x,x" : " [],[],x"),
          [=](Thread &thread, uint32_t *words, uint32_t site) {
            if (!std::has_single_bit(words[4]) || words[4] > 16 ||
                words[4] < cache.smallest)
              thread.fail("cp.async of " + std::to_string(words[4]) + " bytes",
                          site);
            copyAsync(thread, words, site, words[4],
                      words[hasSourceSize ? 5 : 4]);
          },
          kSm80));
  }
  table.append({
      perThread("llvm.nvvm.cp.async.commit.group", commitCopies, kSm80),
      perThread("llvm.nvvm.cp.async.wait.group", waitForCopies, kSm80),
      perThread("llvm.nvvm.cp.async.wait.all", waitForAllCopies, kSm80),
      perThread("cp.async.commit_group", commitCopies, kSm80),
      perThread("cp.async.wait_group x", waitForCopies, kSm80),
      perThread("cp.async.wait_all", waitForAllCopies, kSm80),
  });
}

void mlir::rotq::emulator::addSharedInstructions(Instructions &table) {
  addLdmatrix(table);
  addStmatrix(table);
  addCopies(table);
}
