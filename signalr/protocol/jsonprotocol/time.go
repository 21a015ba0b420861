package jsonprotocol

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"signalbox/signalr/protocol/internal/dotnet"
)

// unspecified is the zone of times that are read without one: they count as UTC, and are written without zone again.
// It is told from other zones by its address, and has a name because all nameless zones without offset are one.
var unspecified = time.FixedZone("Unspecified", 0)

var (
	errTime     = errors.New("not an ISO 8601 time of the years 1 to 9999")
	errDuration = errors.New("not a time span such as 1.02:03:04.5000000")
)

// appendTime appends t as a JSON string in ISO 8601 with up to seven decimals (F-072).
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	if !dotnet.IsDateTime(t) {
		return dst, errTime
	}
	if _, offset := t.Zone(); offset%60 != 0 || t.Year() < 1 || t.Year() > 9999 {
		t = t.UTC() // no way to write such a zone, or the clock reading in it
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, "2006-01-02T15:04:05.9999999")
	switch t.Location() {
	case time.UTC:
		dst = append(dst, 'Z')
	case unspecified:
	default:
		dst = t.AppendFormat(dst, "-07:00")
	}
	return append(dst, '"'), nil
}

// parseTime reads the forms of ISO 8601 that .NET reads: a date, or date and time to the minute, second or up to 16
// decimals, of which seven count. A time may end in Z, ±hh or ±hh:mm with at most 14 hours.
func parseTime(s string) (time.Time, error) {
	year, ok1 := number(s, 0, 4)
	month, ok2 := number(s, 5, 2)
	day, ok3 := number(s, 8, 2)
	if !ok1 || !ok2 || !ok3 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, errTime
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, unspecified)
	if year < 1 || month < 1 || month > 12 || date.Day() != day {
		return time.Time{}, errTime
	}
	if len(s) == 10 {
		return date, nil
	}
	hour, ok1 := number(s, 11, 2)
	minute, ok2 := number(s, 14, 2)
	if !ok1 || !ok2 || s[10] != 'T' || s[13] != ':' || hour > 23 || minute > 59 {
		return time.Time{}, errTime
	}
	date = date.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	s = s[16:]
	if strings.HasPrefix(s, ":") {
		second, ok := number(s, 1, 2)
		if !ok || second > 59 {
			return time.Time{}, errTime
		}
		date = date.Add(time.Duration(second) * time.Second)
		s = s[3:]
		if strings.HasPrefix(s, ".") {
			n := 1
			for n < len(s) && s[n]-'0' <= 9 {
				n++
			}
			if n == len(s) && n == 1 || n > 17 { // no decimals are fine where a zone follows
				return time.Time{}, errTime
			}
			ticks, _ := number((s[1:n] + "0000000")[:7], 0, 7)
			date = date.Add(time.Duration(ticks) * dotnet.Tick)
			s = s[n:]
		}
	}
	return inZone(date, s)
}

// inZone returns the moment at which the clock of the zone shows what date shows.
func inZone(date time.Time, zone string) (time.Time, error) {
	switch {
	case zone == "":
		return date, nil
	case zone == "Z":
		return date.UTC(), nil
	case zone[0] != '+' && zone[0] != '-', len(zone) != 3 && len(zone) != 6:
		return time.Time{}, errTime
	}
	hours, ok := number(zone, 1, 2)
	minutes := 0
	if ok && len(zone) == 6 {
		minutes, ok = number(zone, 4, 2)
		ok = ok && zone[3] == ':' && minutes < 60
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if !ok || offset > 14*time.Hour {
		return time.Time{}, errTime
	}
	if zone[0] == '-' {
		offset = -offset
	}
	if date = date.Add(-offset).Local(); !dotnet.IsDateTime(date) {
		return time.Time{}, errTime
	}
	return date, nil
}

// number reads n digits at s[i].
func number(s string, i, n int) (int, bool) {
	if i+n > len(s) {
		return 0, false
	}
	v := 0
	for _, c := range []byte(s[i : i+n]) {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + int(c)
	}
	return v, true
}

// appendDuration appends d as .NET writes a TimeSpan, cut to its ticks of 100 ns.
func appendDuration(dst []byte, d time.Duration) []byte {
	dst = append(dst, '"')
	ticks := int64(d / dotnet.Tick)
	if ticks < 0 {
		dst, ticks = append(dst, '-'), -ticks
	}
	seconds, ticks := ticks/1e7, ticks%1e7
	if days := seconds / 86400; days > 0 {
		dst = strconv.AppendInt(dst, days, 10)
		dst = append(dst, '.')
	}
	dst = appendDigits(dst, seconds/3600%24, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, seconds/60%60, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, seconds%60, 2)
	if ticks > 0 {
		dst = append(dst, '.')
		dst = appendDigits(dst, ticks, 7)
	}
	return append(dst, '"')
}

// appendDigits appends v with zeros in front, n digits in all.
func appendDigits(dst []byte, v int64, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; v > 0; i-- {
		dst[i] += byte(v % 10)
		v /= 10
	}
	return dst
}

// parseDuration reads what .NET writes for a TimeSpan: -d.hh:mm:ss.fffffff, where sign, days and decimals may be
// missing. Time spans of more than 292 years do not fit.
func parseDuration(s string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(s, "-")
	var ticks int64
	if point, colon := strings.IndexByte(rest, '.'), strings.IndexByte(rest, ':'); point >= 0 && point < colon {
		days, ok := number(rest, 0, point)
		if !ok || point == 0 || point > 6 {
			return 0, errDuration
		}
		ticks, rest = int64(days)*86400e7, rest[point+1:]
	}
	hour, ok1 := number(rest, 0, 2)
	minute, ok2 := number(rest, 3, 2)
	second, ok3 := number(rest, 6, 2)
	if !ok1 || !ok2 || !ok3 || rest[2] != ':' || rest[5] != ':' || hour > 23 || minute > 59 || second > 59 {
		return 0, errDuration
	}
	ticks += int64(hour*3600+minute*60+second) * 1e7
	if rest = rest[8:]; rest != "" {
		n := len(rest) - 1
		fraction, ok := number(rest, 1, n)
		if !ok || rest[0] != '.' || n < 1 || n > 7 {
			return 0, errDuration
		}
		for range 7 - n {
			fraction *= 10
		}
		ticks += int64(fraction)
	}
	if ticks > int64(maxDuration/dotnet.Tick) {
		return 0, errDuration
	}
	if negative {
		ticks = -ticks
	}
	return time.Duration(ticks) * dotnet.Tick, nil
}

const maxDuration = time.Duration(1<<63 - 1)
