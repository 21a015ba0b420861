//go:build unix

package sqlstore_test

import (
	"testing"

	"signalbox/sqlstore"
	"signalbox/sqlstore/postgrestest"
	"signalbox/sqlstore/storetest"
)

func TestPostgresStore(t *testing.T) {
	server := postgrestest.Start(t)
	storetest.Run(t, func(t testing.TB) storetest.Store {
		return open(t, sqlstore.Options{URL: server.NewDatabase(t), Topics: storetest.Topics()})
	})
}
