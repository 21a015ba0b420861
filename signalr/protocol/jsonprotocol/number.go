package jsonprotocol

import (
	"errors"
	"math"
	"strconv"
)

// How many digits .NET needs at most to spell a float and a double so that it reads back as the same.
const (
	digits32 = 9
	digits64 = 17
)

// appendFloat appends f in .NET's shortest form: 0.0001 and 12345678901234568 as they are, then 1E-05 and 1E+17. bits
// is 32 or 64. NaN and the infinities are errors.
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, errors.New(".NET number values such as positive and negative infinity cannot be written as valid JSON")
	}
	if n := int64(f); float64(n) == f && n > -1e9 && n < 1e9 && (n != 0 || !math.Signbit(f)) && bits == 64 {
		return strconv.AppendInt(dst, n, 10), nil
	}
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', -1, bits) // -d.ddde±dd
	if s[0] == '-' {
		dst = append(dst, '-')
		s = s[1:]
	}
	mark := len(s) - 1
	for s[mark] != 'e' {
		mark--
	}
	exponent, _ := strconv.Atoi(string(s[mark+1:]))
	digits := s[:1]
	if mark > 1 {
		digits = append(digits, s[2:mark]...) // over the point
	}
	point := exponent + 1 // how many digits stand in front of the point
	most := digits64
	if bits == 32 {
		most = digits32
	}
	switch {
	case point > max(len(digits), most) || point < -3:
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(dst, '.')
			dst = append(dst, digits[1:]...)
		}
		dst = append(dst, 'E', '+')
		if exponent < 0 {
			dst[len(dst)-1], exponent = '-', -exponent
		}
		if exponent < 10 {
			dst = append(dst, '0')
		}
		return strconv.AppendInt(dst, int64(exponent), 10), nil
	case point <= 0:
		dst = append(dst, '0', '.')
		for ; point < 0; point++ {
			dst = append(dst, '0')
		}
		return append(dst, digits...), nil
	case point < len(digits):
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...), nil
	default:
		dst = append(dst, digits...)
		for range point - len(digits) {
			dst = append(dst, '0')
		}
		return dst, nil
	}
}
