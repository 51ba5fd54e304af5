//===- HostRunner.cpp - Runs functions of a module on this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostRunner.h"

#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <cstdlib>

using namespace mlir;
using namespace mlir::rotq;
using llvm::createStringError;

LogicalResult HostRunner::lower(ModuleOp module,
                                const HostPipelineOptions &options) {
  PassManager pm(module.getContext());
  buildHostPipeline(pm, options);
  return pm.run(module);
}

HostRunner::HostRunner(ModuleOp module, std::unique_ptr<ExecutionEngine> engine)
    : module(module), engine(std::move(engine)), release(std::free) {}

llvm::Expected<HostRunner>
HostRunner::create(ModuleOp module, unsigned optLevel, const Symbols &symbols) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto targetBuilder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!targetBuilder)
    return targetBuilder.takeError();
  auto target = targetBuilder->createTargetMachine();
  if (!target)
    return target.takeError();
  // The optimizer needs a machine that outlives the engine's own.
  auto optimizerTarget = targetBuilder->createTargetMachine();
  if (!optimizerTarget)
    return optimizerTarget.takeError();
  auto transformer = makeOptimizingTransformer(optLevel, /*sizeLevel=*/0,
                                               optimizerTarget->get());
  ExecutionEngineOptions options;
  options.transformer = transformer;
  options.jitCodeGenOptLevel = llvm::CodeGenOpt::getLevel(optLevel);
  options.enableGDBNotificationListener = false;
  options.enablePerfNotificationListener = false;
  auto engine = ExecutionEngine::create(module, options, std::move(*target));
  if (!engine)
    return engine.takeError();
  (*engine)->registerSymbols([&](llvm::orc::MangleAndInterner intern) {
    llvm::orc::SymbolMap map;
    for (const auto &symbol : symbols)
      map[intern(symbol.first())] = {
          llvm::orc::ExecutorAddr::fromPtr(symbol.second),
          llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
    return map;
  });
  return HostRunner(module, std::move(*engine));
}

llvm::Expected<FunctionType> HostRunner::findSignature(StringRef entry) {
  Operation *function = SymbolTable::lookupSymbolIn(module, entry);
  if (!function)
    return createStringError("expected a function '" + entry +
                             "' but the module has none");
  auto signature = function->getAttrOfType<TypeAttr>(kSignatureAttrName);
  auto type =
      signature ? dyn_cast<FunctionType>(signature.getValue()) : FunctionType();
  if (!type)
    return createStringError("expected '" + entry +
                             "' to be a function that rotq-to-host lowered");
  return type;
}

/// The element that `type` holds; none for types that arrays do not have.
static std::optional<Element> elementOf(Type type) {
  if (type.isF16())
    return Element::F16;
  if (type.isF32())
    return Element::F32;
  if (type.isInteger(8))
    return Element::I8;
  if (type.isInteger(32))
    return Element::I32;
  if (type.isInteger(64) || type.isIndex())
    return Element::I64;
  return std::nullopt;
}

static std::string describe(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (!memref) {
    stream << type;
    return text;
  }
  for (int64_t size : memref.getShape())
    if (ShapedType::isDynamic(size))
      stream << "?x";
    else
      stream << size << "x";
  stream << memref.getElementType();
  return text;
}

static bool matches(Type type, const Array &array) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || memref.getRank() != int64_t(array.shape.size()))
    return false;
  // i8 has no sign: bytes of a packed weight are unsigned.
  Element element = array.element == Element::U8 ? Element::I8 : array.element;
  if (elementOf(memref.getElementType()) != element)
    return false;
  return llvm::all_of(llvm::zip(memref.getShape(), array.shape), [](auto pair) {
    auto [expected, size] = pair;
    return ShapedType::isDynamic(expected) || expected == size;
  });
}

/// Words of a descriptor: two pointers, an offset, sizes and strides.
static size_t descriptorSize(MemRefType type) { return 3 + 2 * type.getRank(); }

static SmallVector<int64_t> makeDescriptor(const Array &array) {
  auto address = int64_t(reinterpret_cast<intptr_t>(array.data.get()));
  SmallVector<int64_t> words = {address, address, 0};
  words.append(array.shape);
  int64_t stride = 1;
  SmallVector<int64_t> strides(array.shape.size());
  for (size_t i = strides.size(); i-- > 0; stride *= array.shape[i])
    strides[i] = stride;
  words.append(strides);
  return words;
}

static Array copyResult(MemRefType type, ArrayRef<int64_t> words) {
  Array array(*elementOf(type.getElementType()),
              words.slice(3, type.getRank()));
  auto *aligned = reinterpret_cast<const std::byte *>(intptr_t(words[1]));
  if (array.numBytes())
    std::memcpy(array.data.get(), aligned + words[2] * sizeOf(array.element),
                size_t(array.numBytes()));
  return array;
}

/// Frees what the results lie in: results may share a buffer, or lie in that of
/// an argument or in a constant.
static void freeResults(const llvm::SmallSetVector<int64_t, 4> &buffers,
                        ArrayRef<Array> arguments, void (*release)(void *)) {
  // What MLIR calls the allocation of a constant.
  constexpr int64_t kConstant = 0xdeadbeef;
  for (int64_t buffer : buffers) {
    auto *allocated = reinterpret_cast<void *>(intptr_t(buffer));
    bool isArgument = llvm::any_of(arguments, [&](const Array &argument) {
      return argument.data.get() == allocated;
    });
    if (buffer != kConstant && !isArgument)
      release(allocated);
  }
}

llvm::Expected<std::vector<Array>> HostRunner::run(StringRef entry,
                                                   ArrayRef<Array> arguments) {
  llvm::Expected<FunctionType> signature = findSignature(entry);
  if (!signature)
    return signature.takeError();
  if (signature->getNumInputs() != arguments.size())
    return createStringError("expected " + Twine(signature->getNumInputs()) +
                             " arguments of '" + entry + "' but got " +
                             Twine(arguments.size()));
  std::vector<SmallVector<int64_t>> descriptors;
  for (auto [i, type] : llvm::enumerate(signature->getInputs())) {
    if (!isa<MemRefType>(type))
      return createStringError("expected argument " + Twine(i) + " of '" +
                               entry + "' to be an array but it is " +
                               describe(type));
    if (!matches(type, arguments[i]))
      return createStringError("expected argument " + Twine(i) + " of '" +
                               entry + "' to be " + describe(type) +
                               " but got " + arguments[i].describe());
    descriptors.push_back(makeDescriptor(arguments[i]));
  }
  size_t resultWords = 0;
  for (auto [i, type] : llvm::enumerate(signature->getResults())) {
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref || !elementOf(memref.getElementType()))
      return createStringError("expected result " + Twine(i) + " of '" + entry +
                               "' to be an array but it is " + describe(type));
    resultWords += descriptorSize(memref);
  }

  SmallVector<int64_t> results(resultWords);
  SmallVector<void *> pointers;
  if (resultWords)
    pointers.push_back(results.data());
  for (SmallVector<int64_t> &descriptor : descriptors)
    pointers.push_back(descriptor.data());
  SmallVector<void *> packed;
  for (void *&pointer : pointers)
    packed.push_back(&pointer);
  if (llvm::Error error =
          engine->invokePacked(("_mlir_ciface_" + entry).str(), packed))
    return error;

  std::vector<Array> arrays;
  llvm::SmallSetVector<int64_t, 4> buffers;
  ArrayRef<int64_t> rest = results;
  for (Type type : signature->getResults()) {
    auto memref = cast<MemRefType>(type);
    arrays.push_back(copyResult(memref, rest));
    buffers.insert(rest.front());
    rest = rest.drop_front(descriptorSize(memref));
  }
  freeResults(buffers, arguments, release);
  return arrays;
}
