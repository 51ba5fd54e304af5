//===- GroupMember.h - Which matmul of a group a block computes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_GROUPMEMBER_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_GROUPMEMBER_H

#include "Kernels.h"

namespace mlir::rotq {

/// The member of a group of matmuls that a block computes: a matrix y, and the
/// weights whose products its epilogue takes. What differs from member to
/// member, and is the same for all threads of a block. A member's blocks along
/// N follow those of the member before. A matmul alone is a group of one, and
/// all of it constant.
///
/// Values are found where they are asked for: what the end of a kernel needs
/// takes no register before.
class GroupMember {
public:
  /// `block`: of the launch, along N; every one takes `rowsPerBlock` rows of
  /// its member's weights, and the last one fewer.
  GroupMember(KernelBuilder &b, const KernelFunction &kernel,
              const MatmulProblem &problem, Value block, int64_t rowsPerBlock);

  /// Pointers.
  Value weight(Value sum) const;
  Value epilogueOperand(size_t i) const;
  Value y() const;
  /// The block among the member's.
  Value block() const;
  /// Rows of the weights.
  Value n() const;
  /// Of the weights.
  Value lastStrip() const;
  /// Where in the weights they are, in bytes.
  Value scalesOffset() const;

private:
  Value choose(function_ref<Value(size_t)> ofMember) const;
  /// Parameter `i` of those of that name that every member has.
  Value pointer(StringRef name, size_t i, size_t perMember) const;
  WeightType firstWeight(size_t member) const;

  KernelBuilder &b;
  const KernelFunction &kernel;
  const MatmulProblem &problem;
  Value blockOfLaunch;
  SmallVector<int64_t> firstBlocks; ///< of every member
};

/// Parameter `i` of a kernel among `count` of that name.
std::string numberedName(StringRef name, size_t i, size_t count);
/// The blocks along N of all members.
int64_t countBlocks(const MatmulProblem &problem, int64_t rowsPerBlock);

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_GROUPMEMBER_H
