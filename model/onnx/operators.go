// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/stat"
)

// operator is what is known of an operator: how many inputs it has (most -1: any number)
// and outputs, and how it is made.
type operator struct {
	domain, name string
	least, most  int
	outputs      int // -1: any number
	build        func(*site) (op, error)
}

// operators are all that is scored here. docs/onnx.md lists them; a test keeps it so.
func operators() []operator {
	out := append(elementwiseOperators(), arrayOperators()...)
	return append(append(out, reduceOperators()...), classicalOperators()...)
}

func elementwiseOperators() []operator {
	real := func(name string, f func(float64) float64) operator {
		return operator{"", name, 1, 1, 1, buildReal(f)}
	}
	two := func(name string, f arithmetic) operator { return operator{"", name, 2, 2, 1, buildArithmetic(f)} }
	compare := func(name string, build func(*site) (op, error)) operator {
		return operator{"", name, 2, 2, 1, build}
	}
	return []operator{
		{"", "Abs", 1, 1, 1, buildNumber(math.Abs, absWhole)},
		{"", "Neg", 1, 1, 1, buildNumber(negative, negativeWhole)},
		{"", "Sign", 1, 1, 1, buildNumber(sign, signWhole)},
		{"", "Relu", 1, 1, 1, buildRelu},
		real("Ceil", math.Ceil), real("Floor", math.Floor), real("Round", math.RoundToEven),
		real("Exp", stat.Exp), real("Log", math.Log), real("Sqrt", math.Sqrt), real("Reciprocal", reciprocal),
		real("Erf", math.Erf), real("Sigmoid", sigmoid), real("Tanh", tanh), real("Softplus", softplus),
		real("Softsign", softsign), real("Sin", math.Sin), real("Cos", math.Cos),
		{"", "LeakyRelu", 1, 1, 1, buildLeakyRelu},
		{"", "Elu", 1, 1, 1, buildElu},
		{"", "Selu", 1, 1, 1, buildSelu},
		{"", "Gelu", 1, 1, 1, buildGelu},
		{"", "HardSigmoid", 1, 1, 1, buildHardSigmoid},
		{"", "HardSwish", 1, 1, 1, buildHardSwish},
		{"", "ThresholdedRelu", 1, 1, 1, buildThresholdedRelu},
		{"", "Clip", 1, 3, 1, buildClip},
		{"", "IsNaN", 1, 1, 1, buildIsNaN},
		{"", "IsInf", 1, 1, 1, buildIsInf},
		{"", "Not", 1, 1, 1, buildNot},
		{"", "Add", 2, 2, 1, buildAdd},
		two("Sub", arithmetic{difference[float32], difference[float64], difference[int64]}),
		two("Mul", arithmetic{product[float32], product[float64], product[int64]}),
		two("Div", arithmetic{quotient[float32], quotient[float64], wholeQuotient}),
		{"", "Mod", 2, 2, 1, buildMod},
		{"", "Pow", 2, 2, 1, buildPow},
		{"", "PRelu", 2, 2, 1, buildPRelu},
		{"", "Sum", 1, -1, 1, buildOver(add(), false)},
		{"", "Mean", 1, -1, 1, buildOver(add(), true)},
		{"", "Max", 1, -1, 1, buildOver(arithmetic{greater[float32], greater[float64], greater[int64]}, false)},
		{"", "Min", 1, -1, 1, buildOver(arithmetic{lesser[float32], lesser[float64], lesser[int64]}, false)},
		compare("Equal", buildCompare(equal[float32], equal[float64], equal[int64], true)),
		compare("Less", buildCompare(less[float32], less[float64], less[int64], false)),
		compare("LessOrEqual", buildCompare(lessEqual[float32], lessEqual[float64], lessEqual[int64], false)),
		compare("Greater", buildCompare(more[float32], more[float64], more[int64], false)),
		compare("GreaterOrEqual", buildCompare(moreEqual[float32], moreEqual[float64], moreEqual[int64], false)),
		compare("And", buildLogic(func(a, b bool) bool { return a && b })),
		compare("Or", buildLogic(func(a, b bool) bool { return a || b })),
		compare("Xor", buildLogic(func(a, b bool) bool { return a != b })),
		{"", "Where", 3, 3, 1, buildWhere},
	}
}

func arrayOperators() []operator {
	return []operator{
		{"", "Cast", 1, 1, 1, buildCast},
		{"", "CastLike", 2, 2, 1, buildCastLike},
		{"", "Compress", 2, 2, 1, buildCompress},
		{"", "Concat", 1, -1, 1, buildConcat},
		{"", "Constant", 0, 0, 1, buildConstant},
		{"", "ConstantOfShape", 1, 1, 1, buildConstantOfShape},
		{"", "Dropout", 1, 3, 1, buildSame},
		{"", "Expand", 2, 2, 1, buildExpand},
		{"", "Flatten", 1, 1, 1, buildFlatten},
		{"", "Gather", 2, 2, 1, buildGather},
		{"", "GatherElements", 2, 2, 1, buildGatherElements},
		{"", "Identity", 1, 1, 1, buildSame},
		{"", "NonZero", 1, 1, 1, buildNonZero},
		{"", "OneHot", 3, 3, 1, buildOneHot},
		{"", "Range", 3, 3, 1, buildRange},
		{"", "Reshape", 1, 2, 1, buildReshape},
		{"", "Shape", 1, 1, 1, buildShape},
		{"", "Size", 1, 1, 1, buildSize},
		{"", "Slice", 1, 5, 1, buildSlice},
		{"", "Split", 1, 2, -1, buildSplit},
		{"", "Squeeze", 1, 2, 1, buildSqueeze},
		{"", "Tile", 2, 2, 1, buildTile},
		{"", "Transpose", 1, 1, 1, buildTranspose},
		{"", "Unsqueeze", 1, 2, 1, buildUnsqueeze},
	}
}

func reduceOperators() []operator {
	reduce := func(name string, f reduction) operator { return operator{"", name, 1, 2, 1, buildReduce(f)} }
	return []operator{
		{"", "Gemm", 2, 3, 1, buildGemm},
		{"", "MatMul", 2, 2, 1, buildMatMul},
		{"", "BatchNormalization", 5, 5, 1, buildBatchNorm},
		{"", "Softmax", 1, 1, 1, buildSoftmax(false)},
		{"", "LayerNormalization", 2, 3, 3, buildLayerNorm},
		{"", "LogSoftmax", 1, 1, 1, buildSoftmax(true)},
		{"", "ArgMax", 1, 1, 1, buildArg(more[float64])},
		{"", "ArgMin", 1, 1, 1, buildArg(less[float64])},
		{"", "CumSum", 2, 2, 1, buildCumSum},
		{"", "TopK", 1, 2, 2, buildTopK},
		reduce("ReduceL1", absOf), reduce("ReduceL2", lengthOf), reduce("ReduceLogSum", logSumOf),
		reduce("ReduceLogSumExp", logSumExpOf), reduce("ReduceMax", maxOf), reduce("ReduceMean", meanOf),
		reduce("ReduceMin", minOf), reduce("ReduceProd", productOf), reduce("ReduceSum", sumOf),
		reduce("ReduceSumSquare", squaresOf),
	}
}

func classicalOperators() []operator {
	return []operator{
		{domainML, "ArrayFeatureExtractor", 2, 2, 1, buildExtract},
		{domainML, "Binarizer", 1, 1, 1, buildBinarizer},
		{domainML, "CategoryMapper", 1, 1, 1, buildCategoryMapper},
		{domainML, "FeatureVectorizer", 1, -1, 1, buildVectorizer},
		{domainML, "Imputer", 1, 1, 1, buildImputer},
		{domainML, "LabelEncoder", 1, 1, 1, buildLabelEncoder},
		{domainML, "LinearClassifier", 1, 1, 2, buildLinearClassifier},
		{domainML, "LinearRegressor", 1, 1, 1, buildLinearRegressor},
		{domainML, "Normalizer", 1, 1, 1, buildNormalizer},
		{domainML, "OneHotEncoder", 1, 1, 1, buildOneHotEncoder},
		{domainML, "SVMClassifier", 1, 1, 2, buildVectorClassifier},
		{domainML, "SVMRegressor", 1, 1, 1, buildVectorRegressor},
		{domainML, "Scaler", 1, 1, 1, buildScaler},
		{domainML, "TreeEnsemble", 1, 1, 1, buildTrees},
		{domainML, "TreeEnsembleClassifier", 1, 1, 2, buildTreeClassifier},
		{domainML, "TreeEnsembleRegressor", 1, 1, 1, buildTreeRegressor},
	}
}
