//===- Npy.cpp - Arrays in .npy files
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Npy.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileOutputBuffer.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <new>
#include <optional>

using namespace llvm;
using namespace mlir::rotq;

static constexpr std::align_val_t kAlignment{64};
static constexpr StringLiteral kMagic("\x93NUMPY");
static constexpr size_t kMaxHeader = 1 << 16;
static constexpr size_t kMaxRank = 32;

namespace {
struct ElementInfo {
  Element element;
  StringRef name;
  StringRef descr;
  int64_t bytes;
};
} // namespace

static const ElementInfo kElements[] = {
    {Element::F16, "f16", "<f2", 2}, {Element::F32, "f32", "<f4", 4},
    {Element::I8, "i8", "|i1", 1},   {Element::U8, "u8", "|u1", 1},
    {Element::I32, "i32", "<i4", 4}, {Element::I64, "i64", "<i8", 8}};

static const ElementInfo &infoOf(Element element) {
  return *find_if(kElements, [&](const ElementInfo &info) {
    return info.element == element;
  });
}

int64_t mlir::rotq::sizeOf(Element element) { return infoOf(element).bytes; }
StringRef mlir::rotq::nameOf(Element element) { return infoOf(element).name; }

void Array::Free::operator()(std::byte *data) const {
  ::operator delete[](data, kAlignment);
}

Array::Array(Element element, ArrayRef<int64_t> shape)
    : element(element), shape(shape) {
  size_t bytes = std::max<size_t>(numBytes(), 1);
  data.reset(static_cast<std::byte *>(::operator new[](bytes, kAlignment)));
  std::memset(data.get(), 0, bytes);
}

int64_t Array::numElements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

std::string Array::describe() const {
  std::string text;
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + nameOf(element).str();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// The dictionary of a header, as NumPy writes it: three keys, in any order.
class HeaderParser {
public:
  explicit HeaderParser(StringRef text) : text(text) {}

  Error parse();

  const ElementInfo *element = nullptr;
  std::optional<SmallVector<int64_t>> shape;

private:
  Error fail(const Twine &message) { return createStringError(message); }
  bool consume(StringRef token) {
    text = text.ltrim(' ');
    return text.consume_front(token);
  }
  Error parseEntry();
  Error parseDescr();
  Error parseOrder();
  Error parseShape();

  StringRef text;
  bool hasOrder = false;
};
} // namespace

Error HeaderParser::parse() {
  if (!consume("{"))
    return fail("expected the header to be a dictionary");
  while (!consume("}")) {
    if (Error error = parseEntry())
      return error;
    if (consume(","))
      continue;
    if (!consume("}"))
      return fail("expected ',' or '}' in the header");
    break;
  }
  if (!text.trim(" \n").empty())
    return fail("expected nothing after the header's dictionary");
  if (!element || !shape || !hasOrder)
    return fail("expected the keys 'descr', 'fortran_order' and 'shape' in the "
                "header");
  return Error::success();
}

Error HeaderParser::parseEntry() {
  if (consume("'descr'") && consume(":") && !element)
    return parseDescr();
  if (consume("'fortran_order'") && consume(":") && !hasOrder)
    return parseOrder();
  if (consume("'shape'") && consume(":") && !shape)
    return parseShape();
  return fail("expected the keys 'descr', 'fortran_order' and 'shape' in the "
              "header, once each");
}

Error HeaderParser::parseDescr() {
  for (const ElementInfo &info : kElements)
    if (consume(("'" + info.descr + "'").str())) {
      element = &info;
      return Error::success();
    }
  return fail("expected elements of type <f2, <f4, |i1, |u1, <i4 or <i8 but "
              "the header says " +
              text.take_until([](char c) { return c == ',' || c == '}'; })
                  .take_front(32));
}

Error HeaderParser::parseOrder() {
  hasOrder = true;
  if (consume("False"))
    return Error::success();
  return fail("expected an array in C order");
}

Error HeaderParser::parseShape() {
  shape.emplace();
  if (!consume("("))
    return fail("expected the shape to be a tuple");
  while (!consume(")")) {
    uint64_t size = 0;
    text = text.ltrim(' ');
    if (shape->size() == kMaxRank || text.empty() || !isDigit(text.front()) ||
        text.consumeInteger(10, size) || size > uint64_t(INT64_MAX))
      return fail("expected a shape of up to " + Twine(kMaxRank) +
                  " sizes from 0 on");
    shape->push_back(int64_t(size));
    if (consume(","))
      continue;
    if (!consume(")") || shape->size() == 1)
      return fail("expected ',' or ')' in the shape");
    break;
  }
  return Error::success();
}

/// The header's text; `rest` is what follows it.
static Expected<StringRef> splitHeader(StringRef file, StringRef &rest) {
  if (!file.consume_front(kMagic) || file.size() < 4)
    return createStringError("expected a .npy file");
  unsigned major = uint8_t(file[0]);
  size_t lengthBytes = major == 1 ? 2 : 4;
  if (major < 1 || major > 3 || file[1] != 0 || file.size() < 2 + lengthBytes)
    return createStringError("expected version 1.0, 2.0 or 3.0 of .npy");
  size_t length = lengthBytes == 2 ? support::endian::read16le(file.data() + 2)
                                   : support::endian::read32le(file.data() + 2);
  file = file.drop_front(2 + lengthBytes);
  if (length > kMaxHeader || length > file.size())
    return createStringError("expected a header of up to " +
                             Twine(std::min(kMaxHeader, file.size())) +
                             " bytes but it claims " + Twine(length));
  rest = file.drop_front(length);
  return file.take_front(length);
}

static Expected<Array> parseNpy(StringRef file) {
  StringRef rest;
  Expected<StringRef> header = splitHeader(file, rest);
  if (!header)
    return header.takeError();
  HeaderParser parser(*header);
  if (Error error = parser.parse())
    return error;
  int64_t bytes = parser.element->bytes;
  bool overflows = false;
  for (int64_t size : *parser.shape)
    overflows |= __builtin_mul_overflow(bytes, size, &bytes);
  if (overflows || uint64_t(bytes) != rest.size())
    return createStringError("expected the data that the header declares but "
                             "got " +
                             Twine(rest.size()) + " bytes");
  Array array(parser.element->element, *parser.shape);
  std::memcpy(array.data.get(), rest.data(), rest.size());
  return array;
}

Expected<Array> mlir::rotq::readNpy(StringRef path) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError("cannot read '" + path +
                             "': " + file.getError().message());
  Expected<Array> array = parseNpy((*file)->getBuffer());
  if (!array)
    return createStringError("cannot read '" + path +
                             "': " + toString(array.takeError()));
  return array;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Error mlir::rotq::writeNpy(StringRef path, const Array &array) {
  std::string sizes;
  for (int64_t size : array.shape)
    sizes += std::to_string(size) + (array.shape.size() == 1 ? "," : ", ");
  if (array.shape.size() > 1)
    sizes.resize(sizes.size() - 2);
  std::string header =
      ("{'descr': '" + infoOf(array.element).descr +
       "', 'fortran_order': False, 'shape': (" + sizes + "), }")
          .str();
  // The data starts at a multiple of 64 bytes.
  constexpr size_t kPrefix = 10;
  header.resize((kPrefix + header.size() + 1 + 63) / 64 * 64 - kPrefix - 1,
                ' ');
  header += '\n';

  std::string start = kMagic.str();
  start += '\x01';
  start += '\x00';
  start += char(header.size() & 0xff);
  start += char(header.size() >> 8);
  start += header;
  size_t total = start.size() + size_t(array.numBytes());
  auto output = FileOutputBuffer::create(path, total);
  if (!output)
    return createStringError("cannot write '" + path +
                             "': " + toString(output.takeError()));
  uint8_t *target = (*output)->getBufferStart();
  std::memcpy(target, start.data(), start.size());
  std::memcpy(target + start.size(), array.data.get(),
              size_t(array.numBytes()));
  if (Error error = (*output)->commit())
    return createStringError("cannot write '" + path +
                             "': " + toString(std::move(error)));
  return Error::success();
}
