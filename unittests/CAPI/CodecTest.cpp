//===- CodecTest.cpp - C functions of the codec ---------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq-c/Codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string jsonOf(const char *format) {
  int64_t size = 0;
  EXPECT_EQ(rotqFormatToJson(format, nullptr, 0, &size), 0) << rotqLastError();
  std::string text(size_t(size) + 1, '?');
  EXPECT_EQ(rotqFormatToJson(format, text.data(), size + 1, &size), 0);
  EXPECT_EQ(text.back(), '\0');
  text.pop_back();
  return text;
}

/// A packed weight made through the C functions.
struct Packed {
  int64_t n = 5, k = 100;
  std::vector<float> weights;
  std::vector<unsigned char> blob;
  RotqLayout layout;

  explicit Packed(const char *format) {
    for (int64_t i = 0; i < n * k; ++i)
      weights.push_back(std::sin(float(i * i)));
    EXPECT_EQ(rotqWeightLayout(format, n, k, &layout), 0) << rotqLastError();
    blob.resize(size_t(layout.totalBytes));
    EXPECT_EQ(rotqEncode(format, weights.data(), n * k, n, k, blob.data(),
                         layout.totalBytes, 2, nullptr, nullptr),
              0)
        << rotqLastError();
  }
};

} // namespace

TEST(CodecTest, Feedback) {
  Packed packed("nf4");
  int64_t n = packed.n, k = packed.k, length = packed.layout.paddedLength;
  std::vector<float> factor(size_t(length * length), 0);
  auto encode = [&](int64_t numbers, std::vector<unsigned char> &blob) {
    blob.resize(packed.blob.size());
    return rotqEncodeWithFeedback("nf4", packed.weights.data(), n * k, n, k,
                                  numbers ? factor.data() : nullptr, numbers,
                                  blob.data(), int64_t(blob.size()), 1, nullptr,
                                  nullptr);
  };
  std::vector<unsigned char> none, plain, fed;
  ASSERT_EQ(encode(0, none), 0) << rotqLastError();
  ASSERT_EQ(encode(length * length, plain), 0) << rotqLastError();
  EXPECT_EQ(none, packed.blob);
  EXPECT_EQ(plain, packed.blob);
  for (int64_t i = 0; i + 1 < length; ++i)
    factor[size_t(i * length + i + 1)] = -0.5f;
  ASSERT_EQ(encode(length * length, fed), 0) << rotqLastError();
  EXPECT_NE(fed, packed.blob);
  EXPECT_NE(encode(length * length - 1, fed), 0);
  EXPECT_STREQ(rotqLastError(),
               "expected feedback of 128 x 128 numbers but got 16383");
}

TEST(CodecTest, Presets) {
  ASSERT_GE(rotqPresetCount(), 5);
  EXPECT_STREQ(rotqPresetName(0), "rq3");
  EXPECT_EQ(rotqPresetName(-1), nullptr);
  EXPECT_EQ(rotqPresetName(rotqPresetCount()), nullptr);
  for (int64_t i = 0; i < rotqPresetCount(); ++i) {
    std::string json = jsonOf(rotqPresetName(i));
    EXPECT_EQ(jsonOf(json.c_str()), json);
    EXPECT_EQ(jsonOf(("\n " + json).c_str()), json);
    int32_t equal = -1;
    EXPECT_EQ(rotqFormatsEqual(json.c_str(), rotqPresetName(i), &equal), 0);
    EXPECT_EQ(equal, 1);
    EXPECT_EQ(rotqFormatsEqual(json.c_str(), rotqPresetName(i ? 0 : 1), &equal),
              0);
    EXPECT_EQ(equal, 0);
  }
}

TEST(CodecTest, ShortBuffersAreLeftAlone) {
  char text[4] = "abc";
  int64_t size = 0;
  EXPECT_EQ(rotqFormatToJson("rq3", text, 3, &size), 0);
  EXPECT_GT(size, 100);
  EXPECT_STREQ(text, "abc");
}

TEST(CodecTest, LayoutAndSegments) {
  RotqLayout layout;
  ASSERT_EQ(rotqWeightLayout("itq3_s", 1, 256, &layout), 0);
  EXPECT_EQ(layout.totalBytes, 100);
  EXPECT_EQ(layout.numPlanes, 2);
  EXPECT_EQ(layout.planes[1].runBytes, 4);
  EXPECT_EQ(layout.planes[1].offset, 64);
  EXPECT_EQ(layout.planes[1].rowBytes, 32);
  EXPECT_EQ(layout.scalesOffset, 96);
  EXPECT_EQ(layout.numbersPerSegment, 2);
  EXPECT_EQ(layout.rotationBlock, 256);
  ASSERT_EQ(rotqWeightLayout("int4_g128", 1, 4304, &layout), 0);
  EXPECT_EQ(layout.paddedLength, 4320);
  EXPECT_EQ(layout.storedLength, 4352);
  EXPECT_EQ(layout.rotationBlock, 0);
  EXPECT_EQ(layout.scaleGroup, 128);
  EXPECT_EQ(layout.segments, 35);

  int64_t count = 0, offsets[3] = {}, lengths[3] = {};
  ASSERT_EQ(rotqSegments(640, 256, offsets, lengths, 3, &count), 0);
  EXPECT_EQ(count, 3);
  EXPECT_EQ(offsets[2], 512);
  EXPECT_EQ(lengths[2], 128);
  ASSERT_EQ(rotqSegments(4304, 256, offsets, lengths, 3, &count), 0);
  EXPECT_EQ(count, 19);
  EXPECT_NE(rotqSegments(640, 100, offsets, lengths, 3, &count), 0);
  EXPECT_NE(rotqSegments(0, 256, offsets, lengths, 3, &count), 0);
}

TEST(CodecTest, EncodeAndDecode) {
  for (int64_t p = 0; p < rotqPresetCount(); ++p) {
    std::string format = jsonOf(rotqPresetName(p));
    Packed packed(format.c_str());
    const RotqLayout &layout = packed.layout;
    int64_t n = packed.n, k = packed.k;
    std::vector<float> all(size_t(n * k)), rows(size_t(2 * k)),
        rotated(size_t(n * layout.paddedLength));
    std::vector<int8_t> points(size_t(n * layout.storedLength));
    auto *blob = packed.blob.data();
    int64_t bytes = layout.totalBytes;
    ASSERT_EQ(
        rotqDecode(format.c_str(), blob, bytes, n, k, all.data(), n * k, 0), 0);
    double error = 0, power = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      error += std::pow(all[i] - packed.weights[i], 2);
      power += std::pow(packed.weights[i], 2);
    }
    EXPECT_LT(error, 0.25 * power);

    int64_t indices[] = {4, 1};
    ASSERT_EQ(rotqDecodeRows(format.c_str(), blob, bytes, n, k, indices, 2,
                             rows.data(), 2 * k),
              0);
    for (int64_t i = 0; i < k; ++i) {
      EXPECT_EQ(rows[size_t(i)], all[size_t(4 * k + i)]);
      EXPECT_EQ(rows[size_t(k + i)], all[size_t(k + i)]);
    }

    ASSERT_EQ(rotqDecodeRotated(format.c_str(), blob, bytes, n, k,
                                rotated.data(), int64_t(rotated.size())),
              0);
    ASSERT_EQ(rotqRotate(format.c_str(), rotated.data(),
                         int64_t(rotated.size()), n, layout.paddedLength, 1),
              0);
    for (int64_t r = 0; r < n; ++r)
      for (int64_t i = 0; i < k; ++i)
        EXPECT_EQ(rotated[size_t(r * layout.paddedLength + i)],
                  all[size_t(r * k + i)]);

    ASSERT_EQ(rotqDecodePoints(format.c_str(), blob, bytes, n, k, points.data(),
                               int64_t(points.size())),
              0);
    EXPECT_NE(points[0], points[1] | points[2] | points[3]);
  }
}

TEST(CodecTest, Progress) {
  std::vector<float> weights(4096 * 64);
  std::vector<unsigned char> blob(1 << 20);
  RotqLayout layout;
  ASSERT_EQ(rotqWeightLayout("rq2", 4096, 64, &layout), 0);
  int64_t rows = 0;
  auto count = [](int64_t done, void *user) {
    *static_cast<int64_t *>(user) += done;
  };
  ASSERT_EQ(rotqEncode("rq2", weights.data(), 4096 * 64, 4096, 64, blob.data(),
                       layout.totalBytes, 3, count, &rows),
            0);
  EXPECT_EQ(rows, 4096);
}

TEST(CodecTest, QuantizeActivation) {
  std::vector<float> x = {127, -63.5f, 0.5f, 1.5f};
  std::vector<int8_t> codes(64, 99);
  float scale = 0;
  int32_t sum = 0;
  ASSERT_EQ(rotqQuantizeActivation(x.data(), 4, 1, 4, 256, 0, codes.data(), 64,
                                   &scale, 1, &sum, 1),
            0)
      << rotqLastError();
  EXPECT_EQ(codes[1], -64);
  EXPECT_EQ(codes[2], 0);
  EXPECT_EQ(codes[3], 2);
  EXPECT_EQ(codes[63], 0);
  EXPECT_EQ(scale, 1);
  EXPECT_EQ(sum, 65);
  EXPECT_NE(rotqQuantizeActivation(x.data(), 4, 1, 4, 256, 0, codes.data(), 32,
                                   &scale, 1, &sum, 1),
            0);
  EXPECT_STREQ(rotqLastError(), "expected 64 elements in codes but got 32");
  EXPECT_NE(rotqQuantizeActivation(x.data(), 4, 1, 4, 100, 0, codes.data(), 64,
                                   &scale, 1, &sum, 1),
            0);
}

TEST(CodecTest, RestsOfMoreRowsThanThereCanBe) {
  float x = 0, scale = 0;
  int8_t code = 0;
  int32_t sum = 0;
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_NE(rotqQuantizeActivation(&x, 1, most, 1, 32, /*rests=*/1, &code, 1,
                                   &scale, 1, &sum, 1),
            0);
  EXPECT_NE(
      std::string(rotqLastError()).find("as m but got " + std::to_string(most)),
      std::string::npos)
      << rotqLastError();
}

TEST(CodecTest, ActivationByRows) {
  // Two rows of a tile and two segments.
  std::vector<int8_t> codes(2 * 256);
  std::iota(codes.begin(), codes.end(), int8_t(0));
  std::vector<float> scales = {1, 2, 3, 4};
  std::vector<int32_t> sums = {5, 6, 7, 8};
  ASSERT_EQ(rotqActivationByRows("interleaved", 2, 256, 128, codes.data(), 512,
                                 scales.data(), 4, sums.data(), 4),
            0)
      << rotqLastError();
  EXPECT_EQ(codes[4], 16);
  EXPECT_EQ(codes[32], 4);
  EXPECT_EQ(codes[256 + 4], 16);
  EXPECT_EQ(scales, (std::vector<float>{1, 3, 2, 4}));
  EXPECT_EQ(sums, (std::vector<int32_t>{5, 7, 6, 8}));
  EXPECT_NE(rotqActivationByRows("columns", 2, 256, 128, codes.data(), 512,
                                 scales.data(), 4, sums.data(), 4),
            0);
  EXPECT_STREQ(
      rotqLastError(),
      "expected 'rows', 'rests' or 'interleaved' as layout but got 'columns'");
  EXPECT_NE(rotqActivationByRows("rows", 2, 256, 128, codes.data(), 512,
                                 scales.data(), 3, sums.data(), 4),
            0);
  EXPECT_STREQ(rotqLastError(), "expected 4 elements in scales but got 3");
}

TEST(CodecTest, Errors) {
  Packed packed("rq3");
  int64_t n = packed.n, k = packed.k, bytes = packed.layout.totalBytes;
  std::vector<float> out(size_t(n * k));
  EXPECT_NE(
      rotqDecode("nope", packed.blob.data(), bytes, n, k, out.data(), n * k, 0),
      0);
  EXPECT_NE(std::string(rotqLastError()).find("\"nope\""), std::string::npos);
  EXPECT_NE(
      rotqDecode("{", packed.blob.data(), bytes, n, k, out.data(), n * k, 0),
      0);
  EXPECT_NE(rotqDecode(nullptr, packed.blob.data(), bytes, n, k, out.data(),
                       n * k, 0),
            0);
  EXPECT_NE(rotqDecode("rq3", nullptr, bytes, n, k, out.data(), n * k, 0), 0);
  EXPECT_NE(
      rotqDecode("rq3", packed.blob.data(), -1, n, k, out.data(), n * k, 0), 0);
  EXPECT_NE(rotqDecode("rq3", packed.blob.data(), bytes, n, k, out.data(),
                       n * k - 1, 0),
            0);
  EXPECT_NE(rotqRotate("rq3", out.data(), 33, 1, 33, 0), 0);
  EXPECT_STREQ(rotqLastError(),
               "expected a multiple of 32 as paddedK but got 33");
  EXPECT_NE(rotqRotate("rq3", out.data(), 32, 1, 64, 0), 0);
  EXPECT_NE(rotqWeightLayout("rq3", 0, 1, &packed.layout), 0);
  EXPECT_NE(rotqWeightLayout("rq3", 1, 1, nullptr), 0);

  packed.weights[size_t(3 * k + 17)] = std::nanf("");
  EXPECT_NE(rotqEncode("rq3", packed.weights.data(), n * k, n, k,
                       packed.blob.data(), bytes, 0, nullptr, nullptr),
            0);
  EXPECT_STREQ(rotqLastError(), "weight is nan at row 3, column 17");
}

TEST(CodecTest, Compression) {
  Packed packed("hyperquant_rice_4");
  int64_t n = packed.n, k = packed.k, bytes = packed.layout.totalBytes;
  std::vector<unsigned char> codes(size_t(packed.layout.maxCompressedBytes));
  int64_t size = 0, room = int64_t(codes.size());
  ASSERT_EQ(rotqCompress("hyperquant_rice_4", packed.blob.data(), bytes, n, k,
                         codes.data(), room, &size, 2),
            0)
      << rotqLastError();
  EXPECT_LT(size, bytes * 3 / 4);
  std::vector<unsigned char> back(packed.blob.size());
  ASSERT_EQ(rotqDecompress("hyperquant_rice_4", codes.data(), size, n, k,
                           back.data(), bytes, 2),
            0)
      << rotqLastError();
  EXPECT_EQ(back, packed.blob);

  EXPECT_NE(rotqCompress("hyperquant_rice_4", packed.blob.data(), bytes, n, k,
                         codes.data(), size - 1, &size, 2),
            0);
  EXPECT_EQ(std::string(rotqLastError()),
            "expected room for " + std::to_string(size) + " bytes but got " +
                std::to_string(size - 1));
  EXPECT_NE(rotqCompress("hyperquant_rice_4", packed.blob.data(), bytes, n, k,
                         codes.data(), room, nullptr, 2),
            0);
  codes[size_t(size) - 1] ^= 128;
  EXPECT_NE(rotqDecompress("hyperquant_rice_4", codes.data(), size, n, k,
                           back.data(), bytes, 2),
            0);
  EXPECT_STREQ(rotqLastError(), "stream 0 of row 4 is damaged");

  // What is not compressed stays as it is.
  Packed other("nf4");
  EXPECT_EQ(other.layout.maxCompressedBytes, 0);
  codes.resize(other.blob.size());
  ASSERT_EQ(rotqCompress("nf4", other.blob.data(), other.layout.totalBytes, n,
                         k, codes.data(), int64_t(codes.size()), &size, 1),
            0);
  EXPECT_EQ(codes, other.blob);
}

TEST(CodecTest, ErrorsBelongToTheirThread) {
  EXPECT_NE(rotqWeightLayout("here", 1, 1, nullptr), 0);
  std::string before = rotqLastError();
  std::thread([] {
    EXPECT_STREQ(rotqLastError(), "");
    EXPECT_NE(rotqWeightLayout("there", 1, 1, nullptr), 0);
  }).join();
  EXPECT_EQ(rotqLastError(), before);
}
