//===- MatmulEmitter.h - What matmul kernels have in common
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weight is operand A (16 rows of it, one output each), the activation
// operand B (8 rows of it, its columns). Lane (g, t) = (lane / 4, lane mod 4)
// of a warp holds rows g and g + 8 of A, and columns 2t and 2t + 1 of the sums.
// Which k an instruction multiplies is free as long as A and B agree, so a lane
// feeds the runs of 32 weights that TiledLayout gives it in order.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_MATMULEMITTER_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_MATMULEMITTER_H

#include "Kernels.h"
#include "StagedActivation.h"
#include "StagedWeight.h"
#include "TileReader.h"

namespace mlir::rotq {

/// A run of K of a tile that one scale covers.
struct Piece {
  ::rotq::Segment segment; ///< within the tile
  int64_t scaleIndex;      ///< among the scale segments of the tile
};

class MatmulEmitter {
public:
  MatmulEmitter(KernelBuilder &b, KernelFunction &kernel,
                const MatmulProblem &problem, KernelAttr config)
      : b(b), kernel(kernel), problem(problem), config(config),
        groups(activationBlocking(problem.weight.getK(),
                                  problem.group ? problem.group : 256)),
        pieces(1, 32), layout(activationLayoutOf(problem, config)) {}

protected:
  static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;
  static constexpr int64_t kRun = ::rotq::TiledLayout::kRun;
  /// Runs of a lane in a tile, and how far they are apart.
  static constexpr int64_t kRuns = 2, kRunStride = kColumns / kRuns;

  bool isQuantized() const { return problem.group != 0; }
  /// Whether codes, points and the sums of their products are floats.
  bool hasFloatCodes() const { return problem.operand == Operand::E4M3; }
  bool isStaged() const { return config.getStages() != 0; }
  /// Warps of a tile are as many apart: whole warpgroups share theirs.
  int64_t warpsAtOnce() const {
    return mlir::rotq::warpsAtOnce(config.getKind());
  }
  /// Those of every sum of its elements, which divide K.
  int64_t warpsOfTile() const { return problem.sums * config.getSplit(); }
  bool isRotated() const { return problem.weight.getFormat().isRotated(); }
  int64_t k() const { return problem.weight.getK(); }
  int64_t rowTiles() const { return config.getRows() / 16; }
  int64_t colTiles() const {
    return int64_t(llvm::divideCeil(config.getCols(), 8));
  }
  bool hasRests() const { return layout == ::rotq::ActivationLayout::Rests; }
  /// Columns of y that a lane has of a column tile: 2t and 2t + 1 or, where
  /// these two are codes and rests of one row of the activation, t.
  int64_t ownColumns() const { return hasRests() ? 1 : 2; }
  /// Of K, the one behind the whole ones included.
  int64_t tiles() const { return inTail.empty() ? whole : whole + 1; }

  /// Cuts K into tiles and those into pieces; then places the warp.
  LogicalResult prepare();

  /// The lane's part of the weight in a tile of K.
  Fragments load(Value tile, ArrayRef<Piece> inTile);
  /// The points of a run, as tensor cores take them beside the codes.
  Value points(ArrayRef<Value> slots, int64_t half, int64_t run);
  /// Loads of the first tiles of K from `first` on in steps, as many as are
  /// loaded ahead; of those behind the whole ones the last one again.
  SmallVector<Fragments> loadAhead(Value first, int64_t step, int64_t depth);
  /// Waits for the predecessor while these come.
  void waitForPredecessor(ArrayRef<Fragments> ahead);
  using AddTile = function_ref<SmallVector<Value>(
      Value tile, const Fragments &fragments, ValueRange sums)>;
  /// Adds these whole tiles and all that follow in steps, each with `add`.
  SmallVector<Value> addTiles(Value first, int64_t step,
                              ArrayRef<Fragments> ahead, ValueRange sums,
                              AddTile add);
  /// Adds the warp's share of the whole tiles of K, which are loaded into
  /// registers, the first of them while the launch before still runs.
  SmallVector<Value> addWholeTiles(ValueRange sums, AddTile add);
  /// Adds the tile behind the whole ones, if there is one; it is one warp's.
  SmallVector<Value> addTail(ValueRange sums, AddTile add);
  /// Starts the copies of all stages but one, those of the activation once the
  /// launch before has ended.
  void startStages();
  /// Waits until the stage of the tiles from `first` on is there, for all
  /// warps, and all of them are done with the stage before, which then takes
  /// others.
  void takeStage(Value first);

  /// The runs of a lane that have weights of a segment of the tile, and whether
  /// the lane's is one of them; null: every lane's is. Runs start at multiples
  /// of their length, as segments do, and so lie within them or outside.
  SmallVector<std::pair<int64_t, Value>> runsOf(const ::rotq::Segment &segment);

  /// Column 2t + c of a column tile.
  Value columnOf(int64_t colTile, int64_t c);
  /// The scales of columns 2t and 2t + 1 of a column tile for a piece of a
  /// tile.
  SmallVector<Value> columnScales(Value tile, const ::rotq::Segment &segment,
                                  int64_t colTile, bool isFull);
  /// What these columns are corrected by for every unit of offset; empty
  /// where the format has none.
  SmallVector<Value> corrections(Value tile, const ::rotq::Segment &segment,
                                 int64_t colTile, ArrayRef<Value> scales,
                                 bool isFull);
  /// sums += products by their scales, of a 16 x 8 tile: (row g, row g + 8) x
  /// (columns 2t, 2t + 1). `products` are f32, `numbers` those of the rows.
  void accumulate(MutableArrayRef<Value> sums, ArrayRef<Value> products,
                  Value numbers, ArrayRef<Value> scales,
                  ArrayRef<Value> corrections);
  /// Sums are [rowTile][colTile][row half][column]; those of codes and rests,
  /// and of warps that divide K, are added up first, and those of several
  /// weights brought together.
  void storeResult(ArrayRef<Value> sums);
  /// Elements of the epilogue's vectors, for a row of the weights or the last
  /// one; null for its matrices.
  SmallVector<Value> loadVectors(Value row);
  /// Stores an element of y, from the sums and vectors that its epilogue takes.
  void store(ValueRange sums, ValueRange vectors, Value row, Value col);

  KernelBuilder &b;
  KernelFunction &kernel;
  const MatmulProblem &problem;
  KernelAttr config;
  std::optional<GroupMember> member; ///< of the block
  std::optional<TileReader> weight;  ///< of the warp
  /// Where there are stages.
  std::optional<StagedActivation> stagedActivation;
  std::optional<StagedWeight> stagedWeight;

  Value m, activationRows, lane, warp, g, t, firstRow, firstCol;
  Value sum, part;           ///< the warp's of its tile: which weight's, of K
  Value inBlock;             ///< the warp's tile among those of the block
  SmallVector<Value> strips; ///< clamped; of every row tile

  /// A tile of K may be whole in the padded row and still reach behind the end
  /// of a float activation; it is then the last.
  int64_t whole = 0;                 ///< tiles that are
  SmallVector<Piece> inTile, inTail; ///< of those, and of the one behind them
  ::rotq::Blocking groups;           ///< of the quantized activation
  ::rotq::Blocking pieces;           ///< runs of K with one scale and rotation
  ::rotq::ActivationLayout layout;   ///< of a quantized activation

private:
  void storeSharedResult(ArrayRef<Value> sums);
  LogicalResult choosePieces();
  void placeWarp();
  void copyWeight(Value tile);
  SmallVector<Value> loadOfColumns(StringRef name, Type type, int64_t colTile,
                                   Value position);
  Value loadEpilogueOperand(size_t i, Value element);
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_MATMULEMITTER_H
