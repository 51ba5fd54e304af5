/* Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What run_host times: a compiled linear over copies of its weight, and reads.
 */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef int64_t Words __attribute__((vector_size(64)));

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A function's C interface: descriptors of x, w and y. Their first two words
 * are the address of the data. */
typedef void (*Linear)(void *x, int64_t *w, void *y);

/* Seconds of `calls` calls; call i reads copy (first + i) % copies. */
double time_linear(Linear linear, void *x, int64_t *w, void *y, char *weights,
                   size_t stride, size_t copies, size_t first, size_t calls) {
  double start = seconds();
  for (size_t i = 0; i < calls; ++i) {
    w[0] = w[1] = (int64_t)(weights + (first + i) % copies * stride);
    linear(x, w, y);
  }
  return seconds() - start;
}

/* Seconds of `calls` calls that do no more than read `size` bytes: what a
 * linear cannot be faster than, threads and their meeting included. Call i
 * reads copy (first + i) % copies; a thread reads what lies together. */
double time_call_reads(const char *weights, size_t size, size_t stride,
                       size_t copies, size_t first, size_t calls,
                       int64_t *sink) {
  enum { Page = 4096 };
  int64_t total = 0;
  double start = seconds();
  for (size_t i = 0; i < calls; ++i) {
    const char *begin = weights + (first + i) % copies * stride;
    int64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (size_t page = 0; page < size; page += Page) {
      size_t end = page + Page < size ? page + Page : size;
      Words sums[4] = {0};
      for (size_t at = page; at + sizeof(sums) <= end; at += sizeof(sums))
        for (size_t j = 0; j < 4; ++j)
          sums[j] += *(const Words *)(begin + at + j * sizeof(Words));
      for (size_t j = 0; j < 8; ++j)
        sum += sums[0][j] + sums[1][j] + sums[2][j] + sums[3][j];
    }
    total += sum;
  }
  double time = seconds() - start;
  *sink = total;
  return time;
}

/* Seconds in which all threads read `bytes`, a multiple of 256 KiB, once: eight
 * streams a thread, each a little ahead of itself. Fewer streams, or none
 * ahead, read less a second. */
double time_read(const char *data, size_t bytes, int64_t *sink) {
  enum { Block = 262144, Streams = 8, Part = Block / Streams, Ahead = 2048 };
  int64_t sum = 0;
  double start = seconds();
#pragma omp parallel for schedule(static) reduction(+ : sum)
  for (size_t block = 0; block < bytes / Block; ++block) {
    const char *begin = data + block * Block;
    Words sums[Streams] = {0};
    for (size_t i = 0; i < Part; i += sizeof(Words))
      for (size_t j = 0; j < Streams; ++j) {
        const char *at = begin + j * Part + i;
        __builtin_prefetch(at + Ahead);
        sums[j] += *(const Words *)at;
      }
    for (size_t j = 0; j < Streams; ++j)
      for (size_t i = 0; i < 8; ++i)
        sum += sums[j][i];
  }
  double time = seconds() - start;
  *sink = sum;
  return time;
}
