//===- Format.cpp - Declarations of formats as JSON -----------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Format.h"
#include "Message.h"
#include "rotq/Codec/FrameCodebook.h"
#include "rotq/Codec/GridCodebook.h"
#include "rotq/Codec/LatticeCodebook.h"
#include "rotq/Codec/PairTrellisCodebook.h"
#include "rotq/Codec/RiceCoding.h"
#include "rotq/Codec/TrellisCodebook.h"
#include "rotq/Codec/VoronoiCodebook.h"
#include "rotq/Codec/WindowCoding.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <optional>

using namespace rotq;
using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static OrderedJson writeRotation(const Rotation &rotation) {
  OrderedJson json = {{"kind", rotation.kind()}};
  if (rotation.block())
    json["block"] = rotation.block();
  return json;
}

/// Two digits a byte.
static std::string toHex(std::span<const int8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int8_t byte : bytes) {
    text += digits[uint8_t(byte) >> 4];
    text += digits[uint8_t(byte) & 15];
  }
  return text;
}

static OrderedJson writeCodebook(const Codebook &codebook) {
  OrderedJson json = {{"kind", codebook.kind()}, {"bits", codebook.bits()}};
  if (auto *table = dynamic_cast<const TableCodebook *>(&codebook)) {
    OrderedJson levels = OrderedJson::array();
    for (int8_t level : table->levels())
      levels.push_back(int(level));
    json["levels"] = std::move(levels);
  } else if (auto *grid = dynamic_cast<const GridCodebook *>(&codebook)) {
    json["dim"] = grid->dim();
    json["signs"] = grid->hasSigns();
    json["points"] = toHex(grid->points());
  } else if (auto *frame = dynamic_cast<const FrameCodebook *>(&codebook)) {
    json["dim"] = frame->dim();
    json["deviation"] = frame->deviation();
    json["vectors"] = toHex(frame->vectors());
  } else if (auto *lattice = dynamic_cast<const LatticeCodebook *>(&codebook)) {
    json["deviation"] = lattice->deviation();
  } else if (auto *voronoi = dynamic_cast<const VoronoiCodebook *>(&codebook)) {
    json["q"] = voronoi->q();
    json["multipliers"] = voronoi->multipliers();
  } else if (auto *trellis = dynamic_cast<const TrellisCodebook *>(&codebook)) {
    json["rate"] = trellis->rate();
    json["multiplier"] = trellis->multiplier();
    json["increment"] = trellis->increment();
  } else if (auto *pairs =
                 dynamic_cast<const PairTrellisCodebook *>(&codebook)) {
    json["rate"] = pairs->rate();
    json["multiplier"] = pairs->multiplier();
    json["deviation"] = pairs->deviation();
    json["points"] = toHex(pairs->points());
  }
  return json;
}

static OrderedJson writeCoding(const Coding &coding) {
  OrderedJson json = {{"kind", coding.kind()}, {"bits", coding.bits()}};
  if (coding.kind() == "field")
    json["dim"] = coding.dim();
  else if (auto *window = dynamic_cast<const WindowCoding *>(&coding)) {
    json["rate"] = window->rate();
    if (window->dim() != 1)
      json["dim"] = window->dim();
  }
  return json;
}

static OrderedJson writeScale(const Scale &scale) {
  OrderedJson json = {{"type", "f16"}};
  if (scale.group == kWholeRow)
    json["group"] = "row";
  else
    json["group"] = scale.group;
  json["offset"] = scale.hasOffset;
  return json;
}

std::string Format::toJson() const {
  OrderedJson json;
  json["name"] = name;
  json["rotation"] = writeRotation(*rotation);
  json["scale"] = writeScale(scale);
  json["codebook"] = writeCodebook(*codebook);
  json["coding"] = writeCoding(*coding);
  // Names come from outside: bytes that are not UTF-8 must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

/// Longer declarations are not formats.
constexpr size_t kMaxJsonBytes = 65536;
constexpr size_t kMaxNameBytes = 256;

/// An object whose members are taken one by one. The first thing that is
/// wrong sticks; what is read after it does not matter.
class Object {
public:
  Object(const Json *json, std::string path, std::string &error)
      : json(json), path(std::move(path)), error(error) {
    if (json && !json->is_object()) {
      expect("an object");
      this->json = nullptr;
    }
  }

  Object object(const char *key) {
    const Json *member = take(key);
    return Object(member, path + "." + key, error);
  }

  std::string string(const char *key) {
    const Json *member = take(key);
    if (!member)
      return "";
    if (!member->is_string()) {
      fail(key, "a string", *member);
      return "";
    }
    return member->get_ref<const std::string &>();
  }

  bool boolean(const char *key) {
    const Json *member = take(key);
    if (!member)
      return false;
    if (!member->is_boolean()) {
      fail(key, "true or false", *member);
      return false;
    }
    return member->get<bool>();
  }

  int64_t integer(const char *key, int64_t low, int64_t high) {
    const Json *member = take(key);
    if (!member)
      return low;
    std::optional<int64_t> value = toInteger(*member);
    if (!value || *value < low || *value > high) {
      fail(key, message("an integer from {} to {}", low, high), *member);
      return low;
    }
    return *value;
  }

  bool has(const char *key) const { return json && json->contains(key); }

  /// Whether the member is the string `text`.
  bool isText(const char *key, std::string_view text) const {
    if (!json)
      return false;
    auto member = json->find(key);
    return member != json->end() && member->is_string() &&
           member->get_ref<const std::string &>() == text;
  }

  /// A block or a group: a power of two from 32 to 4096.
  int64_t length(const char *key) {
    const Json *member = take(key);
    if (!member)
      return kRowGranule;
    std::optional<int64_t> value = toInteger(*member);
    if (!value || *value < kRowGranule || *value > kMaxBlock ||
        !std::has_single_bit(uint64_t(*value))) {
      fail(key, "a power of two from 32 to 4096", *member);
      return kRowGranule;
    }
    return *value;
  }

  /// Weights per code: 1, 2, 4 or 8.
  int64_t dim(const char *key) {
    int64_t value = integer(key, 1, 8);
    require(
        std::has_single_bit(uint64_t(value)),
        message("expected 1, 2, 4 or 8 as {}.{} but got {}", path, key, value));
    return std::has_single_bit(uint64_t(value)) ? value : 1;
  }

  /// Rising numbers.
  std::vector<int8_t> levels(const char *key) {
    const Json *member = take(key);
    std::vector<int8_t> result;
    if (!member)
      return result;
    if (!member->is_array() || member->size() < 2 || member->size() > 16) {
      fail(key, message("an array of 2 to 16 {}", key), *member);
      return result;
    }
    for (const Json &element : *member) {
      std::optional<int64_t> value = toInteger(element);
      if (!value || *value < -128 || *value > 127) {
        fail(key, "integers from -128 to 127", element);
        return result;
      }
      if (!result.empty() && *value <= result.back()) {
        fail(key, message("rising {}", key), element);
        return result;
      }
      result.push_back(int8_t(*value));
    }
    return result;
  }

  /// `count` bytes, two hexadecimal digits each.
  std::vector<int8_t> bytes(const char *key, int64_t count) {
    const Json *member = take(key);
    std::vector<int8_t> result;
    if (!member)
      return result;
    std::string text = member->is_string() ? member->get<std::string>() : "";
    if (int64_t(text.size()) != 2 * count ||
        text.find_first_not_of("0123456789abcdef") != std::string::npos) {
      fail(key, message("{} bytes in lower-case hexadecimal", count), *member);
      return result;
    }
    auto digit = [](char c) { return c < 'a' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 0; i < text.size(); i += 2)
      result.push_back(int8_t(digit(text[i]) << 4 | digit(text[i + 1])));
    return result;
  }

  /// Complains unless `holds`.
  void require(bool holds, std::string text) {
    if (!holds && error.empty())
      error = std::move(text);
  }

  /// Every member must have been taken: a reader that skips what it does not
  /// know would decode wrongly.
  void finish() {
    if (!json || !error.empty())
      return;
    for (const auto &[key, value] : json->items())
      if (std::ranges::find(taken, key) == taken.end()) {
        error = message("unknown key \"{}\" in {}", clip(key), path);
        return;
      }
  }

private:
  static std::optional<int64_t> toInteger(const Json &value) {
    if (value.is_number_unsigned()) {
      uint64_t magnitude = value.get<uint64_t>();
      if (magnitude > uint64_t(INT64_MAX))
        return std::nullopt;
      return int64_t(magnitude);
    }
    if (value.is_number_integer())
      return value.get<int64_t>();
    return std::nullopt;
  }

  /// At most 64 bytes of text from outside.
  static std::string clip(std::string text) {
    if (text.size() > 64)
      text = text.substr(0, 61) + "...";
    return text;
  }

  const Json *take(const char *key) {
    if (!json)
      return nullptr;
    taken.push_back(key);
    auto member = json->find(key);
    if (member != json->end())
      return &*member;
    if (error.empty())
      error = message("expected a member \"{}\" in {}", key, path);
    return nullptr;
  }

  void expect(std::string_view what) {
    if (error.empty())
      error =
          message("expected {} as {} but got {}", what, path, describe(*json));
  }

  void fail(const char *key, std::string_view what, const Json &got) {
    if (error.empty())
      error = message("expected {} as {}.{} but got {}", what, path, key,
                      describe(got));
  }

  static std::string describe(const Json &value) {
    if (value.is_structured())
      return message("an {} of {} elements", value.type_name(), value.size());
    return clip(value.dump(-1, ' ', true, Json::error_handler_t::replace));
  }

  const Json *json;
  std::string path;
  std::string &error;
  std::vector<std::string> taken;
};

} // namespace

static std::shared_ptr<const Rotation> readRotation(Object object) {
  std::shared_ptr<const Rotation> result;
  std::string kind = object.string("kind");
  if (kind == "hadamard")
    result = std::make_shared<HadamardRotation>(object.length("block"));
  else if (kind == "identity")
    result = std::make_shared<IdentityRotation>();
  else
    object.require(false,
                   "unknown rotation kind; known are hadamard, identity");
  object.finish();
  return result;
}

static Scale readScale(Object object) {
  Scale scale;
  std::string type = object.string("type");
  object.require(type == "f16", "expected scales of type f16");
  scale.group = object.isText("group", "row")
                    ? (object.string("group"), kWholeRow)
                    : object.length("group");
  scale.hasOffset = object.boolean("offset");
  object.finish();
  return scale;
}

static std::shared_ptr<const Codebook> readTable(Object object) {
  unsigned bits = unsigned(object.integer("bits", 1, 4));
  std::vector<int8_t> levels = object.levels("levels");
  object.finish();
  if (levels.size() > size_t(1) << bits) {
    object.require(false, message("expected at most {} levels in a codebook of "
                                  "{} bits but got {}",
                                  1 << bits, bits, levels.size()));
    return nullptr;
  }
  if (levels.size() < 2)
    return nullptr;
  return std::make_shared<TableCodebook>(std::move(levels), bits);
}

static std::shared_ptr<const Codebook> readGrid(Object object) {
  int64_t dim = object.dim("dim");
  bool hasSigns = object.boolean("signs");
  int64_t signs = hasSigns ? dim : 0;
  int64_t bits = object.integer("bits", signs + 1, 16);
  std::vector<int8_t> points = object.bytes("points", dim << (bits - signs));
  object.finish();
  if (points.empty())
    return nullptr;
  if (Status status =
          GridCodebook::check(unsigned(bits), dim, hasSigns, points);
      !status) {
    object.require(false, status.error());
    return nullptr;
  }
  return std::make_shared<GridCodebook>(unsigned(bits), dim, hasSigns,
                                        std::move(points));
}

static std::shared_ptr<const Codebook> readFrame(Object object) {
  int64_t bits = object.integer("bits", 1, 24), dim = object.dim("dim");
  int64_t deviation = object.integer("deviation", 1, INT16_MAX);
  std::vector<int8_t> vectors = object.bytes("vectors", bits * dim);
  object.finish();
  if (vectors.empty())
    return nullptr;
  if (Status status = FrameCodebook::check(dim, vectors, deviation); !status) {
    object.require(false, status.error());
    return nullptr;
  }
  return std::make_shared<FrameCodebook>(dim, std::move(vectors),
                                         unsigned(deviation));
}

static std::shared_ptr<const Codebook> readLattice(Object object) {
  object.integer("bits", 64, 64);
  int64_t deviation = object.integer("deviation", 1, INT16_MAX);
  object.finish();
  if (Status status = LatticeCodebook::check(deviation); !status) {
    object.require(false, status.error());
    return nullptr;
  }
  return std::make_shared<LatticeCodebook>(unsigned(deviation));
}

static std::shared_ptr<const Codebook> readVoronoi(Object object) {
  int64_t bits = object.integer("bits", 1, 64);
  unsigned q = unsigned(object.integer("q", 1, 255));
  std::vector<int8_t> values = object.levels("multipliers");
  object.finish();
  if (Status status = VoronoiCodebook::check(q, values); !status) {
    object.require(false, status.error());
    return nullptr;
  }
  VoronoiCodebook::Multipliers multipliers;
  std::ranges::copy(values, multipliers.begin());
  auto codebook = std::make_shared<VoronoiCodebook>(q, multipliers);
  object.require(bits == codebook->bits(),
                 message("expected codes of {} bits for q = {} but got {}",
                         codebook->bits(), q, bits));
  return codebook;
}

static std::shared_ptr<const Codebook> readTrellis(Object object) {
  object.integer("bits", 16, 16);
  unsigned rate =
      unsigned(object.integer("rate", 1, TrellisCodebook::kMaxRate));
  uint32_t multiplier = uint32_t(object.integer("multiplier", 0, UINT32_MAX));
  uint32_t increment = uint32_t(object.integer("increment", 0, UINT32_MAX));
  object.finish();
  return std::make_shared<TrellisCodebook>(rate, multiplier, increment);
}

static std::shared_ptr<const Codebook> readPairTrellis(Object object) {
  object.integer("bits", 16, 16);
  unsigned rate =
      unsigned(object.integer("rate", 1, PairTrellisCodebook::kMaxRate));
  auto multiplier = uint16_t(object.integer("multiplier", 0, UINT16_MAX));
  auto deviation = unsigned(object.integer("deviation", 1, INT16_MAX));
  std::vector<int8_t> points =
      object.bytes("points", 2 * PairTrellisCodebook::kPoints);
  object.finish();
  if (points.empty())
    return nullptr;
  return std::make_shared<PairTrellisCodebook>(rate, multiplier, deviation,
                                               std::move(points));
}

static std::shared_ptr<const Codebook> readCodebook(Object object) {
  std::string kind = object.string("kind");
  if (kind == "table")
    return readTable(object);
  if (kind == "grid")
    return readGrid(object);
  if (kind == "frame")
    return readFrame(object);
  if (kind == "lattice")
    return readLattice(object);
  if (kind == "voronoi")
    return readVoronoi(object);
  if (kind == "trellis")
    return readTrellis(object);
  if (kind == "pair_trellis")
    return readPairTrellis(object);
  object.require(false, "unknown codebook kind; known are frame, grid, "
                        "lattice, pair_trellis, table, trellis, voronoi");
  return nullptr;
}

static std::shared_ptr<const Coding> readField(Object object) {
  unsigned bits = unsigned(object.integer("bits", 1, 64));
  int64_t dim = object.dim("dim");
  object.finish();
  if (Status status = FieldCoding::check(bits, dim); !status) {
    object.require(false, status.error());
    return nullptr;
  }
  return std::make_shared<FieldCoding>(bits, dim);
}

static std::shared_ptr<const Coding> readRice(Object object) {
  object.integer("bits", 64, 64);
  object.finish();
  return std::make_shared<RiceCoding>();
}

static std::shared_ptr<const Coding> readWindow(Object object) {
  object.integer("bits", 16, 16);
  unsigned rate =
      unsigned(object.integer("rate", 1, TrellisCodebook::kMaxRate));
  int64_t dim = object.has("dim") ? object.integer("dim", 1, 2) : 1;
  object.finish();
  if (Status status = WindowCoding::check(rate, dim); !status) {
    object.require(false, status.error());
    return nullptr;
  }
  return std::make_shared<WindowCoding>(rate, dim);
}

static std::shared_ptr<const Coding> readCoding(Object object) {
  std::string kind = object.string("kind");
  if (kind == "field")
    return readField(object);
  if (kind == "rice")
    return readRice(object);
  if (kind == "window")
    return readWindow(object);
  if (kind != "fixed") {
    object.require(false,
                   "unknown coding kind; known are field, fixed, rice, window");
    return nullptr;
  }
  unsigned bits = unsigned(object.integer("bits", 1, 4));
  object.finish();
  return std::make_shared<FixedCoding>(bits);
}

Expected<Format> Format::fromJson(std::string_view text) {
  if (text.size() > kMaxJsonBytes)
    return failure(message("expected a format of at most {} bytes but got "
                           "{}",
                           kMaxJsonBytes, text.size()));
  Json json = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return failure("expected a format as json but got text that is not json");
  std::string error;
  Object root(&json, "format", error);
  Format format;
  format.name = root.string("name");
  root.require(!format.name.empty() && format.name.size() <= kMaxNameBytes,
               message("expected a name of 1 to {} bytes", kMaxNameBytes));
  format.rotation = readRotation(root.object("rotation"));
  format.scale = readScale(root.object("scale"));
  format.codebook = readCodebook(root.object("codebook"));
  format.coding = readCoding(root.object("coding"));
  root.finish();
  if (error.empty())
    if (Status status =
            checkParts(format.scale, *format.codebook, *format.coding);
        !status)
      error = status.error();
  if (!error.empty())
    return failure(std::move(error));
  return format;
}

//===----------------------------------------------------------------------===//
// Equality
//===----------------------------------------------------------------------===//

/// Whether every code means the same in both.
static bool decodeAlike(const Codebook &a, const Codebook &b) {
  if (a.kind() != b.kind() || a.bits() != b.bits() || a.dim() != b.dim())
    return false;
  // Deviations concern the encoder alone.
  if (auto *frame = dynamic_cast<const FrameCodebook *>(&a))
    return frame->vectors() == static_cast<const FrameCodebook &>(b).vectors();
  if (a.kind() == "lattice")
    return true;
  if (a.bits() > 16)
    return writeCodebook(a) == writeCodebook(b);
  std::vector<int8_t> left(size_t(a.dim())), right(size_t(a.dim()));
  for (uint32_t code = 0; code < 1u << a.bits(); ++code) {
    a.point(code, left);
    b.point(code, right);
    if (left != right)
      return false;
  }
  return true;
}

bool Format::equals(const Format &other) const {
  return rotation->kind() == other.rotation->kind() &&
         rotation->block() == other.rotation->block() && scale == other.scale &&
         writeCoding(*coding) == writeCoding(*other.coding) &&
         decodeAlike(*codebook, *other.codebook);
}
