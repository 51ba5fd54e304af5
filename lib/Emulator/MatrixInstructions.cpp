//===- MatrixInstructions.cpp - Products of matrices
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTable.h"
#include "Matrices.h"

#include <bit>

using namespace mlir::rotq::emulator;

namespace {
/// mma.sync.aligned.m16n8k<k>.row.col
struct Product {
  const ElementFormat &a, &b;
  unsigned k;
  SumFormat sum;
  /// Of block_scale: how many scales a row of A and a column of B has, and
  /// their format.
  unsigned scales = 0;
  const ElementFormat *scale = nullptr;
};

/// A scale operand: the data, and which byte of which lanes counts.
struct Scales {
  std::array<uint32_t, 32> data;
  uint32_t byte, thread;
};
} // namespace

static Scales readScales(const WarpCall &call, unsigned first,
                         unsigned numScales, unsigned numThreads) {
  Scales scales{{}, call.words[0][first + 1], call.words[0][first + 2]};
  if (scales.byte % numScales != 0 || scales.byte >= 4)
    call.threads[0]->fail("byte " + std::to_string(scales.byte) +
                              " is none at which " + std::to_string(numScales) +
                              " scales start",
                          call.site);
  if (scales.thread >= numThreads)
    call.threads[0]->fail("expected one of " + std::to_string(numThreads) +
                              " choices of threads for scales but got " +
                              std::to_string(scales.thread),
                          call.site);
  for (unsigned lane = 0; lane < 32; ++lane)
    scales.data[lane] = call.words[lane][first];
  return scales;
}

/// Multiplies every row of A, or column of B, by its scales: each has a part
/// of K.
static void applyScales(const Product &product, const WarpCall &call,
                        unsigned first, Matrix &a, Matrix &b) {
  unsigned each = product.k / product.scales;
  Scales ofA = readScales(call, first, product.scales, 2);
  for (unsigned row = 0; row < a.rows; ++row)
    for (unsigned k = 0; k < product.k; ++k)
      a.at(row, k) *= product.scale->values[byteOf(
          ofA.data[laneOfScaleA(row, ofA.thread)], ofA.byte + k / each)];
  Scales ofB = readScales(call, first + 3, product.scales, 4);
  for (unsigned col = 0; col < b.cols; ++col)
    for (unsigned k = 0; k < product.k; ++k)
      b.at(k, col) *= product.scale->values[byteOf(
          ofB.data[laneOfScaleB(col, ofB.thread)], ofB.byte + k / each)];
}

/// Operands: the registers of A, B and C, and of the scales of A and B each the
/// data, the byte and the thread.
static void multiply(const Product &product, WarpCall &call) {
  unsigned wordsA = product.k * product.a.bits / 64, wordsB = wordsA / 2;
  Matrix a(16, product.k), b(product.k, 8), c(16, 8);
  const Fragment &sums = fragmentC(8);
  readOperand(a, fragmentA(product.k, product.a.bits), product.a, call.words,
              0);
  readOperand(b, fragmentB(product.k, product.b.bits), product.b, call.words,
              wordsA);
  readSums(c, sums, product.sum, call.words, wordsA + wordsB);
  if (product.scales)
    applyScales(product, call, wordsA + wordsB + 4, a, b);
  multiplyAdd(product.sum, a, b, c);
  writeSums(c, sums, product.sum, call.words);
}

static void addProduct(Instructions &table, const llvm::Twine &name,
                       const Product &product, llvm::ArrayRef<Chip> chips) {
  table.push_back(aligned(("llvm.nvvm.mma." + name).str(),
                          [=](WarpCall &call) { multiply(product, call); },
                          chips));
}

static std::string shapeOf(unsigned k) {
  return "m16n8k" + std::to_string(k) + ".row.col.";
}

static void addIntegers(Instructions &table) {
  for (unsigned k : {16u, 32u})
    for (llvm::StringRef a : {"s8", "u8"})
      for (llvm::StringRef b : {"s8", "u8"})
        for (bool saturates : {false, true})
          addProduct(table,
                     shapeOf(k) + (saturates ? "satfinite." : "") + a +
                         (a == b ? "" : "." + b),
                     {elementFormat(a), elementFormat(b), k,
                      saturates ? SumFormat::S32Saturated : SumFormat::S32},
                     kSm80);
}

/// mma.sync.aligned.m16n8k<k>.row.col.s32.b1.b1.s32.and.popc: counts where both
/// have a 1, word by word. Lane 4 g + t has those of row g (and g + 8) of A,
/// and column g of B, from 32 t and 128 + 32 t on.
static void countBits(unsigned k, WarpCall &call) {
  unsigned runs = k / 128, firstB = 2 * runs, firstC = 3 * runs;
  std::array<std::array<uint32_t, 4>, 32> counts;
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = lane / 4 * 4, col = (lane % 4 * 2 + i % 2) * 4;
      uint32_t count = call.words[lane][firstC + i];
      for (unsigned run = 0; run < runs; ++run)
        for (unsigned t = 0; t < 4; ++t)
          count += uint32_t(std::popcount(call.words[row + t][2 * run + i / 2] &
                                          call.words[col + t][firstB + run]));
      counts[lane][i] = count;
    }
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i)
      call.words[lane][i] = counts[lane][i];
}

static void addBits(Instructions &table) {
  for (unsigned k : {128u, 256u})
    table.push_back(aligned(
        "llvm.nvvm.mma.and.popc." + shapeOf(k) + "b1",
        [=](WarpCall &call) { countBits(k, call); }, kSm80));
}

static void addHalves(Instructions &table) {
  const ElementFormat &half = elementFormat("f16"),
                      &bfloat = elementFormat("bf16");
  for (unsigned k : {8u, 16u}) {
    llvm::ArrayRef<Chip> chips = kSm80;
    addProduct(table, shapeOf(k) + "bf16", {bfloat, bfloat, k, SumFormat::F32},
               chips);
    if (k == 8)
      chips = kSm75;
    for (llvm::StringRef sum : {"f16", "f32"})
      addProduct(table, shapeOf(k) + sum + "." + sum,
                 {half, half, k, sumFormat(sum)}, chips);
  }
}

/// A format in a register of bytes.
static const ElementFormat &inBytes(llvm::StringRef name) {
  return elementFormat(floatFormat(name).bits == 8 ? name.str()
                                                   : (name + ".b8").str());
}

static void addNarrowFloats(Instructions &table) {
  for (unsigned k : {16u, 32u})
    for (llvm::StringRef sum : {"f16", "f32"})
      for (llvm::StringRef a : {"e4m3", "e5m2"})
        for (llvm::StringRef b : {"e4m3", "e5m2"})
          addProduct(table, shapeOf(k) + sum + "." + a + "." + b + "." + sum,
                     {elementFormat(a), elementFormat(b), k, sumFormat(sum)},
                     kSm89);
  constexpr llvm::StringRef kTypes[] = {"e4m3", "e5m2", "e3m2", "e2m3", "e2m1"};
  for (llvm::StringRef a : kTypes)
    for (llvm::StringRef b : kTypes) {
      for (llvm::StringRef sum : {"f16", "f32"})
        addProduct(table,
                   shapeOf(32) + "kind.f8f6f4." + sum + "." + a + "." + b +
                       "." + sum,
                   {inBytes(a), inBytes(b), 32, sumFormat(sum)}, kSm120f);
      for (llvm::StringRef size : {"", "scale.1x."})
        addProduct(table,
                   "block.scale." + shapeOf(32) + "mxf8f6f4." + size + "f32." +
                       a + "." + b + ".f32.ue8m0",
                   {inBytes(a), inBytes(b), 32, SumFormat::F32, 1,
                    &elementFormat("ue8m0")},
                   kSm120f);
    }
}

/// Elements of 4 bits, and a scale for 32 or 16 of them.
static void addScaledNibbles(Instructions &table) {
  struct Kind {
    llvm::StringRef name, scale;
    unsigned scales;
  };
  for (const Kind &kind :
       {Kind{"mxf4.", "ue8m0", 2}, Kind{"mxf4.scale.2x.", "ue8m0", 2},
        Kind{"mxf4nvf4.scale.2x.", "ue8m0", 2},
        Kind{"mxf4nvf4.scale.4x.", "ue4m3", 4}})
    addProduct(table,
               "block.scale." + shapeOf(64) + kind.name + "f32.e2m1.e2m1.f32." +
                   kind.scale,
               {elementFormat("e2m1"), elementFormat("e2m1"), 64,
                SumFormat::F32, kind.scales, &elementFormat(kind.scale)},
               kSm120f);
}

void mlir::rotq::emulator::addMatrixInstructions(Instructions &table) {
  addIntegers(table);
  addBits(table);
  addHalves(table);
  addNarrowFloats(table);
  addScaledNibbles(table);
}
