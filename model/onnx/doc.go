// SPDX-License-Identifier: Apache-2.0

// Package onnx reads ONNX models of the kinds that tables are scored with, as skl2onnx,
// onnxmltools and small networks of PyTorch and Keras are written, and scores rows by
// them without any other library: trees, linear models, encoders, scalers and dense
// layers. It refuses, by name, every operator, attribute and type that it does not
// know, and data kept outside the file: such a model is scored in a Python process.
// docs/onnx.md lists the operators.
package onnx
