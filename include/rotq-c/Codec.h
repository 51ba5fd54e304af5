/*===- Codec.h - Encoding and decoding weights from C -------------*- C -*-===*/
/*
 * Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

/* Every function may be called from any thread at any time.
 *
 * `format` is the name of a preset ("rq3") or a declaration in JSON (see
 * rotqFormatToJson). Matrices are row-major and dense. A buffer is passed with
 * the number of its elements, which must be exactly the number documented.
 * Functions return 0, or nonzero with a message in rotqLastError(). */

#ifndef ROTQ_C_CODEC_H
#define ROTQ_C_CODEC_H

#include "rotq-c/Support.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Number of preset formats, and their names in the order in which to list them
 * (NULL if `index` is out of range). The names live forever. */
ROTQ_EXPORT int64_t rotqPresetCount(void);
ROTQ_EXPORT const char *rotqPresetName(int64_t index);

/* The declaration of `format` in JSON, keys in a fixed order. Sets *size to its
 * length without the final NUL and, where `capacity` > *size, writes it with
 * that NUL; otherwise writes nothing. Call it with capacity 0 to learn the
 * size. */
ROTQ_EXPORT int rotqFormatToJson(const char *format, char *buffer,
                                 int64_t capacity, int64_t *size);

/* Sets *equal to 1 if the two formats decode the same bytes alike (their names
 * do not matter), else to 0. */
ROTQ_EXPORT int rotqFormatsEqual(const char *a, const char *b, int32_t *equal);

enum { ROTQ_MAX_PLANES = 4 };

/* Where the parts of a packed N x K weight lie in its blob. */
typedef struct RotqPlane {
  int64_t runBytes; /* of 32 weights */
  int64_t offset;   /* bytes from the start of the blob */
  int64_t rowBytes;
} RotqPlane;

typedef struct RotqLayout {
  int64_t totalBytes;
  int64_t paddedLength; /* weights a row that are rotated and scaled */
  int64_t storedLength; /* codes a row */
  int64_t numPlanes;
  RotqPlane planes[ROTQ_MAX_PLANES];
  int64_t scalesOffset;      /* bytes from the start of the blob */
  int64_t segments;          /* scaled segments a row */
  int64_t numbersPerSegment; /* f16 numbers: 1 (step) or 2 (step, offset) */
  int64_t numbersPerRow;     /* segments * numbersPerSegment */
  int64_t rotationBlock;     /* 0: no rotation */
  int64_t scaleGroup;        /* 2^32: a row */
  /* Archives hold no more (rotqCompress); 0: they hold the blob as it is. */
  int64_t maxCompressedBytes;
  int64_t streams; /* that decode alone, of what archives hold; 0: none */
} RotqLayout;

ROTQ_EXPORT int rotqWeightLayout(const char *format, int64_t n, int64_t k,
                                 RotqLayout *layout);

/* The segments that a row of `k` weights is cut into by blocks of `block` (a
 * power of two from 32 to 4096). Sets *count; writes offsets and lengths where
 * `capacity` >= *count, otherwise nothing. */
ROTQ_EXPORT int rotqSegments(int64_t k, int64_t block, int64_t *offsets,
                             int64_t *lengths, int64_t capacity,
                             int64_t *count);

/* Called with the rows finished since the last call, from any of the encoder's
 * threads, never twice at a time. */
typedef void (*RotqProgress)(int64_t rows, void *user);

/* Encodes `weights` (n x k) into `blob` (totalBytes). `threads` 0: one for
 * every core; the bytes do not depend on it. `progress` may be NULL. */
ROTQ_EXPORT int rotqEncode(const char *format, const float *weights,
                           int64_t numWeights, int64_t n, int64_t k, void *blob,
                           int64_t blobBytes, uint32_t threads,
                           RotqProgress progress, void *user);

/* As rotqEncode, but the error of a column is made good by those behind it:
 * `feedback` is paddedLength x paddedLength, the unit upper triangular V of
 * (R C R^T)^-1 = V^T D V, with C the covariance of the inputs of the weight and
 * R the rotation of the format (rotqRotate); what is below its diagonal is not
 * read. 0 numbers of it: none. */
ROTQ_EXPORT int rotqEncodeWithFeedback(const char *format, const float *weights,
                                       int64_t numWeights, int64_t n, int64_t k,
                                       const float *feedback,
                                       int64_t numFeedback, void *blob,
                                       int64_t blobBytes, uint32_t threads,
                                       RotqProgress progress, void *user);

/* Reconstructs the weights: `weights` is n x k. */
ROTQ_EXPORT int rotqDecode(const char *format, const void *blob,
                           int64_t blobBytes, int64_t n, int64_t k,
                           float *weights, int64_t numWeights,
                           uint32_t threads);

/* Reconstructs `numRows` rows, each in [0, n): `out` is numRows x k. */
ROTQ_EXPORT int rotqDecodeRows(const char *format, const void *blob,
                               int64_t blobBytes, int64_t n, int64_t k,
                               const int64_t *rows, int64_t numRows, float *out,
                               int64_t numOut);

/* The integer points of the codebook: `points` is n x storedLength. */
ROTQ_EXPORT int rotqDecodePoints(const char *format, const void *blob,
                                 int64_t blobBytes, int64_t n, int64_t k,
                                 int8_t *points, int64_t numPoints);

/* Scaled but still rotated: `weights` is n x paddedLength. */
ROTQ_EXPORT int rotqDecodeRotated(const char *format, const void *blob,
                                  int64_t blobBytes, int64_t n, int64_t k,
                                  float *weights, int64_t numWeights);

/* What archives hold of the blob: at most maxCompressedBytes, which
 * `compressed` has room for, or the blob as it is. Sets *size. `threads` as
 * above. */
ROTQ_EXPORT int rotqCompress(const char *format, const void *blob,
                             int64_t blobBytes, int64_t n, int64_t k,
                             void *compressed, int64_t capacity, int64_t *size,
                             uint32_t threads);

/* The way back. Damage is an error, as far as the format's coding can tell;
 * `blob` has no particular bytes then. */
ROTQ_EXPORT int rotqDecompress(const char *format, const void *compressed,
                               int64_t compressedBytes, int64_t n, int64_t k,
                               void *blob, int64_t blobBytes, uint32_t threads);

/* The bytes of a weight in the tiled layout, that of GPU kernels. */
ROTQ_EXPORT int rotqTiledBytes(const char *format, int64_t n, int64_t k,
                               int64_t *bytes);

/* Copies a blob into the tiled layout; `tiled` has rotqTiledBytes. The kernels
 * of a bundle whose role is "repack" do the same on the device. */
ROTQ_EXPORT int rotqRepack(const char *format, const void *blob,
                           int64_t blobBytes, int64_t n, int64_t k, void *tiled,
                           int64_t tiledBytes);

/* Rotates the rows of `x` (m x paddedK, paddedK a multiple of 32) in place, or
 * undoes it where `inverse` is nonzero. */
ROTQ_EXPORT int rotqRotate(const char *format, float *x, int64_t numX,
                           int64_t m, int64_t paddedK, int32_t inverse);

/* Quantizes `x` (m x k) to int8 with a scale for every segment of `group`
 * values: `codes` is m x storedLength (k rounded up to a multiple of 64), zero
 * beyond k; `scales` and `sums` (of the codes of a segment) are m x segments.
 * Where `rests` is nonzero all are 2m rows: behind every row that of what is
 * left, in 254ths of the scale. */
ROTQ_EXPORT int rotqQuantizeActivation(const float *x, int64_t numX, int64_t m,
                                       int64_t k, int64_t group, int32_t rests,
                                       int8_t *codes, int64_t numCodes,
                                       float *scales, int64_t numScales,
                                       int32_t *sums, int64_t numSums);

/* Moves what a GPU kernel made of an activation, in the `layout` that its
 * manifest says ("rows", "rests" or "interleaved", see
 * rotq/Codec/ActivationLayout.h), to where rotqQuantizeActivation has it, in
 * place. `m` counts rows of rests, too. */
ROTQ_EXPORT int rotqActivationByRows(const char *layout, int64_t m, int64_t k,
                                     int64_t group, int8_t *codes,
                                     int64_t numCodes, float *scales,
                                     int64_t numScales, int32_t *sums,
                                     int64_t numSums);

#ifdef __cplusplus
}
#endif

#endif /* ROTQ_C_CODEC_H */
