//===- Kernels.h - The kernels that convert-rotq-to-gpu builds
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_KERNELS_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_KERNELS_H

#include "KernelBuilder.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/LiftedActivation.h"
#include "rotq/Runtime/Manifest.h"

namespace mlir::rotq {

/// One matmul as kernels see it, or a group of them in one launch.
struct MatmulProblem {
  SmallVector<WeightType> weights; ///< of one format and K, member by member
  WeightType weight;               ///< the first: for format and K
  int64_t sums = 1;                ///< weights of a member
  SmallVector<MemRefType> epilogueOperands; ///< member by member
  Region *epilogue; ///< of f32 sums and elements of the operands
  int64_t group;    ///< of the quantized activation; 0: a float activation
  Operand operand = Operand::Int8; ///< of it
  bool hasRests = false;           ///< has it, where its rows are few
  Type inputType;                  ///< of a float activation
  Type outputType;

  size_t members() const { return weights.size() / size_t(sums); }
  /// Operands of the epilogue of a member.
  size_t operands() const { return epilogueOperands.size() / members(); }
};

/// One activation to rotate and quantize.
struct ActivationProblem {
  RotationAttrInterface rotation;
  int64_t k;
  int64_t group;
  Type inputType;
  Operand operand; ///< what codes are
  ::rotq::ActivationLayout layout;
  int64_t mMin, mMax;   ///< rows it may have; 0: no bound
  FrameAttr frame = {}; ///< lifts the activation too, if there is one
  int64_t liftedParts() const {
    return layout == ::rotq::ActivationLayout::Rests ? 2 : 1;
  }
};

/// A kernel under construction: the function, its arguments and what a launcher
/// has to know of it. Pointers come first, then `m`.
class KernelFunction {
public:
  /// Adds an empty kernel to `module`; `info` has name, params, grid, block.
  KernelFunction(gpu::GPUModuleOp module, Location loc,
                 const ::rotq::KernelInfo &info);

  Value argument(StringRef name) const;
  /// Where the `sharedBytes` of the kernel's description start: at a multiple
  /// of 1024, as the swizzles of `wgmma` have it.
  Value sharedMemory(KernelBuilder &b);
  /// The number of rows of the activation.
  Value rows(KernelBuilder &b) const;
  /// Programmatic dependent launch, where the kernel has it: lets the launch
  /// after this one start, as soon as all blocks of this one have. First of
  /// all: what that launch does before it waits is to overlap with this one.
  void letSuccessorStart(KernelBuilder &b) const;
  /// Programmatic dependent launch, where the kernel has it: waits until the
  /// launch before this one has ended and what it wrote is visible. A kernel
  /// does so before it touches memory that other launches write; since all of
  /// them do, all launches before have ended then. What it reads before has to
  /// be made by copies, or by launches that let none start ahead of their end,
  /// as those of repack. `loaded`, vectors of 32-bit words or pairs of f16, is
  /// on its way before the wait.
  void waitForPredecessor(KernelBuilder &b, ValueRange loaded = {}) const;
  gpu::GPUFuncOp getFunc() const { return func; }

private:
  gpu::GPUFuncOp func;
  const ::rotq::KernelInfo &info;
};

/// The layout of the quantized activation that the kernel of a configuration
/// reads.
::rotq::ActivationLayout activationLayoutOf(const MatmulProblem &problem,
                                            KernelAttr config);

/// The activation that the kernel of a configuration reads, an `mma_b1`.
::rotq::LiftedLayout liftedLayoutOf(const MatmulProblem &problem,
                                    KernelAttr config);

/// Bytes before the scale, or the sum, of a segment of one of `rows` rows,
/// which have `segments` each.
Value scaleAddress(KernelBuilder &b, ::rotq::ActivationLayout layout, Value row,
                   Value rows, Value segment, int64_t segments);

/// A PTX identifier.
std::string identifier(StringRef name);

/// What manifests, and names of kernels, call an element type.
std::string elementName(Type type);

/// What a launcher has to know of the kernel of a configuration.
::rotq::KernelInfo describeMatmul(const MatmulProblem &problem,
                                  KernelAttr config);
::rotq::KernelInfo describeActivation(const ActivationProblem &problem);
::rotq::KernelInfo describeDecompress(WeightType type);
/// `type` in either layout.
::rotq::KernelInfo describeRepack(WeightType type);

/// What manifests call an element type of codes.
std::string elementName(Operand operand);

/// y = x W^T with mma.sync, on points and codes of 8 bits or, for a float
/// activation, in f16 with the rotation of the weight undone in the load stage.
/// Reports what it cannot compute at the builder's location.
LogicalResult buildMma(KernelBuilder &b, KernelFunction &kernel,
                       const MatmulProblem &problem, KernelAttr config);

/// The same with wgmma, on points and codes of 8 bits.
LogicalResult buildWgmma(KernelBuilder &b, KernelFunction &kernel,
                         const MatmulProblem &problem, KernelAttr config);

/// The same with mma.sync on bits, of a lifted activation.
LogicalResult buildMmaBits(KernelBuilder &b, KernelFunction &kernel,
                           const MatmulProblem &problem, KernelAttr config);

/// Rotates and quantizes: a warp takes 256 values of one row. Where they are
/// lifted too, a block does.
LogicalResult buildActivation(KernelBuilder &b, KernelFunction &kernel,
                              const ActivationProblem &problem);

/// What buildActivation and describeActivation do where there is a frame;
/// `info` has what is the same without one.
void buildLifting(KernelBuilder &b, KernelFunction &kernel,
                  const ActivationProblem &problem);
void describeLifting(const ActivationProblem &problem,
                     ::rotq::KernelInfo &info);

/// Decodes a weight in Rice codes: a thread takes a stream.
void buildDecompress(KernelBuilder &b, KernelFunction &kernel, WeightType type);

/// Whether the codes of a weight are a path, which is found by a search.
bool hasPaths(WeightType type);

/// What a launcher has to know of the two kernels that encode such a weight.
::rotq::KernelInfo describeWeightRotation(WeightType type, Type element);
::rotq::KernelInfo describePathSearch(WeightType type);

/// Rotates the rows of a matrix, and finds their steps. Reports what it cannot
/// compute at the builder's location.
LogicalResult buildWeightRotation(KernelBuilder &b, KernelFunction &kernel,
                                  WeightType type, Type element);

/// Encodes rotated rows, given their steps.
void buildPathSearch(KernelBuilder &b, KernelFunction &kernel, WeightType type);

/// Copies a canonical weight into tiles.
void buildRepack(KernelBuilder &b, const KernelFunction &kernel,
                 WeightType type);

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_KERNELS_H
