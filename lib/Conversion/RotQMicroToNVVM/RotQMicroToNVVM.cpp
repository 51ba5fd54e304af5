//===- RotQMicroToNVVM.cpp - Micro-ops on NVIDIA GPUs
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedTables.h"

#include "rotq/Codec/SharedTable.h"
#include "rotq/Conversion/ExprMaterializer.h"
#include "rotq/Conversion/NarrowFloats.h"
#include "rotq/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_CONVERTROTQMICROTONVVM
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

//===----------------------------------------------------------------------===//
// Table lookup by PRMT
//===----------------------------------------------------------------------===//

static int64_t numWordsOf(Value value) {
  return cast<VectorType>(value.getType()).getDimSize(0);
}

namespace {
/// One PRMT picks four bytes out of eight by four nibbles: a table of up to
/// eight bytes costs one per four codes, a table of sixteen three (both halves,
/// then a choice between them by the top bit of each code).
class PermuteMaterializer : public ExprMaterializer {
public:
  using ExprMaterializer::ExprMaterializer;

protected:
  Value emitLookup(Value codes, std::span<const int8_t> table) override;
  Value emitGather(Value indices, std::span<const uint32_t> table) override;
  Value emitSumBytes(Value value, uint8_t factor, uint32_t start) override;
  Value emitShuffleBytes(Value value, ArrayRef<int64_t> indices) override;
  Value emitToE4M3(Value words) override {
    return emitPointsToE4M3(builder, loc, words);
  }

private:
  template <typename Fn> Value mapWords(Value value, Fn fn);
  Value pickBytes(Value value, ArrayRef<int64_t> indices);
  Value i32(uint32_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI32IntegerAttr(int32_t(value)));
  }
  Value inRegister(uint32_t word);
  /// Bytes of `lo` (0 to 3) and `hi` (4 to 7) picked by the low four nibbles of
  /// `selector`, whose top bits are clear.
  Value permute(Value selector, Value lo, Value hi) {
    return NVVM::PermuteOp::create(builder, loc, builder.getI32Type(), lo, hi,
                                   selector, NVVM::PermuteMode::DEFAULT);
  }
  Value andMask(Value value, uint32_t mask) {
    return arith::AndIOp::create(builder, loc, value, i32(mask));
  }
  Value shiftWord(Value value, uint32_t amount) {
    return arith::ShRUIOp::create(builder, loc, value, i32(amount));
  }
};
} // namespace

/// A constant that ptxas takes for a value of the lane, since it knows nothing
/// of the highest bit of lanemask.lt, which is never set. Constants it holds in
/// uniform registers in long loops, and copies them for every PRMT.
Value PermuteMaterializer::inRegister(uint32_t word) {
  Value mask = NVVM::LaneMaskLtOp::create(builder, loc, builder.getI32Type());
  return arith::XOrIOp::create(builder, loc, andMask(mask, 0x80000000),
                               i32(word));
}

Value PermuteMaterializer::emitLookup(Value codes,
                                      std::span<const int8_t> table) {
  // The table in registers of four bytes, the last repeated up to a pair.
  SmallVector<Value> registers;
  for (size_t i = 0; i < table.size(); i += 4) {
    uint32_t word = 0;
    for (size_t j = 0; j < 4; ++j)
      word |= uint32_t(uint8_t(table[std::min(i + j, table.size() - 1)]))
              << (8 * j);
    registers.push_back(inRegister(word));
  }
  if (registers.size() == 1)
    registers.push_back(registers.front());

  SmallVector<Value> bytes;
  int64_t count = cast<VectorType>(codes.getType()).getDimSize(0);
  for (int64_t i = 0; i < count; ++i) {
    Value word = vector::ExtractOp::create(builder, loc, codes, i);
    if (registers.size() == 2) {
      for (uint32_t shift : {0, 16})
        bytes.push_back(permute(shift ? shiftWord(word, shift) : word,
                                registers[0], registers[1]));
      continue;
    }
    // Bits 0 to 2 pick within each half of the table; bit 3 picks the half:
    // position j of the result is byte j of the low half or of the high one.
    Value within = andMask(word, 0x77777777);
    Value half = arith::OrIOp::create(
        builder, loc, andMask(shiftWord(word, 1), 0x44444444), i32(0x32103210));
    for (uint32_t shift : {0, 16}) {
      Value pick = shift ? shiftWord(within, shift) : within;
      Value choose = shift ? shiftWord(half, shift) : half;
      bytes.push_back(permute(choose, permute(pick, registers[0], registers[1]),
                              permute(pick, registers[2], registers[3])));
    }
  }
  return vector::FromElementsOp::create(
      builder, loc, VectorType::get({2 * count}, builder.getI32Type()), bytes);
}

template <typename Fn> Value PermuteMaterializer::mapWords(Value value, Fn fn) {
  SmallVector<Value> words;
  for (int64_t i = 0, e = numWordsOf(value); i < e; ++i)
    words.push_back(fn(vector::ExtractOp::create(builder, loc, value, i)));
  return vector::FromElementsOp::create(builder, loc, value.getType(), words);
}

Value PermuteMaterializer::emitGather(Value indices,
                                      std::span<const uint32_t> table) {
  ::rotq::SharedTable layout(table);
  LLVM::GlobalOp global = getTable(builder, loc, layout.words(), kGlobalMemory);
  LLVM::GlobalOp copy = findSharedCopy(global);
  Value base = LLVM::AddressOfOp::create(builder, loc, copy ? copy : global);
  int64_t copies = copy ? layout.copies() : 1;
  auto scaled = [&](Value value, int64_t factor) -> Value {
    return arith::MulIOp::create(builder, loc, value, i32(uint32_t(factor)));
  };
  // Of a lane within the copies of a word, in bytes.
  Value own;
  if (copies != 1) {
    Value lane = NVVM::LaneIdOp::create(builder, loc, builder.getI32Type());
    own = scaled(andMask(lane, uint32_t(copies - 1)), 4);
  }
  uint32_t words = uint32_t(layout.words().size());
  IntegerType type =
      layout.hasHalves() ? builder.getI16Type() : builder.getI32Type();
  return mapWords(indices, [&](Value index) -> Value {
    Value word = index, half;
    if (layout.hasHalves()) {
      word = andMask(index, words - 1);
      half = scaled(shiftWord(index, uint32_t(llvm::Log2_32(words))), 2);
    }
    Value offset = scaled(word, 4 * copies);
    for (Value part : {half, own})
      if (part)
        offset = arith::OrIOp::create(builder, loc, offset, part);
    Value address =
        LLVM::GEPOp::create(builder, loc, base.getType(), builder.getI8Type(),
                            base, ArrayRef<LLVM::GEPArg>{offset});
    Value entry = LLVM::LoadOp::create(
        builder, loc, type, address, type.getWidth() / 8, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/!copy);
    return type.getWidth() == 32
               ? entry
               : arith::ExtUIOp::create(builder, loc, builder.getI32Type(),
                                        entry);
  });
}

Value PermuteMaterializer::emitSumBytes(Value value, uint8_t factor,
                                        uint32_t start) {
  auto bytes = VectorType::get({4}, builder.getI8Type());
  auto quad = [&](Value word) -> Value {
    return LLVM::BitcastOp::create(builder, loc, bytes, word);
  };
  Value factors = quad(i32(factor * 0x01010101u)), first = i32(start);
  return mapWords(value, [&](Value word) -> Value {
    return NVVM::DotAccumulate4WayOp::create(
        builder, loc, builder.getI32Type(), quad(word),
        NVVM::DotAccumulateType::UNSIGNED, factors,
        NVVM::DotAccumulateType::UNSIGNED, first);
  });
}

/// The bytes of a word, which lie in two words.
Value PermuteMaterializer::pickBytes(Value value, ArrayRef<int64_t> indices) {
  int64_t first = indices.front() / 4, second = first;
  uint32_t selector = 0;
  for (auto [i, index] : llvm::enumerate(indices)) {
    if (index / 4 != first)
      second = index / 4;
    selector |= uint32_t(index % 4 + (index / 4 == first ? 0 : 4)) << (4 * i);
  }
  return permute(i32(selector),
                 vector::ExtractOp::create(builder, loc, value, first),
                 vector::ExtractOp::create(builder, loc, value, second));
}

/// Where bytes lie in more than two words, the low and the high half apart.
Value PermuteMaterializer::emitShuffleBytes(Value value,
                                            ArrayRef<int64_t> indices) {
  SmallVector<Value> words;
  for (size_t i = 0; i < indices.size(); i += 4) {
    ArrayRef<int64_t> ofWord = indices.slice(i, 4);
    llvm::SmallDenseSet<int64_t> sources;
    for (int64_t index : ofWord)
      sources.insert(index / 4);
    if (sources.size() <= 2)
      words.push_back(pickBytes(value, ofWord));
    else
      words.push_back(permute(i32(0x5410),
                              pickBytes(value, ofWord.take_front(2)),
                              pickBytes(value, ofWord.take_back(2))));
  }
  return vector::FromElementsOp::create(
      builder, loc,
      VectorType::get({int64_t(words.size())}, builder.getI32Type()), words);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

static VectorType wordsOf(VectorType type) {
  unsigned width = type.getElementTypeBitWidth();
  return VectorType::get({type.getDimSize(0) * width / 32},
                         IntegerType::get(type.getContext(), 32));
}

namespace {
struct LowerUnpack : public OpRewritePattern<UnpackOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UnpackOp op,
                                PatternRewriter &rewriter) const override {
    PermuteMaterializer materializer(rewriter, op.getLoc());
    rewriter.replaceOp(op, materializer.unpack(op));
    return success();
  }
};

struct LowerDecode : public OpRewritePattern<DecodeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DecodeOp op,
                                PatternRewriter &rewriter) const override {
    PermuteMaterializer materializer(rewriter, op.getLoc());
    rewriter.replaceOp(op, materializer.decode(op));
    return success();
  }
};

/// Four products a dp4a.
struct LowerDot : public OpRewritePattern<DotOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getLhs().getType();
    auto bytes = VectorType::get({4}, rewriter.getI8Type());
    Value lhs =
        vector::BitCastOp::create(rewriter, loc, wordsOf(type), op.getLhs());
    Value rhs =
        vector::BitCastOp::create(rewriter, loc, wordsOf(type), op.getRhs());
    auto quad = [&](Value words, int64_t i) -> Value {
      Value word = vector::ExtractOp::create(rewriter, loc, words, i);
      return LLVM::BitcastOp::create(rewriter, loc, bytes, word);
    };
    bool isVector = isa<VectorType>(op.getAcc().getType());
    Value acc = op.getAcc();
    SmallVector<Value> sums;
    for (int64_t i = 0, e = type.getDimSize(0) / 4; i < e; ++i) {
      Value start =
          isVector
              ? Value(vector::ExtractOp::create(rewriter, loc, op.getAcc(), i))
              : acc;
      acc = NVVM::DotAccumulate4WayOp::create(
          rewriter, loc, rewriter.getI32Type(), quad(lhs, i),
          op.getUnsignedLhs() ? NVVM::DotAccumulateType::UNSIGNED
                              : NVVM::DotAccumulateType::SIGNED,
          quad(rhs, i), NVVM::DotAccumulateType::SIGNED, start);
      sums.push_back(acc);
    }
    if (isVector)
      rewriter.replaceOpWithNewOp<vector::FromElementsOp>(
          op, cast<VectorType>(op.getType()), sums);
    else
      rewriter.replaceOp(op, acc);
    return success();
  }
};

/// Strides below the vector's length pair elements of one lane, the others
/// lanes of the warp.
struct LowerFwht : public OpRewritePattern<FwhtOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FwhtOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    int64_t count = op.getType().getDimSize(0);
    Value value = op.getInput();
    for (int64_t stride = 1; stride < int64_t(op.getBlock()); stride *= 2) {
      Value next = stride < count ? withinLane(rewriter, loc, value, stride)
                                  : acrossLanes(rewriter, loc, value, stride);
      if (Value length = op.getLength()) {
        Value bound = arith::ConstantOp::create(
            rewriter, loc, rewriter.getI32IntegerAttr(int32_t(stride)));
        Value active = arith::CmpIOp::create(
            rewriter, loc, arith::CmpIPredicate::slt, bound, length);
        next = arith::SelectOp::create(rewriter, loc, active, next, value);
      }
      value = next;
    }
    rewriter.replaceOp(op, value);
    return success();
  }

  /// The partner of element e is e ^ stride: two contiguous halves of every
  /// run of 2 * stride elements. Sums and differences are formed on whole
  /// halves, so that f16 runs two elements an instruction.
  static Value withinLane(PatternRewriter &rewriter, Location loc, Value value,
                          int64_t stride) {
    int64_t count = cast<VectorType>(value.getType()).getDimSize(0);
    SmallVector<int64_t> lower, upper, merge(count);
    for (int64_t e = 0; e < count; ++e) {
      auto &half = e & stride ? upper : lower;
      merge[e] = int64_t(half.size()) + (e & stride ? count / 2 : 0);
      half.push_back(e);
    }
    auto pick = [&](ArrayRef<int64_t> indices) -> Value {
      return vector::ShuffleOp::create(rewriter, loc, value, value, indices);
    };
    Value a = pick(lower), b = pick(upper);
    Value sum = arith::AddFOp::create(rewriter, loc, a, b);
    Value difference = arith::SubFOp::create(rewriter, loc, a, b);
    return vector::ShuffleOp::create(rewriter, loc, sum, difference, merge);
  }

  /// The partner of lane l is l ^ (stride / count). The upper lane subtracts:
  /// partner - own = own * -1 + partner, exact.
  static Value acrossLanes(PatternRewriter &rewriter, Location loc, Value value,
                           int64_t stride) {
    auto type = cast<VectorType>(value.getType());
    int64_t count = type.getDimSize(0);
    auto i32 = [&](int64_t v) -> Value {
      return arith::ConstantOp::create(rewriter, loc,
                                       rewriter.getI32IntegerAttr(int32_t(v)));
    };
    Value lane = NVVM::LaneIdOp::create(rewriter, loc, rewriter.getI32Type());
    Value bit = arith::AndIOp::create(rewriter, loc, lane, i32(stride / count));
    Value isUpper = arith::CmpIOp::create(
        rewriter, loc, arith::CmpIPredicate::ne, bit, i32(0));
    Value partner = shuffle(rewriter, loc, value, i32(stride / count));
    Value sum = arith::AddFOp::create(rewriter, loc, partner, value);
    Value difference = arith::SubFOp::create(rewriter, loc, partner, value);
    return arith::SelectOp::create(rewriter, loc, isUpper, difference, sum);
  }

  /// shfl.sync.bfly of 32 bits at a time.
  static Value shuffle(PatternRewriter &rewriter, Location loc, Value value,
                       Value mask) {
    auto type = cast<VectorType>(value.getType());
    VectorType words = wordsOf(type);
    Value bits = vector::BitCastOp::create(rewriter, loc, words, value);
    Value width = arith::ConstantOp::create(rewriter, loc,
                                            rewriter.getI32IntegerAttr(32));
    SmallVector<Value> moved;
    for (int64_t i = 0, e = words.getDimSize(0); i < e; ++i) {
      Value word = vector::ExtractOp::create(rewriter, loc, bits, i);
      moved.push_back(gpu::ShuffleOp::create(rewriter, loc, word, mask, width,
                                             gpu::ShuffleMode::XOR)
                          .getShuffleResult());
    }
    Value result = vector::FromElementsOp::create(rewriter, loc, words, moved);
    return vector::BitCastOp::create(rewriter, loc, type, result);
  }
};

struct ConvertRotQMicroToNVVM
    : public mlir::rotq::impl::ConvertRotQMicroToNVVMBase<
          ConvertRotQMicroToNVVM> {
  void runOnOperation() override {
    shareTables(getOperation());
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerUnpack, LowerDecode, LowerDot, LowerFwht>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
