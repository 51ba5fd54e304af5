//===- FormatTest.cpp - Declarations of formats ---------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"
#include "rotq/Codec/FrameCodebook.h"

#include <cmath>
#include <set>

using namespace rotq;
using namespace rotq::test;

static const char *const kRq3 =
    R"({"name":"rq3","rotation":{"kind":"hadamard","block":256},)"
    R"("scale":{"type":"f16","group":256,"offset":false},)"
    R"("codebook":{"kind":"table","bits":3,)"
    R"("levels":[-114,-71,-40,-13,13,40,71,114]},)"
    R"("coding":{"kind":"fixed","bits":3}})";

static const char *const kInt4 =
    R"({"name":"int4_g128","rotation":{"kind":"identity"},)"
    R"("scale":{"type":"f16","group":128,"offset":false},)"
    R"("codebook":{"kind":"table","bits":4,)"
    R"("levels":[-8,-7,-6,-5,-4,-3,-2,-1,0,1,2,3,4,5,6,7]},)"
    R"("coding":{"kind":"fixed","bits":4}})";

/// kRq3 with the first `from` replaced by `to`.
static std::string edited(std::string_view from, std::string_view to) {
  std::string text = kRq3;
  size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(FormatTest, PresetsAreListedWithTheDefaultFirst) {
  EXPECT_EQ(presets().front().name, "rq3");
  std::set<std::string> names;
  for (const Format &format : presets())
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
}

TEST(FormatTest, LookupNamesTheKnownOnes) {
  EXPECT_EQ(lookupFormat("rq4")->name, "rq4");
  Expected<Format> missing = lookupFormat("q4_0");
  ASSERT_FALSE(missing);
  std::string known;
  for (const Format &format : presets())
    known += (known.empty() ? "" : ", ") + format.name;
  EXPECT_EQ(missing.error(),
            "expected a format among " + known + " but got \"q4_0\"");
}

TEST(FormatTest, JsonIsStable) {
  EXPECT_EQ(preset("rq3").toJson(), kRq3);
  EXPECT_EQ(preset("int4_g128").toJson(), kInt4);
}

TEST(FormatTest, VoronoiCodesAsJson) {
  std::string text = preset("hyperquant_4").toJson();
  EXPECT_EQ(text, R"({"name":"hyperquant_4",)"
                  R"("rotation":{"kind":"hadamard","block":256},)"
                  R"("scale":{"type":"f16","group":"row","offset":false},)"
                  R"("codebook":{"kind":"voronoi","bits":34,"q":16,)"
                  R"("multipliers":[3,4,5,7]},)"
                  R"("coding":{"kind":"field","bits":34,"dim":8}})");
  struct Case {
    std::string_view from, to, error;
  } cases[] = {
      {"\"q\":16", "\"q\":8", "expected codes of 26 bits for q = 8 but got 34"},
      {"\"q\":16", "\"q\":13", "expected 8 or 16 as q but got 13"},
      {"\"q\":16", "\"q\":\"16\"", "an integer from 1 to 255"},
      {"3,4,5,7", "3,4,5", "expected 4 multipliers but got 3"},
      {"3,4,5,7", "3,5,4,7", "rising multipliers"},
      {"3,4,5,7", "0,4,5,7", "from 1 to 31 but got 0 after 0"},
      {"3,4,5,7", "3,4,5,32", "from 1 to 31 but got 32 after 5"},
      {"\"bits\":34,\"dim\"", "\"bits\":33,\"dim\"",
       "expected codes that fill bytes but got 4 of 33 bits in 32 weights"},
      {"\"bits\":34,\"dim\"", "\"bits\":65,\"dim\"", "an integer from 1 to 64"},
      {"\"bits\":34,\"dim\"", "\"bits\":36,\"dim\"",
       "expected a coding of 34 bits, as the codebook has, but got 36"}};
  for (const Case &c : cases) {
    std::string changed = text;
    changed.replace(changed.find(c.from), c.from.size(), c.to);
    Expected<Format> read = Format::fromJson(changed);
    ASSERT_FALSE(read) << changed;
    EXPECT_NE(read.error().find(c.error), std::string::npos) << read.error();
  }
}

TEST(FormatTest, FramesAsJson) {
  std::string text =
      R"({"name":"five","rotation":{"kind":"identity"},)"
      R"("scale":{"type":"f16","group":"row","offset":false},)"
      R"("codebook":{"kind":"frame","bits":5,"dim":4,"deviation":630,)"
      R"("vectors":"28000000002800000000280000000028f0f0f010"},)"
      R"("coding":{"kind":"field","bits":5,"dim":4}})";
  Expected<Format> format = Format::fromJson(text);
  ASSERT_TRUE(format) << format.error();
  EXPECT_EQ(format->toJson(), text);
  int8_t point[4];
  format->codebook->point(0b10001, point);
  EXPECT_EQ(std::vector<int>(point, point + 4),
            (std::vector<int>{24, -56, -56, -24}));
  struct Case {
    std::string_view from, to, error;
  } cases[] = {
      {"\"bits\":5", "\"bits\":4",
       "expected 16 bytes in lower-case hexadecimal"},
      {"\"bits\":5", "\"bits\":0", "an integer from 1 to 24"},
      {"\"bits\":5", "\"bits\":25", "an integer from 1 to 24"},
      {"\"dim\":4", "\"dim\":2", "expected 10 bytes in lower-case hexadecimal"},
      {"\"dim\":4", "\"dim\":3", "expected 1, 2, 4 or 8 as"},
      {"f0f0f010", "F0f0f010", "expected 20 bytes in lower-case hexadecimal"},
      {"f0f0f010", "f0f0f058", "expected magnitudes that add up to 127"},
      {"630", "0", "an integer from 1 to 32767"},
      {"630", "2033", "expected a deviation of 1 to 2032 sixteenths"},
      {"630", "\"630\"", "an integer from 1 to 32767"},
      {"\"deviation\":630,", "", "expected a member \"deviation\""},
      {"\"deviation\"", "\"signs\":true,\"deviation\"", "unknown key"},
      {"\"bits\":5,\"dim\":4}", "\"bits\":6,\"dim\":4}",
       "expected a coding of 5 bits, as the codebook has, but got 6"},
      {"\"bits\":5,\"dim\":4}", "\"bits\":5,\"dim\":2}", "weights a code"},
  };
  for (const Case &c : cases) {
    std::string changed = text;
    size_t at = changed.find(c.from);
    ASSERT_NE(at, changed.npos) << c.from;
    changed.replace(at, c.from.size(), c.to);
    Expected<Format> read = Format::fromJson(changed);
    ASSERT_FALSE(read) << changed;
    EXPECT_NE(read.error().find(c.error), std::string::npos) << read.error();
  }
}

TEST(FormatTest, JsonRoundTrips) {
  for (const Format &format : presets()) {
    Expected<Format> read = Format::fromJson(format.toJson());
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->toJson(), format.toJson());
    EXPECT_TRUE(read->equals(format));
    // Points of the lattice are what they are, however fine it lies.
    auto familyOf = [](const Format &format) {
      return format.codebook->kind() == "lattice" ? "lattice" : format.name;
    };
    for (const Format &other : presets())
      EXPECT_EQ(read->equals(other), familyOf(other) == familyOf(format));
  }
}

TEST(FormatTest, EqualityIsOfDecodedBytes) {
  Format rq3 = preset("rq3");
  auto equal = [&](std::string_view from, std::string_view to) {
    Expected<Format> other = Format::fromJson(edited(from, to));
    EXPECT_TRUE(other) << other.error();
    return other->equals(rq3) && rq3.equals(*other);
  };
  EXPECT_TRUE(equal("\"rq3\"", "\"other\""));
  EXPECT_FALSE(equal("\"block\":256", "\"block\":128"));
  EXPECT_FALSE(equal("{\"kind\":\"hadamard\",\"block\":256}",
                     "{\"kind\":\"identity\"}"));
  EXPECT_FALSE(equal("\"group\":256", "\"group\":128"));
  EXPECT_FALSE(equal("false", "true"));
  EXPECT_FALSE(equal("-114", "-115"));
  EXPECT_FALSE(equal("71,114", "71"));

  // An unused code equals a repeated level: only what bytes decode to counts.
  Format a = preset("itq3_s"), b = a;
  b.codebook =
      std::make_shared<TableCodebook>(std::vector<int8_t>{-1, 0, 1}, 3);
  EXPECT_TRUE(a.equals(b));

  // Nor do the weights count that a frame was made for, however long codes are.
  for (const char *name : {"liftquant_w16", "liftquant_w18"}) {
    Format frame = preset(name);
    auto &codebook = static_cast<const FrameCodebook &>(*frame.codebook);
    std::vector<int8_t> vectors = codebook.vectors();
    Format other = frame;
    other.codebook = std::make_shared<FrameCodebook>(8, vectors, 500);
    EXPECT_TRUE(frame.equals(other)) << name;
    vectors.back() = int8_t(-vectors.back());
    other.codebook =
        std::make_shared<FrameCodebook>(8, vectors, codebook.deviation());
    EXPECT_FALSE(frame.equals(other)) << name;
  }
}

TEST(FormatTest, HostileJson) {
  struct Case {
    std::string text;
    std::string_view error;
  } cases[] = {
      {"", "text that is not json"},
      {"{", "text that is not json"},
      {"[]", "expected an object as format but got an array of 0 elements"},
      {"null", "expected an object as format but got null"},
      {"{}", "expected a member \"name\" in format"},
      {edited("\"rq3\"", "3"), "expected a string as format.name but got 3"},
      {edited("\"rq3\"", "\"\""), "expected a name of 1 to 256 bytes"},
      {edited("rq3", std::string(300, 'x')), "expected a name of 1 to 256"},
      {edited("hadamard", "dct"), "unknown rotation kind"},
      {edited("\"hadamard\"", "7"), "a string as format.rotation.kind"},
      {edited("\"block\":256", "\"block\":100"),
       "expected a power of two from 32 to 4096 as format.rotation.block but "
       "got 100"},
      {edited("\"block\":256", "\"block\":16"), "but got 16"},
      {edited("\"block\":256", "\"block\":8192"), "but got 8192"},
      {edited("\"block\":256", "\"block\":-256"), "but got -256"},
      {edited("\"block\":256", "\"block\":256.0"), "but got 256.0"},
      {edited("\"block\":256", "\"block\":\"256\""), "but got \"256\""},
      {edited("\"block\":256", "\"block\":18446744073709551615"),
       "but got 18446744073709551615"},
      {edited("\"block\":256", "\"block\":1e400"), "not json"},
      {edited(",\"block\":256", ""),
       "expected a member \"block\" in format.rotation"},
      {edited("\"hadamard\"", "\"identity\""),
       "unknown key \"block\" in format.rotation"},
      {edited("\"group\":256", "\"group\":0"), "format.scale.group but got 0"},
      {edited("\"group\":256", "\"group\":null"), "but got null"},
      {edited("\"group\":256", "\"group\":[256]"), "an array of 1 elements"},
      {edited("f16", "f32"), "expected scales of type f16"},
      {edited("false", "0"), "expected true or false as format.scale.offset"},
      {edited("table", "carpet"), "unknown codebook kind"},
      {edited("\"bits\":3", "\"bits\":0"), "an integer from 1 to 4"},
      {edited("\"bits\":3", "\"bits\":5"), "an integer from 1 to 4"},
      {edited("\"bits\":3", "\"bits\":4294967299"), "an integer from 1 to 4"},
      {edited("\"bits\":3", "\"bits\":2"), "expected at most 4 levels"},
      {edited("\"bits\":3,", "\"bits\":4,"),
       "expected a coding of 4 bits, as the codebook has, but got 3"},
      {edited("-114", "-129"), "integers from -128 to 127"},
      {edited("71,114", "114,71"), "rising levels"},
      {edited("71,114", "71,71"), "rising levels"},
      {edited("-114,-71,-40,-13,13,40,71,114", "1"),
       "an array of 2 to 16 levels"},
      {edited("-114", "-114.5"), "integers from -128 to 127"},
      {edited("[-114,-71,-40,-13,13,40,71,114]", "{}"),
       "an array of 2 to 16 levels"},
      {edited("fixed", "huffman"), "unknown coding kind"},
      {edited("\"name\"", "\"extra\":1,\"name\""),
       "unknown key \"extra\" in format"},
      {edited("\"coding\":{\"kind\":\"fixed\",\"bits\":3}", "\"coding\":3"),
       "expected an object as format.coding but got 3"},
      {std::string(100000, '['), "at most 65536 bytes"},
      {std::string(60000, '['), "not json"},
      {std::string(30000, '[') + std::string(30000, ']'), "an array"},
      {std::string("{\"name\":\"\xff\xfe\"}"), "not json"},
  };
  for (const Case &c : cases) {
    Expected<Format> format = Format::fromJson(c.text);
    ASSERT_FALSE(format) << c.text.substr(0, 200);
    EXPECT_NE(format.error().find(c.error), std::string::npos)
        << "got: " << format.error() << "\nfor: " << c.text.substr(0, 200);
  }
}

TEST(FormatTest, EveryPrefixOfADeclarationIsRefused) {
  std::string text = kRq3;
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_FALSE(Format::fromJson(text.substr(0, length)));
}

TEST(FormatTest, DamagedDeclarationsNeverCrash) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text = kRq3;
    for (unsigned edits = 1 + random() % 3; edits; --edits)
      text[random() % text.size()] = char(random() % 128);
    if (Expected<Format> format = Format::fromJson(text)) {
      // What is read can be used.
      ASSERT_TRUE(checkShape(*format, 1, 1));
      ASSERT_EQ(Format::fromJson(format->toJson())->toJson(), format->toJson());
    }
  }
}

TEST(FormatTest, NamesThatAreNotText) {
  Format format = preset("rq3");
  format.name = "a\"b\\\n\xff";
  EXPECT_TRUE(Format::fromJson(format.toJson()));
}

TEST(FormatTest, LevelsAreLloydMax) {
  // Least mean squared error on N(0, 1) of the tables, over the step, against
  // the optimum of as many real levels.
  struct Case {
    const char *name;
    double optimum;
  } cases[] = {{"rq2", 0.1174818}, {"rq3", 0.0345478}, {"rq4", 0.0095010}};
  auto cdf = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  auto pdf = [](double x) {
    return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
  };
  for (const Case &c : cases) {
    Format format = preset(c.name);
    auto &levels =
        static_cast<const TableCodebook &>(*format.codebook).levels();
    ASSERT_EQ(levels.size(), size_t(1) << format.codebook->bits());
    double least = 1;
    for (double top = 1; top < 4; top += 0.001) {
      double error = 0, step = top / levels.back();
      for (size_t i = 0; i < levels.size(); ++i) {
        ASSERT_EQ(levels[i], -levels[levels.size() - 1 - i]);
        double q = step * levels[i];
        double a = i ? (q + step * levels[i - 1]) / 2 : -40;
        double b = i + 1 < levels.size() ? (q + step * levels[i + 1]) / 2 : 40;
        double mass = cdf(b) - cdf(a), mean = pdf(a) - pdf(b);
        error += mass + a * pdf(a) - b * pdf(b) - 2 * q * mean + q * q * mass;
      }
      least = std::min(least, error);
    }
    EXPECT_GE(least, c.optimum - 1e-6);
    EXPECT_LT(least, c.optimum * 1.001) << c.name;
  }
}
