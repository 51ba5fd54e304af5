/*===- Support.h - What every C function of RotQ shares -----------*- C -*-===*/
/*
 * Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef ROTQ_C_SUPPORT_H
#define ROTQ_C_SUPPORT_H

#define ROTQ_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* Functions that can fail return 0 on success and nonzero on failure. This is
 * the message of the last failure on the calling thread, "" if there was none.
 * It stays valid until the next failure on this thread. */
ROTQ_EXPORT const char *rotqLastError(void);

#ifdef __cplusplus
}
#endif

#endif /* ROTQ_C_SUPPORT_H */
