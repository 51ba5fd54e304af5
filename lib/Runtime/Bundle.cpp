//===- Bundle.cpp - Compiled modules as files -----------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Bundle.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace rotq;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "bundles are read and written as little-endian");

static constexpr const char *kVersion = "1";
/// The length of the header that comes before everything else.
static constexpr size_t kLengthBytes = sizeof(uint64_t);

/// The text under `key` of an object, or null.
static const std::string *textAt(const json &object, const char *key) {
  auto it = object.find(key);
  return it == object.end() ? nullptr : it->get_ptr<const std::string *>();
}

/// Whether `value` is an array of just these unsigned numbers.
static bool isArrayOf(const json &value,
                      std::initializer_list<uint64_t> numbers) {
  if (!value.is_array() || value.size() != numbers.size())
    return false;
  size_t i = 0;
  for (uint64_t number : numbers)
    if (const json &element = value[i++];
        !element.is_number_unsigned() || element != number)
      return false;
  return true;
}

static Expected<Bundle> parse(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes)
    return failure("truncated: no header");
  uint64_t headerBytes;
  std::memcpy(&headerBytes, bytes.data(), kLengthBytes);
  bytes = bytes.subspan(kLengthBytes);
  if (headerBytes > bytes.size())
    return failure("truncated, or not a safetensors file: header of " +
                   std::to_string(headerBytes) + " bytes in " +
                   std::to_string(bytes.size()));
  auto *header = reinterpret_cast<const char *>(bytes.data());
  std::span<const std::byte> data = bytes.subspan(headerBytes);

  json object = json::parse(header, header + headerBytes, nullptr,
                            /*allow_exceptions=*/false);
  if (!object.is_object())
    return failure("header is not a JSON object");
  auto metadata = object.find("__metadata__");
  if (metadata == object.end() || !metadata->is_object())
    return failure("not a bundle: no metadata");
  const std::string *version = textAt(*metadata, "rotq.bundle");
  if (!version)
    return failure("not a bundle: no 'rotq.bundle' in the metadata");
  if (*version != kVersion)
    return failure("bundle version '" + *version + "', expected '" + kVersion +
                   "'");
  const std::string *manifestText = textAt(*metadata, "manifest");
  if (!manifestText)
    return failure("no 'manifest' in the metadata");

  auto tensor = object.find("fatbin");
  if (object.size() != 2 || tensor == object.end() || !tensor->is_object())
    return failure("expected one tensor, 'fatbin'");
  const std::string *dtype = textAt(*tensor, "dtype");
  if (!dtype || *dtype != "U8")
    return failure("expected tensor 'fatbin' to have dtype U8");
  if (!isArrayOf(tensor->value("shape", json()), {data.size()}) ||
      !isArrayOf(tensor->value("data_offsets", json()), {0, data.size()}))
    return failure("expected tensor 'fatbin' to cover the " +
                   std::to_string(data.size()) + " bytes after the header");

  Expected<Manifest> manifest = parseManifest(*manifestText);
  if (!manifest)
    return failure(manifest.error());
  return Bundle{std::move(*manifest), {data.begin(), data.end()}};
}

Expected<Bundle> rotq::parseBundle(std::span<const std::byte> bytes,
                                   std::string_view name) {
  Expected<Bundle> result = parse(bytes);
  if (!result)
    return failure(std::string(name) + ": " + result.error());
  return result;
}

/// "`path`: cannot `verb`: reason", from errno.
static std::string ioMessage(const std::string &path, const char *verb) {
  return path + ": cannot " + verb + ": " + std::strerror(errno);
}

Expected<Bundle> rotq::readBundle(const std::string &path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    return failure(ioMessage(path, "open"));
  std::vector<std::byte> bytes;
  // Opening a directory succeeds; asking for its size does not.
  if (std::streamoff size = file.tellg(); size >= 0 && size < PTRDIFF_MAX) {
    bytes.resize(size_t(size));
    file.seekg(0);
    file.read(reinterpret_cast<char *>(bytes.data()), size);
  } else {
    errno = EISDIR;
    return failure(ioMessage(path, "read"));
  }
  if (!file)
    return failure(ioMessage(path, "read"));
  return parseBundle(bytes, path);
}

Status rotq::writeBundle(const std::string &path, const Manifest &manifest,
                         std::span<const std::byte> fatbin) {
  nlohmann::ordered_json object;
  object["__metadata__"]["rotq.bundle"] = kVersion;
  object["__metadata__"]["manifest"] = printManifest(manifest);
  object["fatbin"]["dtype"] = "U8";
  object["fatbin"]["shape"] = {fatbin.size()};
  object["fatbin"]["data_offsets"] = {size_t(0), fatbin.size()};
  std::string header = object.dump();
  // Padding with spaces puts the data at a multiple of 8 bytes.
  header.append(-header.size() % kLengthBytes, ' ');
  uint64_t headerBytes = header.size();

  std::string temporary = path + ".tmp" + std::to_string(getpid());
  errno = 0;
  std::ofstream file(temporary, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&headerBytes), kLengthBytes);
  file.write(header.data(), std::streamsize(header.size()));
  file.write(reinterpret_cast<const char *>(fatbin.data()),
             std::streamsize(fatbin.size()));
  file.close();
  std::error_code error;
  if (!file) {
    std::string message = ioMessage(path, "write");
    std::filesystem::remove(temporary, error);
    return failure(std::move(message));
  }
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return failure(path + ": cannot write: " + error.message());
  }
  return {};
}
