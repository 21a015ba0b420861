package sqlstore

import "testing"

// TestConnections shows that the parameters of the connections are understood.
func TestConnections(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.write.Exec(`INSERT INTO subscriptions (topic, user_id) VALUES ('news', 'nobody')`); err == nil {
		t.Error("a row may refer to a user who does not exist")
	}
	if _, err := s.read.Exec(`DELETE FROM users`); err == nil {
		t.Error("the connections for reading may write")
	}
	if _, err := s.write.Exec(`SELECT "nonsense" FROM users`); err == nil {
		t.Error("a column that does not exist passes for a text")
	}
	var timeout, synchronous int
	if err := s.write.QueryRow(`PRAGMA busy_timeout`).Scan(&timeout); err != nil || timeout != int(busyTimeout.Milliseconds()) {
		t.Errorf("busy_timeout = %d, %v, want %d", timeout, err, busyTimeout.Milliseconds())
	}
	if err := s.write.QueryRow(`PRAGMA synchronous`).Scan(&synchronous); err != nil || synchronous != 2 {
		t.Errorf("synchronous = %d, %v, want 2 (FULL)", synchronous, err)
	}
}
