//===- WarpgroupTest.cpp - wgmma against its definition
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warpgroup multiplies random matrices, written as MLIR's op writes it. The
// exact product is read off the bytes of shared memory by the layouts that the
// PTX ISA shows as figures.
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTestUtils.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
using Decode = std::function<double(uint32_t)>;

/// Where an operand lies in shared memory.
struct Placement {
  uint32_t start, leading, stride;
  unsigned width; ///< of a swizzled row; 16: no swizzle
  bool isTransposed = false;
  uint32_t step = 0; ///< bytes along K, within a swizzled row
  uint32_t base = 0; ///< the base offset

  /// The first byte of element (row, k) of `bytes` bytes; a row is one of M
  /// or N.
  uint32_t at(uint32_t row, uint32_t k, uint32_t bytes) const {
    // Lines of `width` bytes come in groups of eight. In the swizzle of 128
    // bytes, line i of a group has its 16-byte units exchanged by i, in that of
    // 64 every second line by the next number, in that of 32 every fourth.
    uint32_t line = isTransposed ? k : row;
    uint32_t byte = (isTransposed ? row : k) * bytes + step;
    uint32_t i = line % 8, group = line / 8, block = byte / width;
    uint32_t unit = byte % width / 16 ^ (width == 128  ? i
                                         : width == 64 ? i / 2
                                         : width == 32 ? i / 4
                                                       : 0);
    uint32_t outer = isTransposed && width == 16
                         ? group * leading + block * stride
                         : group * stride + block * leading;
    return start + outer + i * width + unit * 16 + byte % 16;
  }

  uint64_t descriptor() const {
    uint64_t mode = width == 128 ? 1 : width == 64 ? 2 : width == 32 ? 3 : 0;
    // Transposed, a step along K is one of groups.
    return uint64_t((start + step) >> 4) | uint64_t(leading >> 4) << 16 |
           uint64_t(stride >> 4) << 32 | uint64_t(base) << 49 | mode << 62;
  }
};

struct GroupProduct {
  std::string types;
  unsigned n, k, bits;
  Decode decodeA, decodeB;
  std::string sum; ///< "s32", "s32 saturated", "f32", "f16"
  Placement a, b;
  bool hasRegistersA = false, addsC = true;
  int signA = 1, signB = 1;

  unsigned words() const { return sum == "f16" ? n / 4 : n / 2; }
  bool isFloat() const { return sum[0] == 'f'; }
};
} // namespace

static constexpr uint32_t kSharedBytes = 48 << 10, kStartB = 12 << 10;

/// The assembly, as nvvm.wgmma.mma_async has it; with A in registers as kernels
/// write it.
static std::string assemblyOf(const GroupProduct &product) {
  std::string type = product.sum == "f32" ? "float" : "i32";
  std::string constraint = product.sum == "f32" ? "f" : "r";
  unsigned count = product.words(), next = 2 * count;
  auto number = [](auto value) { return std::to_string(value); };
  std::string results, registers, outputs, ties, operands;
  for (unsigned i = 0; i < count; ++i) {
    std::string comma = i ? ", " : "";
    results += comma + type;
    registers += comma + "$" + number(i);
    outputs += (i ? ",=" : "=") + constraint;
    ties += "," + number(i);
    operands += comma + type + " %c" + number(i);
  }
  std::string a = "$" + number(next++);
  if (product.hasRegistersA) {
    for (unsigned i = 1; i < 4; ++i)
      a += ", $" + number(next++);
    a = "{" + a + "}";
    ties += ",r,r,r,r";
    operands += ", i32 %a0, i32 %a1, i32 %a2, i32 %a3";
  } else {
    ties += ",l";
    operands += ", i64 %descA";
  }
  std::string b = "$" + number(next++), predicate = "$" + number(next++);
  ties += ",l,n";
  operands += ", i64 %descB, i32 " + number(int(product.addsC));
  std::string immediates;
  std::vector<int> values;
  if (product.isFloat())
    values = {product.signA, product.signB};
  if (product.bits == 16) {
    if (!product.hasRegistersA)
      values.push_back(product.a.isTransposed);
    values.push_back(product.b.isTransposed);
  }
  for (int value : values) {
    immediates += ", $" + number(next++);
    ties += ",n";
    operands += ", i32 " + number(value);
  }
  return "call { " + results +
         " } asm sideeffect \"{\\0A.reg .pred p;\\0Asetp.ne.b32 p, " +
         predicate + ", 0;\\0Awgmma.mma_async.sync.aligned.m64n" +
         number(product.n) + "k" + number(product.k) + "." + product.types +
         " {" + registers + "}, " + a + ", " + b + ", p" + immediates +
         ";\\0A}\\0A\", \"" + outputs + ties + "\"(" + operands + ")";
}

/// A kernel of 128 threads: fills shared memory, executes `body`. %in has the
/// sums and A's registers of every thread, %out gets the sums.
static std::string kernelText(const GroupProduct &product,
                              const std::string &before,
                              const std::string &after) {
  auto number = [](auto value) { return std::to_string(value); };
  std::string type = product.sum == "f32" ? "float" : "i32";
  std::string text = R"(
@s = internal addrspace(3) global [)" +
                     number(kSharedBytes) + R"( x i8] undef, align 1024
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.fence.proxy.async.shared_cta()
declare void @llvm.nvvm.wgmma.fence.sync.aligned()
declare void @llvm.nvvm.wgmma.commit_group.sync.aligned()
declare void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64)
define ptx_kernel void @k(ptr addrspace(1) %image, ptr addrspace(1) %in, ptr addrspace(1) %out) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %fill
fill:
  %i = phi i32 [ %t, %entry ], [ %next, %fill ]
  %from = getelementptr i32, ptr addrspace(1) %image, i32 %i
  %to = getelementptr i32, ptr addrspace(3) @s, i32 %i
  %v = load i32, ptr addrspace(1) %from, align 4
  store i32 %v, ptr addrspace(3) %to, align 4
  %next = add i32 %i, 128
  %more = icmp ult i32 %next, )" +
                     number(kSharedBytes / 4) + R"(
  br i1 %more, label %fill, label %go
go:
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %s32 = ptrtoint ptr addrspace(3) @s to i32
  %s18 = and i32 %s32, 262143
  %s14 = lshr i32 %s18, 4
  %s = zext i32 %s14 to i64
  %descA = add i64 %s, )" +
                     number(int64_t(product.a.descriptor())) +
                     "\n  %descB = add i64 %s, " +
                     number(int64_t(product.b.descriptor())) + "\n";
  unsigned count = product.words(), each = count + 4;
  for (unsigned i = 0; i < each; ++i) {
    std::string n = number(i);
    std::string name = i < count ? "%c" + n : "%a" + number(i - count);
    text += "  %m" + n + " = mul i32 %t, " + number(each) + "\n  %n" + n +
            " = add i32 %m" + n + ", " + n + "\n  %p" + n +
            " = getelementptr i32, ptr addrspace(1) %in, i32 %n" + n + "\n  " +
            name + " = load " + (i < count ? type : "i32") +
            ", ptr addrspace(1) %p" + n + ", align 4\n";
  }
  text += before + "  %r = " + assemblyOf(product) + "\n" + after;
  for (unsigned i = 0; i < count; ++i) {
    std::string n = number(i);
    text += "  %e" + n + " = extractvalue { " + type;
    for (unsigned j = 1; j < count; ++j)
      text += ", " + type;
    text += " } %r, " + n + "\n  %x" + n + " = mul i32 %t, " + number(count) +
            "\n  %y" + n + " = add i32 %x" + n + ", " + n + "\n  %q" + n +
            " = getelementptr i32, ptr addrspace(1) %out, i32 %y" + n +
            "\n  store " + type + " %e" + n + ", ptr addrspace(1) %q" + n +
            ", align 4\n";
  }
  return text + "  ret void\n}\n";
}

static const char kFence[] =
    "  call void @llvm.nvvm.wgmma.fence.sync.aligned()\n";
static const char kCommitAndWait[] = R"(
  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)
)";

static double decodeSum(const GroupProduct &product, uint32_t word,
                        unsigned i) {
  if (product.sum == "f32")
    return double(std::bit_cast<float>(word));
  return product.sum == "f16" ? kHalf.decode(word >> 16 * (i % 2) & 0xffff)
                              : double(int32_t(word));
}

/// Random bytes that are numbers of moderate size in every format.
static std::vector<uint32_t> randomImage() {
  std::vector<uint32_t> image;
  for (const Words &words : randomLanes(1, kSharedBytes / 4))
    image.push_back(words[0] & 0xbfbfbfbf);
  return image;
}

/// Sums and A's registers.
static Lanes randomRegisters(const GroupProduct &product) {
  Lanes registers = randomLanes(product.words() + 4, 128);
  for (Words &words : registers)
    for (unsigned i = 0; i < words.size(); ++i)
      if (i >= product.words() || product.sum == "f16")
        words[i] &= 0xbfbfbfbf;
      else if (product.sum == "f32")
        words[i] = std::bit_cast<uint32_t>(float(int(words[i] % 1000) - 500));
  return registers;
}

/// Element (row, k) of A times (k, col) of B.
static double termOf(const GroupProduct &product,
                     const std::vector<uint32_t> &image, const Lanes &registers,
                     unsigned row, unsigned col, unsigned k) {
  uint32_t bytes = product.bits / 8, a = 0;
  auto elementAt = [&](uint32_t at) {
    uint32_t bits = 0;
    std::memcpy(&bits, reinterpret_cast<const char *>(image.data()) + at,
                bytes);
    return bits;
  };
  if (product.hasRegistersA) {
    // Figure of A: a register has neighbours along K.
    unsigned each = 32 / product.bits, run = k / (4 * each);
    unsigned owner = row / 16 * 32 + row % 8 * 4 + k % (4 * each) / each;
    a = registers[owner][product.words() + 2 * run + row % 16 / 8] >>
        product.bits * (k % each);
    a &= (1u << product.bits) - 1;
  } else {
    a = elementAt(product.a.at(row, k, bytes));
  }
  return product.signA * product.signB * product.decodeA(a) *
         product.decodeB(elementAt(product.b.at(col, k, bytes)));
}

static void checkProduct(const GroupProduct &product) {
  std::vector<uint32_t> image = randomImage(), in;
  Lanes registers = randomRegisters(product);
  for (const Words &words : registers)
    in.insert(in.end(), words.begin(), words.end());
  bool isHalf = product.sum == "f16";
  unsigned each = product.n / 2;
  std::vector<double> sums(size_t(128) * each), losses(sums.size());
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned col = 0; col < product.n; ++col) {
      // Figure of D: warp w has rows 16 w to 16 w + 15.
      unsigned thread = row / 16 * 32 + row % 8 * 4 + col % 8 / 2;
      unsigned i = col / 8 * 4 + row % 16 / 8 * 2 + col % 2;
      double &sum = sums[size_t(thread) * each + i];
      if (product.addsC)
        sum = decodeSum(product, registers[thread][isHalf ? i / 2 : i], i);
      // Denormal numbers lose as much as the smallest normal one.
      double magnitude = std::abs(sum) + 0x1p-126;
      for (unsigned k = 0; k < product.k; ++k) {
        double term = termOf(product, image, registers, row, col, k);
        sum += term;
        magnitude += std::abs(term);
      }
      losses[size_t(thread) * each + i] = (product.k + 1) * magnitude;
    }
  // Each is off by its own loss, and by the rounding to f16; the two together
  // by the sum. Hopper adds products of fp8 with 13 bits behind the point of
  // the largest.
  double lossOfGpu = product.isFloat() && product.bits == 8 ? 0x1p-13 : 0x1p-23;
  auto boundOf = [&](size_t at, double lossPerAddend) {
    return lossPerAddend * losses[at] +
           (isHalf ? std::abs(sums[at]) * 0x1p-11 + 0x1p-25 : 0);
  };
  Tolerance tolerance{{}, product.sum == "f16" ? "f16" : "f32"};
  if (product.isFloat())
    for (size_t at = 0; at < sums.size(); ++at)
      tolerance.bounds.push_back(boundOf(at, lossOfGpu) + boundOf(at, 0x1p-24));
  std::vector<uint32_t> out(size_t(128) * product.words());
  EmulatorLaunch launch;
  launch.block[0] = 128;
  launch.seed = 5;
  ASSERT_EQ(runKernel(kernelText(product, kFence, kCommitAndWait),
                      {bufferOf(image, "image", false),
                       bufferOf(in, "in", false), bufferOf(out, "out")},
                      launch, "sm_90a", tolerance),
            "")
      << product.types;
  for (size_t at = 0; at < sums.size(); ++at) {
    uint32_t word = out[isHalf ? at / 2 : at];
    double result = decodeSum(product, word, unsigned(at));
    std::string where = product.types + " thread " + std::to_string(at / each) +
                        " element " + std::to_string(at % each);
    if (product.sum == "s32")
      ASSERT_EQ(word, uint32_t(int64_t(sums[at]))) << where;
    else if (product.sum == "s32 saturated")
      ASSERT_EQ(result, std::clamp(sums[at], -0x1p31, 0x1p31 - 1)) << where;
    else
      ASSERT_NEAR(result, sums[at],
                  boundOf(at, gpuUnderTest ? lossOfGpu : 0x1p-24))
          << where;
  }
}

/// Operands whose lines are M or N, K being contiguous.
static Placement alongK(uint32_t start, unsigned width, uint32_t stride = 0,
                        uint32_t step = 0) {
  return width == 16 ? Placement{start, 128, stride ? stride : 256, 16}
                     : Placement{start, 16,    stride ? stride : 8 * width,
                                 width, false, step};
}

/// Operands whose lines are K.
static Placement acrossK(uint32_t start, unsigned width, unsigned rows) {
  if (width == 16)
    return {start, rows * 16, 128, 16, true};
  // Blocks of `width` bytes of the rows, each with two groups of lines.
  return {start, 16 * width, 8 * width, width, true};
}

static Decode decoderOf(const Format &format) {
  return [&](uint32_t bits) { return format.decode(bits); };
}

static GroupProduct halves(unsigned n, Placement a, Placement b) {
  return {"f32.f16.f16",    n,     16, 16, decoderOf(kHalf),
          decoderOf(kHalf), "f32", a,  b};
}

TEST(Warpgroup, Layouts) {
  for (unsigned widthA : {16u, 32u, 64u, 128u})
    for (unsigned widthB : {16u, 32u, 64u, 128u})
      checkProduct(halves(24, alongK(0, widthA), alongK(kStartB, widthB)));
  // Further along swizzled rows, and groups of rows with gaps.
  for (unsigned width : {64u, 128u})
    for (uint32_t step = 32; step < width; step += 32)
      checkProduct(halves(16, alongK(0, width, 0, step),
                          alongK(kStartB, width, 16 * width, step)));
  for (unsigned widthA : {16u, 32u, 64u, 128u})
    for (unsigned widthB : {16u, 32u, 64u, 128u}) {
      checkProduct(
          halves(64, acrossK(0, widthA, 64), acrossK(kStartB, widthB, 64)));
      checkProduct(halves(64, alongK(0, widthA), acrossK(kStartB, widthB, 64)));
    }
}

TEST(Warpgroup, BaseOffset) {
  // The pattern of eight rows starts at no multiple of its size.
  for (uint32_t base : {1u, 3u, 6u}) {
    GroupProduct product =
        halves(8, alongK(0, 128), alongK(kStartB + 128 * base, 128));
    product.b.base = base;
    checkProduct(product);
  }
}

TEST(Warpgroup, Floats) {
  struct Type {
    std::string name;
    const Format *a, *b;
  };
  const Format *e4m3 = &kE4M3, *e5m2 = &kE5M2;
  for (std::string sum : {"f32", "f16"}) {
    std::vector<Type> types = {{"f16.f16", &kHalf, &kHalf},
                               {"e4m3.e4m3", e4m3, e4m3},
                               {"e4m3.e5m2", e4m3, e5m2},
                               {"e5m2.e4m3", e5m2, e4m3},
                               {"e5m2.e5m2", e5m2, e5m2}};
    if (sum == "f32")
      types.push_back({"bf16.bf16", &kBFloat, &kBFloat});
    for (const Type &type : types)
      for (unsigned i = 0; i < 8; ++i) {
        GroupProduct product{sum + "." + type.name,
                             i == 0 ? 256u : 8 * (i + 1),
                             type.a->bits() == 8 ? 32u : 16u,
                             type.a->bits(),
                             decoderOf(*type.a),
                             decoderOf(*type.b),
                             sum,
                             alongK(0, 128),
                             alongK(kStartB, 128)};
        product.hasRegistersA = i & 1;
        product.addsC = !(i & 2);
        product.signA = i & 4 ? -1 : 1;
        product.signB = i == 3 || i == 4 ? -1 : 1;
        checkProduct(product);
      }
  }
}

TEST(Warpgroup, Integers) {
  Decode decode[] = {[](uint32_t bits) { return double(int8_t(bits)); },
                     [](uint32_t bits) { return double(bits); }};
  const std::string names[] = {"s8", "u8"};
  for (size_t a : {0u, 1u})
    for (size_t b : {0u, 1u})
      for (unsigned i = 0; i < 4; ++i) {
        bool saturates = i & 1;
        GroupProduct product{"s32." + names[a] + "." + names[b] +
                                 (saturates ? ".satfinite" : ""),
                             i & 2 ? 256u : 24u,
                             32,
                             8,
                             decode[a],
                             decode[b],
                             saturates ? "s32 saturated" : "s32",
                             alongK(0, 128),
                             alongK(kStartB, 64)};
        product.hasRegistersA = i == 1 || i == 2;
        product.addsC = i != 3;
        checkProduct(product);
      }
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

static std::string messageOf(const std::string &before,
                             const std::string &after, uint32_t threads = 128,
                             llvm::StringRef chip = "sm_90a") {
  GroupProduct product = halves(8, alongK(0, 128), alongK(kStartB, 128));
  std::vector<uint32_t> image = randomImage(), in(size_t(128) * 8),
                        out(size_t(128) * 4);
  EmulatorLaunch launch;
  launch.block[0] = threads;
  return runKernel(
      kernelText(product, before, after),
      {bufferOf(image, "image"), bufferOf(in, "in"), bufferOf(out, "out")},
      launch, chip);
}

static void expectMessage(const std::string &message, const char *part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(PlantedBugs, WgmmaWithoutFence) {
  EXPECT_EQ(messageOf(kFence, kCommitAndWait), "");
  expectMessage(messageOf("", kCommitAndWait),
                "wgmma.mma_async without a wgmma.fence");
  // The wait gives the registers back.
  expectMessage(messageOf(kFence + std::string(kCommitAndWait), kCommitAndWait),
                "wgmma.mma_async without a wgmma.fence");
}

TEST(PlantedBugs, WgmmaWithoutWait) {
  std::string commit =
      "  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()\n";
  expectMessage(messageOf(kFence, commit),
                "sums of wgmma.mma_async are read before a wgmma.wait_group");
  // On one of two paths.
  std::string branch = R"(
  %isOdd = trunc i32 %t to i1
  br i1 %isOdd, label %waits, label %stores
waits:
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)
  br label %stores
stores:
)";
  expectMessage(messageOf(kFence, commit + branch),
                "sums of wgmma.mma_async are read before a wgmma.wait_group");
}

TEST(PlantedBugs, WgmmaOperandOverwritten) {
  std::string store = "  %z = getelementptr i32, ptr addrspace(3) @s, i32 %t\n"
                      "  %old = load i32, ptr addrspace(3) %z, align 4\n"
                      "  %new = add i32 %old, 1\n"
                      "  store i32 %new, ptr addrspace(3) %z, align 4\n";
  std::string barrier =
      "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
  EXPECT_EQ(messageOf(kFence, kCommitAndWait + barrier + store), "");
  expectMessage(messageOf(kFence, barrier + store + kCommitAndWait),
                "shared memory that wgmma.mma_async reads was overwritten "
                "before wgmma.wait_group");
}

TEST(PlantedBugs, WgmmaOfSomeWarps) {
  expectMessage(messageOf(kFence, kCommitAndWait, 96),
                "in a warpgroup without its four warps");
  expectMessage(messageOf(R"(
  %isFirst = icmp ult i32 %t, 96
  br i1 %isFirst, label %some, label %none
none:
  ret void
some:
)" + std::string(kFence),
                          kCommitAndWait),
                "waits forever in wgmma.fence.sync.aligned");
}

TEST(PlantedBugs, WgmmaOnOtherChips) {
  expectMessage(messageOf(kFence, kCommitAndWait, 128, "sm_120a"),
                "chip sm_120a has no wgmma");
}
