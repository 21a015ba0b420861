package msgpackprotocol

// fixedSizes holds how many bytes follow each code from 0xC0 on that has no count; -1 for those that need a look.
var fixedSizes = [...]int8{
	0:                   0, // codeNil
	codeNever - codeNil: -1, codeFalse - codeNil: 0, codeTrue - codeNil: 0,
	codeBin8 - codeNil: -1, codeBin16 - codeNil: -1, codeBin32 - codeNil: -1,
	codeExt8 - codeNil: -1, codeExt16 - codeNil: -1, codeExt32 - codeNil: -1,
	codeFloat32 - codeNil: 4, codeFloat64 - codeNil: 8,
	codeUint8 - codeNil: 1, codeUint16 - codeNil: 2, codeUint32 - codeNil: 4, codeUint64 - codeNil: 8,
	codeInt8 - codeNil: 1, codeInt16 - codeNil: 2, codeInt32 - codeNil: 4, codeInt64 - codeNil: 8,
	codeFixExt1 - codeNil: 2, codeFixExt1 + 1 - codeNil: 3, codeFixExt1 + 2 - codeNil: 5, codeFixExt1 + 3 - codeNil: 9, codeFixExt16 - codeNil: 17,
	codeStr8 - codeNil: -1, codeStr16 - codeNil: -1, codeStr32 - codeNil: -1,
	codeArray16 - codeNil: -1, codeArray32 - codeNil: -1, codeMap16 - codeNil: -1, codeMap32 - codeNil: -1,
}

// skip steps over n values. It neither recurses nor remembers how deep it is, but counts the values that have still to
// come; more than there are bytes left cannot come.
func (r *reader) skip(n int) error {
	for ; n > 0; n-- {
		if n > len(r.b)-r.pos {
			return errEnd
		}
		c := r.b[r.pos]
		switch {
		case isFixInt(c):
			r.pos++
			continue
		case isFixStr(c):
			r.pos += 1 + int(c&0x1F)
			continue
		case isFixArray(c):
			r.pos++
			n += int(c & 0xF)
			continue
		case isFixMap(c):
			r.pos++
			n += 2 * int(c&0xF)
			continue
		}
		if size := fixedSizes[c-codeNil]; size >= 0 {
			r.pos += 1 + int(size)
			continue
		}
		more, err := r.skipSized(c)
		if err != nil {
			return err
		}
		n += more
	}
	if r.pos > len(r.b) {
		return errEnd
	}
	return nil
}

// skipSized steps over the value with the code c, which has a size or count, and returns how many values it has inside.
func (r *reader) skipSized(c byte) (more int, err error) {
	switch c {
	case codeArray16, codeArray32:
		return r.array()
	case codeMap16, codeMap32:
		n, err := r.mapping()
		return 2 * n, err
	case codeStr8, codeStr16, codeStr32:
		_, err = r.text()
	case codeBin8, codeBin16, codeBin32:
		r.pos++
		_, err = r.sized(1 << (c - codeBin8))
	case codeNever:
		err = codeError(c)
	default:
		_, _, err = r.extension()
	}
	return 0, err
}

// raw returns the bytes of the next value and steps over it.
func (r *reader) raw() ([]byte, error) {
	start := r.pos
	if err := r.skip(1); err != nil {
		return nil, err
	}
	return r.b[start:r.pos:r.pos], nil
}

// checkDepth fails when arrays and maps are nested deeper than limit in the value v, whose structure is sound.
func checkDepth(v []byte, limit int) error {
	r := reader{b: v}
	open := []int{1} // how many values have still to come: alone, and in each open array or map
	for len(open) > 0 {
		top := len(open) - 1
		if open[top] == 0 {
			open = open[:top]
			continue
		}
		open[top]--
		inside := 0
		c, err := r.next()
		switch {
		case err != nil:
		case isFixArray(c), c == codeArray16, c == codeArray32:
			inside, err = r.array()
		case isFixMap(c), c == codeMap16, c == codeMap32:
			inside, err = r.mapping()
			inside *= 2
		default:
			if err = r.skip(1); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if len(open) > limit {
			return errDepth
		}
		open = append(open, inside)
	}
	return nil
}
