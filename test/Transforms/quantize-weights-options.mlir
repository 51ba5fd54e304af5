// RUN: not quant-opt %s -rotq-quantize-weights=format=rq9 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: not quant-opt %s -rotq-quantize-weights="include=(" 2>&1 | FileCheck %s --check-prefix=REGEX

// FORMAT: error: expected a format among rq3, rq2, rq4, itq3_s, int4_g128, hyperquant_3, hyperquant_4 but got "rq9"
// FORMAT-NOT: note
// REGEX: error: expected 'include' to be a regular expression but got '(': parentheses not balanced
// REGEX-NOT: note
