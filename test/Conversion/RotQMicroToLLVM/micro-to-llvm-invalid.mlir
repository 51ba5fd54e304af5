// RUN: quant-opt %s --convert-rotq-micro-to-llvm -split-input-file -verify-diagnostics

func.func @lanes(%x: vector<8xf32>) -> vector<8xf32> {
  // expected-error @below {{failed to legalize operation 'rotq.fwht'}}
  %0 = rotq.fwht %x block(256) {lanes = 32 : i64} : vector<8xf32>
  return %0 : vector<8xf32>
}
