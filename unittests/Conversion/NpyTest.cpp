//===- NpyTest.cpp - Arrays in .npy files
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Npy.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cstring>

using namespace mlir::rotq;
using llvm::StringRef;

namespace {
class Npy : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("rotq", "npy", path));
  }
  void TearDown() override { llvm::sys::fs::remove(path); }

  /// The message of what reading a file with this header and data says.
  std::string read(StringRef header, StringRef data,
                   StringRef prefix = StringRef("\x93NUMPY\x01\x00", 8)) {
    std::error_code error;
    llvm::raw_fd_ostream file(path, error);
    file << prefix << char(header.size() & 0xff) << char(header.size() >> 8)
         << header << data;
    file.close();
    llvm::Expected<Array> array = readNpy(path);
    return array ? "read " + array->describe() : toString(array.takeError());
  }

  llvm::SmallString<128> path;
};
} // namespace

TEST_F(Npy, RoundTrips) {
  const llvm::SmallVector<int64_t> shapes[] = {{}, {7}, {2, 3}, {4, 0, 2}};
  for (const auto &shape : shapes)
    for (Element element : {Element::F16, Element::F32, Element::I8,
                            Element::U8, Element::I32, Element::I64}) {
      Array array(element, shape);
      for (int64_t i = 0; i < array.numBytes(); ++i)
        array.data[size_t(i)] = std::byte(i * 37);
      ASSERT_FALSE(bool(writeNpy(path, array)));
      llvm::Expected<Array> copy = readNpy(path);
      ASSERT_TRUE(bool(copy)) << toString(copy.takeError());
      EXPECT_EQ(copy->describe(), array.describe());
      EXPECT_EQ(std::memcmp(copy->data.get(), array.data.get(),
                            size_t(array.numBytes())),
                0);
    }
}

TEST_F(Npy, ReadsWhatNumPyWrites) {
  EXPECT_EQ(read("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
                 "01234567"),
            "read 2xf32");
  EXPECT_EQ(
      read("{'shape': (), 'fortran_order': False, 'descr': '|i1'}  \n", "0"),
      "read i8");
}

TEST_F(Npy, RefusesWhatItDoesNotKnow) {
  auto expectError = [&](const std::string &message, StringRef part) {
    EXPECT_TRUE(StringRef(message).contains(part)) << message;
  };
  expectError(
      read("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "0123"),
      "the header says '>f4'");
  expectError(
      read("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "0123"),
      "C order");
  expectError(read("{'descr': '<f4', 'shape': (1,), }", "0123"),
              "expected the keys");
  expectError(read("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", "0123"),
              "once each");
  expectError(
      read("{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "0123"),
      "in the shape");
  expectError(
      read("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "0123"),
      "sizes from 0");
}

TEST_F(Npy, RefusesLies) {
  auto expectError = [&](const std::string &message, StringRef part) {
    EXPECT_TRUE(StringRef(message).contains(part)) << message;
  };
  StringRef start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  expectError(read((start + "(2,), }").str(), "0123"), "but got 4 bytes");
  expectError(read((start + "(1,), }").str(), "01234567"), "but got 8 bytes");
  expectError(read((start + "(4294967296, 4294967296), }").str(), "0123"),
              "but got 4 bytes");
  expectError(read((start + "(99999999999999999999,), }").str(), ""),
              "sizes from 0");
  expectError(read("", "", "PK"), "expected a .npy file");
  expectError(read("{", "", StringRef("\x93NUMPY\x09\x00", 8)),
              "expected version");
  expectError(read("", "", StringRef("\x93NUMPY\x01\x00\xff\xff", 10)),
              "it claims 65535");
}
