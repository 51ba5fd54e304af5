//===- RandomEpilogue.cpp - Elementwise functions of products, at random
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomEpilogue.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>

using namespace mlir::rotq::test;
using llvm::APFloat;

static const llvm::fltSemantics &semanticsOf(llvm::StringRef type) {
  if (type == "f32")
    return APFloat::IEEEsingle();
  return type == "f16" ? APFloat::IEEEhalf() : APFloat::BFloat();
}

std::vector<std::byte> mlir::rotq::test::pack(llvm::ArrayRef<float> values,
                                              llvm::StringRef type) {
  size_t size = type == "f32" ? 4 : 2;
  std::vector<std::byte> bytes(values.size() * size);
  for (auto [i, value] : llvm::enumerate(values)) {
    APFloat rounded(value);
    bool losesInfo;
    rounded.convert(semanticsOf(type), APFloat::rmNearestTiesToEven,
                    &losesInfo);
    auto bits = uint32_t(rounded.bitcastToAPInt().getZExtValue());
    std::memcpy(bytes.data() + size * i, &bits, size);
  }
  return bytes;
}

std::vector<float> mlir::rotq::test::unpack(llvm::ArrayRef<std::byte> bytes,
                                            llvm::StringRef type) {
  size_t size = type == "f32" ? 4 : 2;
  std::vector<float> values;
  for (size_t at = 0; at < bytes.size(); at += size) {
    uint32_t bits = 0;
    std::memcpy(&bits, bytes.data() + at, size);
    APFloat value(semanticsOf(type), llvm::APInt(unsigned(8 * size), bits));
    bool losesInfo;
    value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    values.push_back(value.convertToFloat());
  }
  return values;
}

RandomEpilogue RandomEpilogue::draw(std::mt19937_64 &random, int64_t count) {
  static constexpr const char *kTypes[] = {"f32", "f16", "bf16"};
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  RandomEpilogue result;
  for (int64_t i = pick(0, count); i > 0; --i) {
    Kind kind = Kind(pick(0, 5));
    // To round to f32 is none.
    result.steps.push_back({kind, kTypes[pick(kind == Kind::Round, 2)]});
  }
  return result;
}

std::string RandomEpilogue::label() const {
  std::string result;
  for (const Step &step : steps) {
    result += "brsncr"[int(step.kind)];
    if (step.kind == Kind::Round)
      result.back() = step.type == "f16" ? 'h' : 't';
  }
  return result;
}

std::string RandomEpilogue::arguments(llvm::StringRef value, int64_t n) const {
  std::string result;
  for (auto [i, step] : llvm::enumerate(steps))
    if (step.kind == Kind::Bias || step.kind == Kind::Residual)
      result +=
          llvm::formatv(", %{0}_{1}: tensor<{2}{3}x{4}>", value, i,
                        step.kind == Kind::Bias ? "" : "?x", n, step.type);
  return result;
}

/// An op on all elements, of a body that gives %y of %a and, where there is one
/// more operand, %b.
static std::string genericOp(const std::string &result,
                             const std::string &source, int64_t n,
                             const std::string &operand,
                             const std::string &operandType, bool isVector,
                             const std::string &body) {
  std::string matrix = llvm::formatv("tensor<?x{0}xf32>", n);
  std::string maps = "#mn", values = source, types = matrix, more;
  if (!operand.empty()) {
    maps += isVector ? ", #n" : ", #mn";
    values += ", " + operand;
    types += llvm::formatv(", tensor<{0}{1}x{2}>", isVector ? "" : "?x", n,
                           operandType);
    more = ", %b: " + operandType;
  }
  return llvm::formatv(R"(
  {0} = linalg.generic {{indexing_maps = [{1}, #mn], iterator_types = ["parallel", "parallel"]}
      ins({2} : {3}) outs(%empty_{4} : {5}) {{
    ^bb0(%a: f32{6}, %o: f32):
      {7}
      linalg.yield %y : f32
  } -> {5})",
                       result, maps, values, types, n, matrix, more, body);
}

/// Of the value that so many steps made.
std::string RandomEpilogue::nameOf(llvm::StringRef value, size_t step) const {
  return step == 0 ? ("%" + value).str()
                   : ("%" + value + "_step" + llvm::Twine(step)).str();
}

std::string RandomEpilogue::result(llvm::StringRef value) const {
  return nameOf(value, steps.size());
}

std::string RandomEpilogue::text(llvm::StringRef value, int64_t n) const {
  std::string matrix = llvm::formatv("tensor<?x{0}xf32>", n), result;
  for (auto [i, step] : llvm::enumerate(steps)) {
    std::string source = nameOf(value, i), target = nameOf(value, i + 1);
    switch (step.kind) {
    case Kind::Bias:
    case Kind::Residual: {
      std::string body =
          step.type == "f32"
              ? std::string("%y = arith.addf %a, %b : f32")
              : "%w = arith.extf %b : " + step.type +
                    " to f32\n      %y = arith.addf %a, %w : f32";
      result +=
          genericOp(target, source, n, llvm::formatv("%{0}_{1}", value, i),
                    step.type, step.kind == Kind::Bias, body);
      break;
    }
    case Kind::Silu:
      result += genericOp(target, source, n, "", "", false,
                          R"(%n = arith.negf %a : f32
      %e = math.exp %n : f32
      %d = arith.addf %e, %one : f32
      %y = arith.divf %a, %d : f32)");
      break;
    case Kind::Negate:
      result += llvm::formatv("\n  {0} = arith.negf {1} : {2}", target, source,
                              matrix);
      break;
    case Kind::Scale:
      result += genericOp(target, source, n, "", "", false,
                          "%y = arith.mulf %a, %factor : f32");
      break;
    case Kind::Round: {
      std::string rounded = llvm::formatv("tensor<?x{0}x{1}>", n, step.type);
      result += llvm::formatv(R"(
  %{0}_round{1} = arith.truncf {2} : {3} to {4}
  {5} = arith.extf %{0}_round{1} : {4} to {3})",
                              value, i, source, matrix, rounded, target);
      break;
    }
    }
  }
  return result;
}

std::vector<RandomEpilogue::Operand>
RandomEpilogue::drawOperands(std::mt19937_64 &random, int64_t m,
                             int64_t n) const {
  std::normal_distribution<float> normal;
  std::vector<Operand> operands;
  for (const Step &step : steps) {
    if (step.kind != Kind::Bias && step.kind != Kind::Residual)
      continue;
    bool isVector = step.kind == Kind::Bias;
    std::vector<float> values(size_t((isVector ? 1 : m) * n));
    for (float &value : values)
      value = 16 * normal(random);
    operands.push_back(
        {isVector, step.type, unpack(pack(values, step.type), step.type)});
  }
  return operands;
}

void RandomEpilogue::apply(BoundedProduct &product, int64_t n,
                           llvm::ArrayRef<Operand> operands) const {
  for (const Step &step : steps) {
    const Operand *operand = nullptr;
    if (step.kind == Kind::Bias || step.kind == Kind::Residual) {
      operand = &operands.front();
      operands = operands.drop_front();
    }
    for (size_t i = 0; i < product.values.size(); ++i) {
      double &value = product.values[i], &bound = product.bounds[i];
      switch (step.kind) {
      case Kind::Bias:
      case Kind::Residual:
        value += double(operand->values[operand->isVector ? i % size_t(n) : i]);
        break;
      case Kind::Silu:
        value /= 1 + std::exp(-value);
        // Its slope is at most 1.1; the polynomial, and what it is of, err by
        // some units in the last place.
        bound = 1.1 * bound + 0x1p-19 * (std::abs(value) + bound) + 0x1p-90;
        break;
      case Kind::Negate:
        value = -value;
        break;
      case Kind::Scale:
        value *= 1.25;
        bound *= 1.25;
        break;
      case Kind::Round:
        break;
      }
    }
    product.roundTo(step.kind == Kind::Round ? step.type : "f32");
  }
}
