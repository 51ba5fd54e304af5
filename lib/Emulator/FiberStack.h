//===- FiberStack.h - Stacks as AddressSanitizer knows them
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// AddressSanitizer has to be told of every switch between stacks. Without it,
// nothing here does anything.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_FIBERSTACK_H
#define ROTQ_LIB_EMULATOR_FIBERSTACK_H

#include <cstddef>

#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace mlir::rotq::emulator {

struct FiberStack {
  void *bottom = nullptr;
  size_t size = 0;
};

#if __has_feature(address_sanitizer)
/// Before a switch to another stack. `kept` holds what the current one needs
/// when it is switched back to; null where it ends.
inline void startSwitch(const FiberStack &to, void **kept) {
  __sanitizer_start_switch_fiber(kept, to.bottom, to.size);
}
/// After a switch, on the new stack: what startSwitch had kept of it, null for
/// a new one. Returns the stack that was left.
inline FiberStack finishSwitch(void *kept) {
  const void *bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(kept, &bottom, &size);
  return {const_cast<void *>(bottom), size};
}
/// Forgets the frames that are on a stack.
inline void clearStack(const FiberStack &stack) {
  __asan_unpoison_memory_region(stack.bottom, stack.size);
}
#else
inline void startSwitch(const FiberStack &, void **) {}
inline FiberStack finishSwitch(void *) { return {}; }
inline void clearStack(const FiberStack &) {}
#endif

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_FIBERSTACK_H
