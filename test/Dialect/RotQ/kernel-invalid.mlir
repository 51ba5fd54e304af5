// RUN: quant-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{expected a split that divides the 4 warps but got 3}}
#kernel = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, split = 3>

// -----

// expected-error @below {{expected no split, depth or blocks in a kernel of the host}}
#kernel = #rotq.kernel<host_vector, m = [1, 0], rows = 1, cols = 1, warps = 4, split = 2>
