//===- InstructionTestUtils.cpp - One instruction on many operands
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTestUtils.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

static std::string resultType(const Signature &signature) {
  if (signature.results.size() == 1)
    return signature.results[0];
  std::string text = "{ ";
  for (const std::string &type : signature.results)
    text += (text.size() > 2 ? ", " : "") + type;
  return text + " }";
}

/// "i16 2", but not "<2 x half>".
static bool isConstant(llvm::StringRef operand) {
  return operand.starts_with("i") && operand.contains(' ');
}

static unsigned bitsOf(llvm::StringRef type) {
  if (type == "i1")
    return 1;
  return type == "i16" || type == "half" || type == "bfloat" ? 16 : 32;
}

/// A kernel that executes the intrinsic in every thread.
static std::string kernelText(const Signature &signature) {
  std::string types, operands, body;
  auto line = [&](const std::string &text) { body += "  " + text + "\n"; };
  auto number = [](size_t i) { return std::to_string(i); };
  auto at = [&](const std::string &prefix, const std::string &buffer, size_t i,
                size_t count) {
    std::string n = prefix + number(i);
    line("%a" + n + " = mul i32 %t, " + number(count));
    line("%b" + n + " = add i32 %a" + n + ", " + number(i));
    line("%p" + n + " = getelementptr i32, ptr addrspace(1) " + buffer +
         ", i32 %b" + n);
    return "%p" + n;
  };
  size_t words = size_t(
             llvm::count_if(signature.operands, std::not_fn(isConstant))),
         next = 0;
  for (const std::string &type : signature.operands) {
    if (!operands.empty())
      types += ", ", operands += ", ";
    if (isConstant(type)) {
      types += type.substr(0, type.find(' '));
      operands += type;
      continue;
    }
    std::string n = number(next), pointer = at("i", "%in", next++, words);
    line("%w" + n + " = load i32, ptr addrspace(1) " + pointer + ", align 4");
    std::string bits = "i" + number(bitsOf(type)), value = "%w" + n;
    if (bits != "i32") {
      line("%n" + n + " = trunc i32 " + value + " to " + bits);
      value = "%n" + n;
    }
    line("%x" + n + " = bitcast " + bits + " " + value + " to " + type);
    types += type;
    operands += type + " %x" + n;
  }
  line("%r = call " + resultType(signature) + " @" + signature.name + "(" +
       operands + ")");
  size_t count = signature.results.size();
  for (auto [i, type] : llvm::enumerate(signature.results)) {
    std::string n = number(i), value = "%r";
    if (count > 1) {
      line("%e" + n + " = extractvalue " + resultType(signature) + " %r, " + n);
      value = "%e" + n;
    }
    std::string bits = "i" + number(bitsOf(type));
    line("%c" + n + " = bitcast " + type + " " + value + " to " + bits);
    value = "%c" + n;
    if (bits != "i32") {
      line("%v" + n + " = zext " + bits + " " + value + " to i32");
      value = "%v" + n;
    }
    std::string pointer = at("o", "%out", i, count);
    line("store i32 " + value + ", ptr addrspace(1) " + pointer + ", align 4");
  }
  return "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\ndeclare " +
         resultType(signature) + " @" + signature.name + "(" + types +
         ")\ndefine ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) "
         "%out) {\n  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n" +
         body + "  ret void\n}\n";
}

Lanes mlir::rotq::test::execute(const Signature &signature,
                                const Lanes &operands, uint64_t seed,
                                llvm::StringRef chip,
                                const Tolerance &tolerance) {
  size_t count = signature.results.size();
  Words in, out(operands.size() * count);
  for (const Words &words : operands)
    in.insert(in.end(), words.begin(), words.end());
  EmulatorLaunch launch;
  launch.block[0] = uint32_t(operands.size());
  launch.seed = seed;
  EXPECT_EQ(runKernel(kernelText(signature),
                      {bufferOf(in, "in", false), bufferOf(out, "out")}, launch,
                      chip, tolerance),
            "")
      << kernelText(signature);
  Lanes results;
  for (size_t i = 0; i < out.size(); i += count)
    results.emplace_back(out.begin() + std::ptrdiff_t(i),
                         out.begin() + std::ptrdiff_t(i + count));
  return results;
}

Lanes mlir::rotq::test::randomLanes(size_t count, size_t threads) {
  static std::mt19937 random(11);
  Lanes lanes(threads);
  for (Words &words : lanes)
    for (size_t i = 0; i < count; ++i)
      words.push_back(uint32_t(random()));
  return lanes;
}

void mlir::rotq::test::expectPure(
    const Signature &signature, const Lanes &operands,
    std::function<uint32_t(const Words &)> expected, llvm::StringRef chip) {
  Lanes results = execute(signature, operands, 1, chip);
  for (size_t lane = 0; lane < operands.size(); ++lane)
    EXPECT_EQ(results[lane][0], expected(operands[lane]))
        << signature.name << " in thread " << lane;
}
