//===- FormatPlan.h - Which weight gets which format
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_TRANSFORMS_FORMATPLAN_H
#define ROTQ_LIB_TRANSFORMS_FORMATPLAN_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Regex.h"

namespace mlir::rotq {

/// The formats of weights, by their names.
class FormatPlan {
public:
  using EmitError = function_ref<InFlightDiagnostic()>;

  /// One preset for every weight whose name `include` matches; an empty
  /// expression matches unnamed ones too.
  static FailureOr<FormatPlan> uniform(MLIRContext *context, StringRef format,
                                       StringRef include, EmitError emitError);
  /// A JSON file: {"<name>": "<preset>" or {declaration}, ...}. The weights
  /// named have been packed, so that leaving one out is an error.
  static FailureOr<FormatPlan> read(MLIRContext *context, StringRef path,
                                    EmitError emitError);

  /// The format of a weight; null: it stays as it is. The name may be empty.
  FormatAttr lookup(StringRef name) const;
  /// Whether weights that are looked up have to be packed.
  bool isBinding() const { return !include; }
  /// The names of a binding plan, sorted.
  ArrayRef<std::string> getNames() const { return names; }

private:
  FormatAttr format;
  std::shared_ptr<llvm::Regex> include;
  llvm::StringMap<FormatAttr> formats;
  SmallVector<std::string> names;
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_TRANSFORMS_FORMATPLAN_H
