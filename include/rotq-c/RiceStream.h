/*===- RiceStream.h - Lattice points as an entropy code from C ----*- C -*-===*/
/*
 * Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

/* A matrix as nearest points of E8 at one step, in Rice codes: for storage and
 * transport (docs/formats/rice.md). Conventions are those of rotq-c/Codec.h. */

#ifndef ROTQ_C_RICESTREAM_H
#define ROTQ_C_RICESTREAM_H

#include "rotq-c/Support.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The step for weights of unit variance at which codes take about `bits` a
 * weight, from 2 to 5; what else a blob holds comes on top. */
ROTQ_EXPORT int rotqRiceStep(float bits, float *step);

/* Encodes `weights` (n x k, k a multiple of 8). Sets *size to the bytes of the
 * blob and, where `capacity` >= *size, writes it; otherwise writes nothing. No
 * blob is longer than 2 n k + 16 n + 64 bytes. `threads` 0: one for every core;
 * the bytes do not depend on it. */
ROTQ_EXPORT int rotqRiceEncode(const float *weights, int64_t numWeights,
                               int64_t n, int64_t k, float step, void *blob,
                               int64_t capacity, int64_t *size,
                               uint32_t threads);

/* Decodes a blob of n x k points into `points` and their step. Damage to the
 * blob is an error that says where. */
ROTQ_EXPORT int rotqRiceDecode(const void *blob, int64_t blobBytes, int64_t n,
                               int64_t k, int8_t *points, int64_t numPoints,
                               float *step, uint32_t threads);

#ifdef __cplusplus
}
#endif

#endif /* ROTQ_C_RICESTREAM_H */
