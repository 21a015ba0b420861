package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// RunTLS is [Run] for a server that speaks TLS alone, with a certificate for 127.0.0.1 that nobody else has. It returns
// what clients need to trust it, too. The test is skipped where the installed Redis was built without TLS.
func RunTLS(t testing.TB, args ...string) (*Server, *tls.Config) {
	t.Helper()
	certificate, key, trusted, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: certificate}, "server.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args = append(args, "--tls-auth-clients", "no",
		"--tls-cert-file", filepath.Join(dir, "server.crt"), "--tls-key-file", filepath.Join(dir, "server.key"))
	s := run(t, func() *Server {
		s := Prepare(t, args...)
		s.tls = true
		return s
	})
	return s, &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// newCertificate returns a certificate that is its own authority, its key in PKCS #8, and a pool of it alone.
func newCertificate() (certificate, key []byte, trusted *x509.CertPool, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if certificate, err = x509.CreateCertificate(rand.Reader, template, template, private.Public(), private); err != nil {
		return nil, nil, nil, err
	}
	if key, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return nil, nil, nil, err
	}
	own, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, nil, nil, err
	}
	trusted = x509.NewCertPool()
	trusted.AddCert(own)
	return certificate, key, trusted, nil
}
