//===- Format.h - The four parts of a weight format -------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// format = rotation . scale . codebook . coding. One row of weights w becomes
// codes q and per-segment scales s (and offsets o) with
//
//   R w  ~  s * codebook(q) + o        (R the rotation, segment by segment)
//
// These classes link no LLVM. The attributes of the rotq dialect are thin
// mirrors of them.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_FORMAT_H
#define ROTQ_CODEC_FORMAT_H

#include "rotq/Codec/Blocking.h"
#include "rotq/Codec/Expr.h"
#include "rotq/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rotq {

/// An orthonormal map along a row, one segment at a time.
class Rotation {
public:
  virtual ~Rotation() = default;
  /// "identity", "hadamard", ...
  virtual std::string_view kind() const = 0;
  /// Length of the blocks a row is cut into (see Blocking); 0 for identity.
  virtual int64_t block() const = 0;
  /// In place on one whole padded row.
  virtual void forward(std::span<float> row) const = 0;
  virtual void inverse(std::span<float> row) const = 0;
};

/// No rotation.
class IdentityRotation final : public Rotation {
public:
  std::string_view kind() const override { return "identity"; }
  int64_t block() const override { return 0; }
  void forward(std::span<float>) const override {}
  void inverse(std::span<float>) const override {}
};

/// The normalized Walsh-Hadamard transform in natural (Hadamard) order:
/// y[i] = n^-1/2 sum_j (-1)^popcount(i & j) x[j] on segments of length n.
/// Symmetric, its own inverse. Butterflies run from stride 1 upward in f32 and
/// the product with n^-1/2 comes last; every path of the compiler keeps this
/// order.
class HadamardRotation final : public Rotation {
public:
  /// `block`: a power of two from 32 to 4096.
  explicit HadamardRotation(int64_t block) : blockLength(block) {}
  std::string_view kind() const override { return "hadamard"; }
  int64_t block() const override { return blockLength; }
  void forward(std::span<float> row) const override;
  void inverse(std::span<float> row) const override { forward(row); }

private:
  int64_t blockLength;
};

/// What a segment of weights is multiplied by: an f16 step and, where
/// `hasOffset`, an f16 offset added after it, per segment of
/// Blocking(K, group). A group of `kWholeRow` is a row.
struct Scale {
  int64_t group = 256;
  bool hasOffset = false;
  bool operator==(const Scale &) const = default;
  /// f16 numbers stored per segment.
  int64_t numbers() const { return hasOffset ? 2 : 1; }
};

/// Code -> values. Codes are unsigned integers, one for `dim` weights. A list
/// of codes is a list of words: one a code, or two, the low one first, where a
/// code has more than 32 bits.
class Codebook {
public:
  /// What a least-squares fit of a segment needs: sums over all weights x and
  /// the points q that stand for them.
  struct Moments {
    float xq; ///< sum x q
    float qq; ///< sum q^2
    float q;  ///< sum q
  };
  /// How far the points reach, at a step of 1.
  struct Spread {
    float rms;   ///< root of the mean square of all points
    float reach; ///< |x| up to here is not clipped
  };

  virtual ~Codebook() = default;
  virtual std::string_view kind() const = 0;
  /// Bits of a code; codes are in [0, 2^bits).
  virtual unsigned bits() const = 0;
  /// Weights per code.
  virtual int64_t dim() const { return 1; }
  /// Weights whose codes `assign` finds together: it takes whole groups, and
  /// what is left of a segment.
  virtual int64_t group() const { return dim(); }
  /// Words of a code.
  int64_t codeWords() const { return bits() > 32 ? 2 : 1; }
  /// Bits of an unpacked code that `decode` takes, as Coding::unpackedBits.
  virtual unsigned unpackedBits() const { return 32; }
  /// The int8 point of `code`; `out.size() == dim()`.
  virtual void point(uint64_t code, std::span<int8_t> out) const = 0;
  /// Unpacked codes (Coding::unpack) -> words of four int8 values, in weight
  /// order.
  virtual Expr decode(ExprBuilder &builder, Expr codes) const = 0;
  /// What `decode` gathers from, if anything.
  virtual std::span<const uint32_t> gathered() const { return {}; }
  /// Whether `decode` but moves the bytes of gathered words, each of them a
  /// point or zero: with another table it gives other points.
  virtual bool gathersPoints() const { return false; }

  /// The codes whose values `step * point + offset` are nearest to `x`, for a
  /// `step` > 0; ties take the lower code. A codebook of very many points may
  /// settle for near ones. `x` is some of the weights of a segment, of whole
  /// codes and whole circles; `codes` has the words of x.size() / dim() codes.
  virtual void assign(std::span<const float> x, float step, float offset,
                      std::span<uint32_t> codes) const = 0;
  /// The moments of `x` and the points that `assign` gives it. `x` has a
  /// multiple of 32 entries. The encoder spends its time here.
  virtual Moments moments(std::span<const float> x, float step,
                          float offset) const;
  /// Where `assign` takes too long to try steps: the one for weights of unit
  /// variance. 0: the encoder searches.
  virtual float gaussianStep() const { return 0; }
  /// Whether steps below 2^-14, which f16 has few of, are compared.
  virtual bool comparesSmallSteps() const { return true; }
  virtual Spread spread() const;
};

/// One value per code, from a table of 2^bits int8 levels in rising order.
class TableCodebook final : public Codebook {
public:
  /// 2 to 16 strictly rising levels. A table whose size is not a power of two
  /// (ternary) has unused codes at the end, which decode to the last level.
  explicit TableCodebook(std::vector<int8_t> levels, unsigned bits);
  std::string_view kind() const override { return "table"; }
  unsigned bits() const override { return codeBits; }
  unsigned unpackedBits() const override { return 4; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;
  Moments moments(std::span<const float> x, float step,
                  float offset) const override;
  const std::vector<int8_t> &levels() const { return table; }

private:
  std::vector<int8_t> table;
  std::vector<float> thresholds; ///< midpoints of neighbouring levels
  unsigned codeBits;
};

/// How the codes of a row become bits: planes of bytes, of which every run of
/// 32 weights has its own, one run behind the other.
class Coding {
public:
  virtual ~Coding() = default;
  virtual std::string_view kind() const = 0;
  /// Bits of a code.
  virtual unsigned bits() const = 0;
  /// Weights per code.
  virtual int64_t dim() const { return 1; }
  /// The bytes of a run in every plane.
  virtual std::span<const unsigned> runBytes() const = 0;
  /// Bits of an unpacked code: 4, eight codes a word, 32, or 64, two words a
  /// code, the low one first.
  virtual unsigned unpackedBits() const = 0;
  /// Weights of a circle, a multiple of 32, or 0 where every run stands alone.
  /// In a circle a code may begin in the run before its own, and the first run
  /// follows the last one (runBefore).
  virtual int64_t circle() const { return 0; }
  /// Whether archives hold rows of a weight in fewer bytes than its planes
  /// have, and not always as many (CompressedWeight.h).
  virtual bool isCompressed() const { return false; }
  /// Refuses codebooks whose codes it cannot take, though they are as long.
  virtual Status accept(const Codebook &) const { return {}; }
  /// Packs the codes of whole runs, which Codebook says how to list;
  /// `planes[p]` has `runBytes()[p]` a run.
  virtual void pack(std::span<const uint32_t> codes,
                    std::span<const std::span<std::byte>> planes) const = 0;
  /// The bytes of `n` consecutive weights (n a multiple of 32, the first
  /// weight at a multiple of 32) in every plane, filled up to whole words ->
  /// n / dim unpacked codes: nibble i mod 8 of word i / 8, word i, or words
  /// 2 i and 2 i + 1. Where there are circles, one vector more comes behind the
  /// planes: for every run, the last word of the run before it in plane 0.
  virtual Expr unpack(ExprBuilder &builder, std::span<const Expr> planes,
                      int64_t n) const = 0;
};

/// Codes of a fixed width of 1 to 4 bits, cut into planes of 4, 2 and 1 bits
/// (3 = 2 + 1: the low two bits, then the high one). In a plane of width w a
/// 32-bit little-endian word holds 32 / w weights, weight i at bit
/// 4 (i mod 8) + w (i div 8): every word is eight nibbles, and weight i lives
/// in nibble i mod 8. That interleave is a bijection, and masking one word
/// gives eight nibble-sized codes at once (a PRMT selector on NVIDIA).
class FixedCoding final : public Coding {
public:
  explicit FixedCoding(unsigned bits);
  std::string_view kind() const override { return "fixed"; }
  unsigned bits() const override { return codeBits; }
  std::span<const unsigned> runBytes() const override { return bytes; }
  unsigned unpackedBits() const override { return 4; }
  void pack(std::span<const uint32_t> codes,
            std::span<const std::span<std::byte>> planes) const override;
  Expr unpack(ExprBuilder &builder, std::span<const Expr> planes,
              int64_t n) const override;

  /// Bits of a code in each plane.
  std::span<const unsigned> widths() const { return planeWidths; }
  /// Bit of weight `i` in its word of a plane of width `w`.
  static constexpr unsigned bitOf(int64_t i, unsigned w) {
    return unsigned(4 * (i % 8) + w * ((i % (32 / w)) / 8));
  }

private:
  unsigned codeBits;
  std::vector<unsigned> planeWidths, bytes;
};

/// Codes of a fixed width of 1 to 64 bits, each for `dim` weights, one behind
/// the other from the lowest bit of a run on. Those of more than 32 bits have
/// two planes: the low 32 bits of all codes, and the others.
class FieldCoding final : public Coding {
public:
  FieldCoding(unsigned bits, int64_t dim);
  /// Whether the constructor takes these: `dim` is 1, 2, 4 or 8, and the codes
  /// of a run fill whole bytes.
  static Status check(unsigned bits, int64_t dim);
  std::string_view kind() const override { return "field"; }
  unsigned bits() const override { return codeBits; }
  int64_t dim() const override { return codeDim; }
  std::span<const unsigned> runBytes() const override { return bytes; }
  unsigned unpackedBits() const override { return codeBits > 32 ? 64 : 32; }
  void pack(std::span<const uint32_t> codes,
            std::span<const std::span<std::byte>> planes) const override;
  Expr unpack(ExprBuilder &builder, std::span<const Expr> planes,
              int64_t n) const override;

private:
  unsigned codeBits;
  int64_t codeDim;
  std::vector<unsigned> widths, bytes; ///< of the planes
};

/// Whether the codes of the codebook are those of the coding, and scales leave
/// its circles whole.
Status checkParts(const Scale &scale, const Codebook &codebook,
                  const Coding &coding);

/// A weight format. Copies share the parts.
struct Format {
  std::string name;
  std::shared_ptr<const Rotation> rotation;
  Scale scale;
  std::shared_ptr<const Codebook> codebook;
  std::shared_ptr<const Coding> coding;

  /// The declaration as JSON, keys in a fixed order; archives carry it:
  /// {"name":"rq3","rotation":{"kind":"hadamard","block":256},
  ///  "scale":{"type":"f16","group":256,"offset":false},
  ///  "codebook":{"kind":"table","bits":3,"levels":[...]},
  ///  "coding":{"kind":"fixed","bits":3}}
  std::string toJson() const;
  /// Refuses unknown kinds, missing parts and inconsistent widths.
  static Expected<Format> fromJson(std::string_view json);
  /// Two formats are equal when they decode the same bytes alike; the name
  /// does not matter.
  bool equals(const Format &other) const;
};

/// The presets, in the order they are listed to users.
std::span<const Format> presets();

/// The preset called `name`, or an error that lists the known names.
Expected<Format> lookupFormat(std::string_view name);

} // namespace rotq

#endif // ROTQ_CODEC_FORMAT_H
