package otelprof

import "math"

// studentTail returns the probability that the absolute value of a variable with Student's t distribution and df > 0
// degrees of freedom exceeds |t|. It is the regularised incomplete beta function I_x(df/2, 1/2) at x = df/(df+t²),
// formula 26.7.1 with 26.5.27 of Abramowitz and Stegun, Handbook of Mathematical Functions.
func studentTail(t, df float64) float64 {
	x := df / (df + t*t)
	switch {
	case math.IsNaN(x) && math.IsInf(t, 0), x <= 0:
		return 0
	case x >= 1:
		return 1
	}
	return incompleteBeta(df/2, 0.5, x)
}

// studentQuantile returns the t that is exceeded in absolute value with probability tail, 0 < tail < 1: the factor of a
// two-sided confidence interval of 1-tail. It inverts studentTail, which falls with t, by bisection.
func studentQuantile(tail, df float64) float64 {
	low, high := 0.0, 1.0
	for studentTail(high, df) > tail && high < math.MaxFloat64/4 {
		low, high = high, 2*high
	}
	for {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			return high
		}
		if studentTail(middle, df) > tail {
			low = middle
		} else {
			high = middle
		}
	}
}

// incompleteBeta returns the regularised incomplete beta function I_x(a, b) for 0 < x < 1. It evaluates the continued
// fraction 8.17.22 of the NIST Digital Library of Mathematical Functions on the side of x where it converges fast, and
// uses the symmetry I_x(a, b) = 1 - I_{1-x}(b, a) on the other.
func incompleteBeta(a, b, x float64) float64 {
	ab, _ := math.Lgamma(a + b)
	ga, _ := math.Lgamma(a)
	gb, _ := math.Lgamma(b)
	front := math.Exp(ab - ga - gb + a*math.Log(x) + b*math.Log1p(-x))
	if x < (a+1)/(a+b+2) {
		return front / a / betaFraction(a, b, x)
	}
	return 1 - front/b/betaFraction(b, a, 1-x)
}

// betaFraction returns 1 + d1/(1 + d2/(1 + …)) with the coefficients of 8.17.22, by the recurrence of Lentz as modified
// by Thompson and Barnett (J. Comput. Phys. 64, 1986). It takes some √max(a, b) steps.
func betaFraction(a, b, x float64) float64 {
	const tiny, precision, maxSteps = 1e-300, 1e-15, 1 << 20
	f, c, d := 1.0, 1.0, 0.0
	for step := 1; step <= maxSteps; step++ {
		m := float64(step / 2)
		var k float64
		if step%2 == 0 {
			k = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		} else {
			k = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if d = 1 + k*d; d == 0 {
			d = tiny
		}
		if c = 1 + k/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		f *= c * d
		if math.Abs(c*d-1) < precision {
			break
		}
	}
	return f
}
