//===- WarpgroupInstructions.cpp - wgmma
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product is computed when its instruction is executed. What it reads of
// shared memory has to stay until it is waited for.
//
//===----------------------------------------------------------------------===//

#include "InstructionTable.h"
#include "Matrices.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace mlir::rotq::emulator;

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

namespace {
/// A matrix descriptor.
struct Descriptor {
  explicit Descriptor(uint64_t bits)
      : start(field(bits, 0)), leading(field(bits, 16)),
        stride(field(bits, 32)), base(uint32_t(bits >> 49 & 7)),
        width(kWidths[bits >> 62]) {}

  /// Where 16 bytes lie: rows of `width` bytes, of which eight make a group.
  /// Within a row, the swizzle exchanges the 16 bytes.
  uint32_t locate(uint32_t offset) const {
    uint32_t address = start + offset;
    uint32_t swizzle = ((address >> 7) - base) & (width / 16 - 1);
    return (address ^ swizzle << 4) & kMask;
  }

  static uint32_t field(uint64_t bits, unsigned at) {
    return uint32_t(bits >> at & 0x3fff) << 4;
  }

  static constexpr uint32_t kMask = 0x3ffff;
  /// Without a swizzle, of 128, 64 and 32 bytes.
  static constexpr uint32_t kWidths[] = {16, 128, 64, 32};
  uint32_t start, leading, stride, base, width;
};

/// An operand in shared memory: `rows` of M or N, K elements each.
struct SharedOperand {
  const ElementFormat &format;
  Descriptor descriptor;
  bool isTransposed; ///< M or N are contiguous, not K
  double sign;
};
} // namespace

/// The 16 bytes at an address, read by `thread` for the product under way.
static const uint8_t *readBytes(Thread &thread, uint32_t address,
                                uint32_t site) {
  Access access{baseOf(kSharedRegion) + address, 16};
  access.log2Alignment = 4;
  access.site = site;
  auto *bytes = static_cast<std::byte *>(thread.access(access));
  Thread::ProductRead read{bytes, {}, site};
  std::memcpy(read.seen.data(), bytes, 16);
  thread.products.groups.back().push_back(read);
  return reinterpret_cast<const uint8_t *>(bytes);
}

/// Calls `set` with row, k and value of every element of the operand.
template <typename Set>
static void readShared(Thread &thread, const SharedOperand &operand,
                       unsigned rows, unsigned k, uint32_t site, Set set) {
  const Descriptor &at = operand.descriptor;
  unsigned bytes = operand.format.bits / 8, each = 16 / bytes;
  bool hasSwizzle = at.width != 16;
  unsigned along = operand.isTransposed ? rows : k;
  unsigned across = operand.isTransposed ? k : rows;
  for (unsigned i = 0; i < across; ++i)
    for (unsigned j = 0; j < along; j += each) {
      // Eight rows follow each other, and so do the chunks of a swizzled row.
      // Groups of rows and further chunks are apart by the two offsets.
      unsigned chunk = j / each, perRow = at.width / 16;
      bool swapped = operand.isTransposed && !hasSwizzle;
      uint32_t groups = swapped ? at.leading : at.stride;
      uint32_t chunks = swapped ? at.stride : at.leading;
      uint32_t offset = i % 8 * at.width + i / 8 * groups +
                        chunk % perRow * 16 + chunk / perRow * chunks;
      const uint8_t *source = readBytes(thread, at.locate(offset), site);
      for (unsigned e = 0; e < each; ++e) {
        uint32_t bits = 0;
        std::memcpy(&bits, source + size_t(e) * bytes, bytes);
        double value = operand.sign * operand.format.values[bits];
        if (operand.isTransposed)
          set(j + e, i, value);
        else
          set(i, j + e, value);
      }
    }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {
/// wgmma.mma_async.sync.aligned.m64n<n>k<k>
struct GroupProduct {
  const ElementFormat &a, &b;
  unsigned n, k;
  SumFormat sum;
  bool hasRegistersA;
};
} // namespace

/// Operands: sums, A's registers or descriptor, B's descriptor, whether the
/// sums count; for floats the signs of A and B; for 16 bits which of those in
/// shared memory are transposed.
static void multiply(const GroupProduct &product,
                     llvm::MutableArrayRef<WarpCall> warps) {
  Thread &first = *warps[0].threads[0];
  uint32_t site = warps[0].site;
  if (!first.products.isFenced)
    first.fail("wgmma.mma_async without a wgmma.fence since the registers were "
               "free for other instructions",
               site);
  unsigned at = product.n * bitsOf(product.sum) / 64, registersA = at;
  const uint32_t *words = warps[0].words[0];
  uint64_t descriptorA = addressOf(words + at);
  at += product.hasRegistersA ? 4 : 2;
  uint64_t descriptorB = addressOf(words + at);
  at += 2;
  bool addsC = words[at++] != 0;
  auto nextSign = [&] { return int32_t(words[at++]) < 0 ? -1.0 : 1.0; };
  bool isFloat = product.sum == SumFormat::F32 || product.sum == SumFormat::F16;
  double signA = isFloat ? nextSign() : 1, signB = isFloat ? nextSign() : 1;
  bool canTranspose = product.a.bits == 16;
  bool transposesA = canTranspose && !product.hasRegistersA && words[at++];
  bool transposesB = canTranspose && words[at];

  Matrix b(product.k, product.n);
  readShared(
      first, {product.b, Descriptor(descriptorB), transposesB, signB},
      product.n, product.k, site,
      [&](unsigned col, unsigned k, double value) { b.at(k, col) = value; });
  std::vector<Matrix> a(4, Matrix(16, product.k));
  if (!product.hasRegistersA)
    readShared(first, {product.a, Descriptor(descriptorA), transposesA, signA},
               64, product.k, site,
               [&](unsigned row, unsigned k, double value) {
                 a[row / 16].at(row % 16, k) = value;
               });
  const Fragment &sums = fragmentC(product.n);
  for (auto [warp, ofWarp] : llvm::zip(warps, a)) {
    if (product.hasRegistersA) {
      readOperand(ofWarp, fragmentA(product.k, product.a.bits), product.a,
                  warp.words, registersA);
      for (double &value : ofWarp.values)
        value *= signA;
    }
    Matrix c(16, product.n);
    if (addsC)
      readSums(c, sums, product.sum, warp.words, 0);
    multiplyAdd(product.sum, ofWarp, b, c);
    writeSums(c, sums, product.sum, warp.words);
  }
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

/// What a warpgroup has under way, its first thread knows.
static Thread::Products &productsOf(llvm::ArrayRef<WarpCall> warps) {
  return warps[0].threads[0]->products;
}

static void fence(llvm::MutableArrayRef<WarpCall> warps) {
  productsOf(warps).isFenced = true;
}

static void commit(llvm::MutableArrayRef<WarpCall> warps) {
  productsOf(warps).groups.emplace_back();
}

/// Operand: how many of the newest groups may still be under way.
static void wait(llvm::MutableArrayRef<WarpCall> warps) {
  Thread::Products &products = productsOf(warps);
  size_t committed = products.groups.size() - 1;
  size_t kept = warps[0].words[0][0];
  size_t finished = committed > kept ? committed - kept : 0;
  for (size_t i = 0; i < finished; ++i)
    for (const Thread::ProductRead &read : products.groups[i])
      if (std::memcmp(read.bytes, read.seen.data(), 16) != 0)
        warps[0].threads[0]->fail(
            "shared memory that wgmma.mma_async reads was overwritten before "
            "wgmma.wait_group",
            read.site);
  products.groups.erase(products.groups.begin(),
                        products.groups.begin() + std::ptrdiff_t(finished));
  products.isFenced = false;
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static DeviceInstruction
perWarpgroup(std::string name,
             std::function<void(llvm::MutableArrayRef<WarpCall>)> function) {
  return {.intrinsic = std::move(name),
          .chips = kSm90a,
          .warpgroup = std::move(function),
          .isAligned = true};
}

/// A product with A in shared memory and one with A in registers. After A, B
/// and the predicate come `immediates` operands; A's transposition is not one
/// of them where A is in registers.
static void addProduct(Instructions &table, const llvm::Twine &types,
                       GroupProduct product, unsigned immediates) {
  for (bool hasRegistersA : {false, true}) {
    product.hasRegistersA = hasRegistersA;
    bool dropsOne = hasRegistersA && product.a.bits == 16;
    std::string name = ("wgmma.mma_async.sync.aligned.m64n" +
                        llvm::Twine(product.n) + "k" + llvm::Twine(product.k) +
                        types + (hasRegistersA ? " {},{}" : " {},x") + ",x,x")
                           .str();
    for (unsigned i = dropsOne ? 1 : 0; i < immediates; ++i)
      name += ",x";
    table.push_back(
        perWarpgroup(name, [=](llvm::MutableArrayRef<WarpCall> warps) {
          multiply(product, warps);
        }));
    table.back().readsResult = true;
  }
}

void mlir::rotq::emulator::addWarpgroupInstructions(Instructions &table) {
  for (unsigned n = 8; n <= 256; n += 8) {
    for (llvm::StringRef sum : {"f32", "f16"}) {
      const ElementFormat &half = elementFormat("f16");
      addProduct(table, "." + sum + ".f16.f16",
                 {half, half, n, 16, sumFormat(sum), false}, 4);
      for (llvm::StringRef a : {"e4m3", "e5m2"})
        for (llvm::StringRef b : {"e4m3", "e5m2"})
          addProduct(table, "." + sum + "." + a + "." + b,
                     {elementFormat(a), elementFormat(b), n, 32, sumFormat(sum),
                      false},
                     2);
    }
    const ElementFormat &bfloat = elementFormat("bf16");
    addProduct(table, ".f32.bf16.bf16",
               {bfloat, bfloat, n, 16, SumFormat::F32, false}, 4);
    // Integers come in 8, 24 and multiples of 16.
    if (n != 8 && n != 24 && n % 16 != 0)
      continue;
    for (llvm::StringRef a : {"s8", "u8"})
      for (llvm::StringRef b : {"s8", "u8"})
        for (bool saturates : {false, true})
          addProduct(
              table, ".s32." + a + "." + b + (saturates ? ".satfinite" : ""),
              {elementFormat(a), elementFormat(b), n, 32,
               saturates ? SumFormat::S32Saturated : SumFormat::S32, false},
              0);
  }
  for (llvm::StringRef prefix : {"llvm.nvvm.", ""}) {
    std::string operand = prefix.empty() ? " x" : "";
    table.append(
        {perWarpgroup((prefix + "wgmma.fence.sync.aligned").str(), fence),
         perWarpgroup((prefix + "wgmma.commit_group.sync.aligned").str(),
                      commit),
         perWarpgroup(
             (prefix + "wgmma.wait_group.sync.aligned" + operand).str(),
             wait)});
  }
}
