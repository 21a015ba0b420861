package httpconn

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"time"
)

// A connection token is a signed statement of this server that somebody has negotiated: nothing is stored until a
// transport attaches or a first POST claims it, so that negotiating costs no memory. As bytes, before base64url:
//
//	0      format, 1
//	1      number of the key
//	2      flags: the version of the negotiation, stateful reconnect
//	3-8    time of issue, milliseconds since 1970
//	9-12   hash of the endpoint
//	13-20  hash of the user, 0 for nobody
//	21-36  16 random bytes: the secret that names the connection
//	37-62  the node that the connection belongs to, encrypted with AES-CTR under the 16 random bytes: clients need not
//	       know the addresses of a farm
//	63-78  HMAC-SHA256 of all before, cut to 16 bytes
const (
	tokenFormat = 1
	tokenSize   = 79
	tokenHome   = 37
	tokenBody   = 63

	flagVersion1 = 1
	flagStateful = 2
)

// TokenKey signs connection tokens. Servers that share their keys accept each other's tokens.
type TokenKey struct {
	// ID tells keys apart while they are being exchanged.
	ID byte
	// Secret has at least 32 random bytes.
	Secret []byte
}

type connKey [16]byte

type token struct {
	key      connKey
	version  int
	stateful bool
	issued   time.Time
	endpoint uint32
	user     uint64
	home     home
}

// home names the node of a farm that issued a token: the connection lives there. It is zero without a farm.
type home struct {
	// node is made anew with each start, so that a node that comes back at the same address is another.
	node [8]byte
	addr netip.AddrPort // where its internal handler is
}

const homeSize = tokenBody - tokenHome

func (h home) bytes() (b [homeSize]byte) {
	if h == (home{}) {
		return b
	}
	copy(b[:], h.node[:])
	ip := h.addr.Addr().As16()
	copy(b[8:], ip[:])
	binary.BigEndian.PutUint16(b[24:], h.addr.Port())
	return b
}

func homeFrom(b [homeSize]byte) home {
	if b == ([homeSize]byte{}) {
		return home{}
	}
	ip := netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	return home{node: [8]byte(b[:8]), addr: netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[24:]))}
}

type tokens struct {
	sign byte // the key that signs
	keys map[byte]*tokenKeys
}

// tokenKeys are what is derived from the secret of a [TokenKey], one for each purpose.
type tokenKeys struct {
	mac   []byte
	block cipher.Block // hides the home in tokens
	hand  cipher.AEAD  // seals what nodes hand over
}

func deriveKeys(secret []byte) (*tokenKeys, error) {
	derive := func(purpose string) []byte {
		return mac(secret, []byte("signalr "+purpose))
	}
	block, err := aes.NewCipher(derive("token home"))
	if err != nil {
		return nil, err
	}
	handBlock, err := aes.NewCipher(derive("hand-over"))
	if err != nil {
		return nil, err
	}
	hand, err := cipher.NewGCMWithRandomNonce(handBlock)
	if err != nil {
		return nil, err
	}
	return &tokenKeys{mac: derive("token"), block: block, hand: hand}, nil
}

// newTokens takes the keys to accept; the first one signs. Without keys it makes one.
func newTokens(keys []TokenKey) (*tokens, error) {
	if len(keys) == 0 {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		keys = []TokenKey{{ID: 0, Secret: secret}}
	}
	t := &tokens{sign: keys[0].ID, keys: make(map[byte]*tokenKeys, len(keys))}
	for _, k := range keys {
		if len(k.Secret) < 32 {
			return nil, fmt.Errorf("token key %d: the secret has %d bytes, at least 32 are needed", k.ID, len(k.Secret))
		}
		if _, twice := t.keys[k.ID]; twice {
			return nil, fmt.Errorf("token key %d is given twice", k.ID)
		}
		derived, err := deriveKeys(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("token key %d: %w", k.ID, err)
		}
		t.keys[k.ID] = derived
	}
	return t, nil
}

func newConnKey() connKey {
	var k connKey
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// connectionID derives the public id from the secret one way: 22 characters, as .NET's (F-006).
func (k connKey) connectionID() string {
	sum := sha256.Sum256(append([]byte("connection id "), k[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (t *tokens) encode(tok token) string {
	var b [tokenSize]byte
	keys := t.keys[t.sign]
	b[0], b[1] = tokenFormat, t.sign
	if tok.version >= 1 {
		b[2] |= flagVersion1
	}
	if tok.stateful {
		b[2] |= flagStateful
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(tok.issued.UnixMilli()))
	copy(b[3:9], ms[2:])
	binary.BigEndian.PutUint32(b[9:], tok.endpoint)
	binary.BigEndian.PutUint64(b[13:], tok.user)
	copy(b[21:], tok.key[:])
	h := tok.home.bytes()
	cipher.NewCTR(keys.block, tok.key[:]).XORKeyStream(b[tokenHome:tokenBody], h[:])
	copy(b[tokenBody:], mac(keys.mac, b[:tokenBody])[:tokenSize-tokenBody])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// seal encrypts and signs what another node of the farm alone may read, together with extra, which it has to know.
func (t *tokens) seal(plain, extra []byte) string {
	out := t.keys[t.sign].hand.Seal([]byte{t.sign}, nil, plain, extra)
	return base64.RawURLEncoding.EncodeToString(out)
}

var errNotSealed = errors.New("not sealed with a key of this farm")

// unseal opens what seal has made with any of the keys.
func (t *tokens) unseal(s string, extra []byte) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || t.keys[b[0]] == nil {
		return nil, errNotSealed
	}
	plain, err := t.keys[b[0]].hand.Open(nil, nil, b[1:], extra)
	if err != nil {
		return nil, errNotSealed
	}
	return plain, nil
}

var errBadToken = errors.New("not a connection token of this server")

func (t *tokens) decode(s string) (token, error) {
	var b [tokenSize + 2]byte
	if base64.RawURLEncoding.DecodedLen(len(s)) != tokenSize {
		return token{}, errBadToken
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(b[:], []byte(s)); err != nil || n != tokenSize || b[0] != tokenFormat {
		return token{}, errBadToken
	}
	keys, ok := t.keys[b[1]]
	if !ok || !hmac.Equal(mac(keys.mac, b[:tokenBody])[:tokenSize-tokenBody], b[tokenBody:tokenSize]) {
		return token{}, errBadToken
	}
	var ms [8]byte
	copy(ms[2:], b[3:9])
	tok := token{
		stateful: b[2]&flagStateful != 0,
		issued:   time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))),
		endpoint: binary.BigEndian.Uint32(b[9:]),
		user:     binary.BigEndian.Uint64(b[13:]),
		key:      connKey(b[21:tokenHome]),
	}
	var h [homeSize]byte
	cipher.NewCTR(keys.block, tok.key[:]).XORKeyStream(h[:], b[tokenHome:tokenBody])
	tok.home = homeFrom(h)
	if b[2]&flagVersion1 != 0 {
		tok.version = 1
	}
	return tok, nil
}

func mac(secret, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	return h.Sum(nil)
}

func hashEndpoint(path string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(path))
	return h.Sum32()
}

// hashUser tells users apart; the MAC protects it. It is 0 for nobody alone.
func hashUser(user string) uint64 {
	if user == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(user))
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}
