package msgpackprotocol

import (
	"bufio"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vectors returns the rows of a file of testdata, cut into columns; see testdata/README.md.
func vectors(t testing.TB, file string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatal(file, "has no rows")
	}
	return rows
}

// unhex reads a column of hexadecimal digits in which xx*n is a byte repeated n times.
func unhex(t testing.TB, column string) []byte {
	t.Helper()
	var b []byte
	for _, token := range strings.Fields(strings.Trim(column, `"-`)) {
		digits, times, repeated := strings.Cut(token, "*")
		part, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		if repeated {
			if n, err = strconv.Atoi(times); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			b = append(b, part...)
		}
	}
	return b
}

// The .NET types that the vectors name, in Go. Where .NET has a reference there is a pointer, because it may be null.
type (
	person struct {
		Name *string
		Age  int32
	}
	inner struct {
		Name  *string
		Value int32
	}
	complexValue struct {
		Text  *string
		Ints  []int32
		D     float64
		Flag  *bool
		Child *inner
		Nul   *string
		Enum  colour
	}
	poco struct {
		ID        int32 `msgpack:"Id"`
		Name      *string
		CamelCase *string `msgpack:"camelCase"`
		Field     int32
	}
	point    struct{ X, Y int32 }
	empty    struct{}
	baseC    struct{ B int32 }
	derivedC struct {
		baseC
		D int32
	}
	holder struct {
		Item *baseC
		Any  any
	}
	node struct {
		Next *node
		V    int32
	}
	keyedAsMap struct {
		A    int32
		C    *string
		Skip int32 `msgpack:"-"`
	}
	keyedStr struct {
		A int32   `msgpack:"a-key"`
		C *string `msgpack:"c"`
	}
	dataContract struct {
		Name      *string `msgpack:"nm"`
		Age       int32
		NotMember int32 `msgpack:"-"`
	}
	ignoring struct {
		A int32
		B int32 `msgpack:"-"`
		C int32 `msgpack:"-"`
	}
	getOnly       struct{ A int32 }
	withNullables struct {
		A   *int32
		T   *time.Time
		G   *guid
		C   *colour
		S   *string
		Arr []int32
	}
)

// colour is an enumeration: .NET's Colour { Red, Green, Blue }.
type colour int32

var colourNames = []string{"Red", "Green", "Blue"}

func (c colour) MarshalText() ([]byte, error) {
	if c >= 0 && int(c) < len(colourNames) {
		return []byte(colourNames[c]), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

// UnmarshalText reads what .NET's Enum.Parse reads: names or numbers, several joined by commas.
func (c *colour) UnmarshalText(text []byte) error {
	*c = 0
parts:
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		for i, name := range colourNames {
			if part == name {
				*c |= colour(i)
				continue parts
			}
		}
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil {
			return err
		}
		*c |= colour(n)
	}
	return nil
}

// guid is a UUID, as a package for them would have it.
type guid [16]byte

func (g guid) MarshalText() ([]byte, error) {
	h := hex.EncodeToString(g[:])
	return []byte(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]), nil
}

func (g *guid) UnmarshalText(text []byte) error {
	if len(text) != 36 {
		return errors.New("a GUID has 36 characters")
	}
	_, err := hex.Decode(g[:], []byte(strings.ReplaceAll(string(text), "-", "")))
	return err
}

func mustGUID(s string) (g guid) {
	if err := g.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return g
}

// text stands for all types that make themselves a string.
type text string

func (t text) MarshalText() ([]byte, error) { return []byte(t), nil }
