/*===- Runtime.h - Launching bundles from C -----------------------*- C -*-===*/
/*
 * Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

/* Loading bundles and launching their kernels. Every function may be called
 * from any thread at any time. Functions return 0, or nonzero with a message in
 * rotqLastError(). No GPU and no driver is needed to link or to load this. */

#ifndef ROTQ_C_RUNTIME_H
#define ROTQ_C_RUNTIME_H

#include "rotq-c/Support.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Number of CUDA devices. Fails where there is no driver. */
ROTQ_EXPORT int rotqDeviceCount(int32_t *count);

/* Writes the name of device `ordinal` with its final NUL, cut to `capacity`
 * bytes. */
ROTQ_EXPORT int rotqDeviceName(int32_t ordinal, char *buffer, int64_t capacity);

ROTQ_EXPORT int rotqDeviceComputeCapability(int32_t ordinal, int32_t *major,
                                            int32_t *minor);

/* Makes the primary context of device `ordinal`, which every framework shares,
 * current on the calling thread. Everything below acts on the device that is
 * current on the calling thread, whoever made it so. */
ROTQ_EXPORT int rotqDeviceInit(int32_t ordinal);

ROTQ_EXPORT int rotqDeviceMalloc(int64_t bytes, void **pointer);
ROTQ_EXPORT int rotqDeviceFree(void *pointer);

/* Copies and fills; they return when it is done. */
ROTQ_EXPORT int rotqDeviceUpload(void *device, const void *host, int64_t bytes);
ROTQ_EXPORT int rotqDeviceDownload(void *host, const void *device,
                                   int64_t bytes);
ROTQ_EXPORT int rotqDeviceMemset(void *device, uint8_t value, int64_t bytes);

/* Waits for everything the device was given. */
ROTQ_EXPORT int rotqDeviceSynchronize(void);

/* Waits for what `stream` was given; NULL is the default stream. */
ROTQ_EXPORT int rotqStreamSynchronize(void *stream);

typedef struct RotqBundle RotqBundle;

/* Reads the bundle at `path`. */
ROTQ_EXPORT int rotqBundleOpen(const char *path, RotqBundle **bundle);

/* Unloads and frees; NULL is fine. No kernel of the bundle may be running. */
ROTQ_EXPORT void rotqBundleClose(RotqBundle *bundle);

/* The manifest in JSON. It lives as long as the bundle; NULL without one. */
ROTQ_EXPORT const char *rotqBundleManifest(const RotqBundle *bundle);

/* Loads the bundle on the device. Launching does so by itself, but the first
 * launch must not happen inside a stream capture. */
ROTQ_EXPORT int rotqBundleLoad(RotqBundle *bundle);

/* Launches a kernel of the bundle: device addresses first, then 32-bit
 * integers, both in the order of the manifest. `stream` is a CUstream or a
 * cudaStream_t, NULL the default stream; it is used for this launch only. */
ROTQ_EXPORT int rotqBundleLaunch(RotqBundle *bundle, const char *kernel,
                                 void *const *pointers, int64_t numPointers,
                                 const int32_t *scalars, int64_t numScalars,
                                 void *stream);

#ifdef __cplusplus
}
#endif

#endif /* ROTQ_C_RUNTIME_H */
