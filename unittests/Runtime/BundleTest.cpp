//===- BundleTest.cpp - Bundles, and files that pretend to be -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Bundle.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>

using namespace rotq;

namespace {

Manifest sampleManifest() {
  KernelInfo kernel;
  kernel.name = "scale";
  kernel.role = "scale";
  KernelParam x;
  x.name = "x";
  x.type = "i32";
  x.shape = {"m", int64_t(4)};
  KernelParam m;
  m.name = "m";
  m.kind = KernelParam::Kind::I32;
  kernel.params = {x, m};
  kernel.grid[0] = {1, "m", 128};
  kernel.block = {128, 1, 1};
  return {{"sm_80"}, {kernel}};
}

std::vector<std::byte> sampleFatbin() {
  std::vector<std::byte> bytes(1000);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = std::byte(i * 7);
  return bytes;
}

/// A fresh directory, removed at the end.
class BundleFile : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "rotqXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory = pattern;
    path = directory + "/module.rotqb";
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  std::vector<std::byte> fileBytes() {
    std::ifstream file(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    auto *data = reinterpret_cast<const std::byte *>(text.data());
    return {data, data + text.size()};
  }

  std::string directory;
  std::string path;
};

/// A safetensors file with this header and this many bytes after it.
std::vector<std::byte> container(const std::string &header, size_t dataBytes) {
  std::vector<std::byte> bytes(8 + header.size() + dataBytes);
  uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

TEST_F(BundleFile, RoundTrip) {
  std::vector<std::byte> fatbin = sampleFatbin();
  Status written = writeBundle(path, sampleManifest(), fatbin);
  ASSERT_TRUE(written) << written.error();
  Expected<Bundle> bundle = readBundle(path);
  ASSERT_TRUE(bundle) << bundle.error();
  EXPECT_EQ(bundle->manifest, sampleManifest());
  EXPECT_EQ(bundle->fatbin, fatbin);

  // The data starts at a multiple of 8 bytes, and nothing else lies around.
  EXPECT_EQ((fileBytes().size() - fatbin.size()) % 8, 0u);
  auto files = std::filesystem::directory_iterator(directory);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(BundleFile, WritingReplaces) {
  std::vector<std::byte> fatbin = sampleFatbin();
  ASSERT_TRUE(writeBundle(path, sampleManifest(), fatbin));
  fatbin.resize(10);
  ASSERT_TRUE(writeBundle(path, sampleManifest(), fatbin));
  Expected<Bundle> bundle = readBundle(path);
  ASSERT_TRUE(bundle) << bundle.error();
  EXPECT_EQ(bundle->fatbin, fatbin);
}

TEST_F(BundleFile, ErrorsNameTheFile) {
  for (const std::string &name : {directory + "/none.rotqb", directory}) {
    Expected<Bundle> bundle = readBundle(name);
    ASSERT_FALSE(bundle);
    EXPECT_EQ(bundle.error().find(name + ": "), 0u) << bundle.error();
  }
  std::string name = directory + "/no/such/place.rotqb";
  Status written = writeBundle(name, sampleManifest(), sampleFatbin());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().find(name + ": "), 0u) << written.error();
}

TEST_F(BundleFile, EveryTruncationIsAnError) {
  ASSERT_TRUE(writeBundle(path, sampleManifest(), sampleFatbin()));
  std::vector<std::byte> bytes = fileBytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    Expected<Bundle> bundle = parseBundle(std::span(bytes).first(size), "file");
    ASSERT_FALSE(bundle) << size;
    EXPECT_EQ(bundle.error().find("file: "), 0u) << bundle.error();
  }
  bytes.push_back(std::byte(0));
  EXPECT_FALSE(parseBundle(bytes, "file"));
}

TEST_F(BundleFile, MutationsNeverCrash) {
  ASSERT_TRUE(writeBundle(path, sampleManifest(), sampleFatbin()));
  const std::vector<std::byte> bytes = fileBytes();
  size_t headerEnd = bytes.size() - sampleFatbin().size();
  std::mt19937 random(1);
  size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> mutant = bytes;
    for (size_t edits = 1 + random() % 4; edits > 0; --edits) {
      size_t place = random() % headerEnd;
      switch (random() % 3) {
      case 0:
        mutant[place] = std::byte(random());
        break;
      case 1:
        mutant[place] ^= std::byte(1u << (random() % 8));
        break;
      case 2:
        // JSON's own punctuation reaches deeper into the parser.
        mutant[place] = std::byte("{}[]\",:0919-e."[random() % 14]);
        break;
      }
    }
    Expected<Bundle> bundle = parseBundle(mutant, "file");
    if (!bundle) {
      ++refused;
      EXPECT_EQ(bundle.error().find("file: "), 0u) << bundle.error();
    }
  }
  EXPECT_GT(refused, 10000u);
}

TEST(Bundle, RefusesHostileHeaders) {
  struct Case {
    std::string header;
    const char *message;
  };
  const std::string meta =
      R"("__metadata__":{"rotq.bundle":"1","manifest":)"
      R"("{\"version\":1,\"targets\":[],\"kernels\":[]}"})";
  const std::vector<Case> cases = {
      {"[]", "not a JSON object"},
      {"", "not a JSON object"},
      {"{}", "no metadata"},
      {R"({"__metadata__":{}})", "no 'rotq.bundle'"},
      {R"({"__metadata__":{"rotq.bundle":1}})", "no 'rotq.bundle'"},
      {R"({"__metadata__":{"rotq.bundle":"2"}})", "version '2'"},
      {R"({"__metadata__":{"rotq.bundle":"1"}})", "no 'manifest'"},
      {"{" + meta + "}", "one tensor"},
      {"{" + meta + R"(,"fatbin":3})", "one tensor"},
      {"{" + meta + R"(,"other":{}})", "one tensor"},
      {"{" + meta + R"(,"fatbin":{},"other":{}})", "one tensor"},
      {"{" + meta + R"(,"fatbin":{}})", "U8"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"F16","shape":[8],"data_offsets":[0,8]}})",
       "U8"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"U8","shape":[9],"data_offsets":[0,8]}})",
       "cover"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"U8","shape":[8],"data_offsets":[0,9]}})",
       "cover"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}})",
       "cover"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"U8","shape":[8],"data_offsets":[-8,8]}})",
       "cover"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"U8","shape":[8],"data_offsets":)"
           R"([0,18446744073709551615]}})",
       "cover"},
      {"{" + meta +
           R"(,"fatbin":{"dtype":"U8","shape":8,"data_offsets":"0,8"}})",
       "cover"},
      {R"({"__metadata__":{"rotq.bundle":"1","manifest":"{}"},)"
       R"("fatbin":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
       "missing 'version'"},
  };
  for (const Case &test : cases) {
    Expected<Bundle> bundle = parseBundle(container(test.header, 8), "file");
    ASSERT_FALSE(bundle) << test.header;
    EXPECT_NE(bundle.error().find(test.message), std::string::npos)
        << bundle.error();
  }
  std::string deep(1000000, '[');
  EXPECT_FALSE(parseBundle(container(deep, 8), "file"));
  std::string balanced = deep + std::string(deep.size(), ']');
  EXPECT_FALSE(parseBundle(container(balanced, 8), "file"));

  std::string valid =
      "{" + meta +
      R"(,"fatbin":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})";
  EXPECT_TRUE(parseBundle(container(valid, 8), "file"));
  std::vector<std::byte> huge = container(valid, 8);
  std::ranges::fill_n(huge.begin(), 8, std::byte(0xFF));
  EXPECT_FALSE(parseBundle(huge, "file"));
}

} // namespace
