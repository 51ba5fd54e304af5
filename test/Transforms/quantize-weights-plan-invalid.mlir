// RUN: split-file %s %t
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/missing.json 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/text.json 2>&1 | FileCheck %s --check-prefix=TEXT
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/list.json 2>&1 | FileCheck %s --check-prefix=LIST
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/preset.json 2>&1 | FileCheck %s --check-prefix=PRESET
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/number.json 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/declaration.json 2>&1 | FileCheck %s --check-prefix=DECLARATION
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/name.json 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/constant.json 2>&1 | FileCheck %s --check-prefix=CONSTANT
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/used.json 2>&1 | FileCheck %s --check-prefix=USED
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/vector.json 2>&1 | FileCheck %s --check-prefix=VECTOR
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/dynamic.json 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// RUN: %python -c "print('{\"w\":' * 1000000)" > %t/deep.json
// RUN: not quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/deep.json 2>&1 | FileCheck %s --check-prefix=DEEP

// One error each, and no module in it.
// MISSING: error: cannot read the plan '{{.*}}missing.json': {{[Nn]}}o such file or directory
// MISSING-NOT: {{error|note|see current}}
// TEXT: error: plan '{{.*}}text.json': [1:1, byte=1]: Invalid JSON value
// TEXT-NOT: {{error|note|see current}}
// LIST: error: expected the plan '{{.*}}list.json' to be a json object
// LIST-NOT: {{error|note|see current}}
// PRESET: error: plan '{{.*}}preset.json', weight 'w': expected a format among rq3, {{.*}} but got "rq9"
// PRESET-NOT: {{error|note|see current}}
// NUMBER: error: plan '{{.*}}number.json', weight 'w':
// NUMBER-NOT: {{error|note|see current}}
// DECLARATION: error: plan '{{.*}}declaration.json', weight 'w':
// DECLARATION-NOT: {{error|note|see current}}
// NAME: error: expected a parameter 'nobody', which the plan packs, but the module has none
// NAME-NOT: {{error|note|see current}}
// CONSTANT: error: expected a parameter 'c', which the plan packs, but the module has none
// CONSTANT-NOT: {{error|note|see current}}
// USED: error: parameter "used" cannot be packed: the parameter has uses that are no matmul
// USED-NOT: {{error|note|see current}}
// VECTOR: error: parameter "vector" cannot be packed: the parameter is no matrix
// VECTOR-NOT: {{error|note|see current}}
// DYNAMIC: error: parameter "dynamic" cannot be packed: the parameter has no static shape
// DYNAMIC-NOT: {{error|note|see current}}
// DEEP: error: plan '{{.*}}deep.json': json is nested too deeply
// DEEP-NOT: {{error|note|see current}}

//--- text.json
rq3
//--- list.json
["w", "rq3"]
//--- preset.json
{"w": "rq9"}
//--- number.json
{"w": 3}
//--- declaration.json
{"w": {"name": "mine"}}
//--- name.json
{"w": "rq3", "nobody": "rq3"}
//--- constant.json
{"c": "rq3"}
//--- used.json
{"w": "rq3", "used": "rq3"}
//--- vector.json
{"vector": "rq3"}
//--- dynamic.json
{"dynamic": "rq3"}

//--- module.mlir
func.func @f(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}, %used: tensor<32x32xf32> {rotq.parameter = "used"},
             %vector: tensor<32xf32> {rotq.parameter = "vector"}, %dynamic: tensor<32x?xf32> {rotq.parameter = "dynamic"}) -> (tensor<4x32xf32>, tensor<32x32xf32>) {
  %c = arith.constant dense<1.0> : tensor<32x32xf32> loc("c")
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%x : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = linalg.matmul ins(%0, %c : tensor<4x32xf32>, tensor<32x32xf32>) outs(%x : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %1, %used : tensor<4x32xf32>, tensor<32x32xf32>
}
