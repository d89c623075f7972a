package otelprof

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStudentQuantileAgreesWithTables compares with the table of t that every handbook of statistics has, for
// two-sided tails of 10, 5, 2, 1 and 0.1 per cent.
func TestStudentQuantileAgreesWithTables(t *testing.T) {
	tails := [5]float64{0.10, 0.05, 0.02, 0.01, 0.001}
	for df, want := range map[float64][5]float64{
		1:   {6.314, 12.706, 31.821, 63.657, 636.619},
		2:   {2.920, 4.303, 6.965, 9.925, 31.599},
		3:   {2.353, 3.182, 4.541, 5.841, 12.924},
		4:   {2.132, 2.776, 3.747, 4.604, 8.610},
		5:   {2.015, 2.571, 3.365, 4.032, 6.869},
		9:   {1.833, 2.262, 2.821, 3.250, 4.781},
		10:  {1.812, 2.228, 2.764, 3.169, 4.587},
		29:  {1.699, 2.045, 2.462, 2.756, 3.659},
		30:  {1.697, 2.042, 2.457, 2.750, 3.646},
		60:  {1.671, 2.000, 2.390, 2.660, 3.460},
		120: {1.658, 1.980, 2.358, 2.617, 3.373},
		1e6: {1.645, 1.960, 2.326, 2.576, 3.291}, // the normal distribution
	} {
		for i, tail := range tails {
			require.InDelta(t, want[i], studentQuantile(tail, df), 0.00051, "tail %v, %v degrees", tail, df)
		}
	}
}

// TestStudentTailAgreesWithClosedForms compares with the two distributions that are elementary: one degree of freedom
// is Cauchy's, and for two the tail is 1 - t/√(2+t²).
func TestStudentTailAgreesWithClosedForms(t *testing.T) {
	for _, x := range []float64{1e-9, 0.01, 0.5, 1, 2, 12.7, 1e3, 1e6} {
		require.InEpsilon(t, 1-2/math.Pi*math.Atan(x)+math.SmallestNonzeroFloat64, studentTail(x, 1), 1e-6, "t %v", x)
		two := 2 / (math.Sqrt(2+x*x) * (math.Sqrt(2+x*x) + x)) // without the cancellation
		require.InEpsilon(t, two, studentTail(x, 2), 1e-9, "t %v", x)
		require.Equal(t, studentTail(x, 7), studentTail(-x, 7))
	}
	require.Equal(t, 1.0, studentTail(0, 5))
	require.Zero(t, studentTail(math.Inf(1), 5))
	require.Zero(t, studentTail(1e300, 5))
}

func TestStudentQuantileInvertsTheTail(t *testing.T) {
	for _, df := range []float64{0.5, 1, 1.5, 3.7, 25, 1e3, 1e5} {
		for _, tail := range []float64{0.9, 0.5, 0.05, 1e-3, 1e-9} {
			require.InEpsilon(t, tail, studentTail(studentQuantile(tail, df), df), 1e-6, "tail %v, %v degrees", tail, df)
		}
	}
	require.False(t, math.IsInf(studentQuantile(math.SmallestNonzeroFloat64, 0.01), 0))
}
