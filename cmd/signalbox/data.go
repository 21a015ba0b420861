package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"signalbox"
	"signalbox/sqlstore"
)

// dataFlags say where the data is.
type dataFlags struct {
	Data        string `help:"Folder of the database. serve, migrate, user add and key create make one where there is none." default:"./data" type:"path" env:"SIGNALBOX_DATA"`
	DatabaseURL string `help:"PostgreSQL database to use instead of one in the folder: postgres://user:password@host:5432/name." name:"database-url" placeholder:"URL" env:"SIGNALBOX_DATABASE_URL"`
}

// open opens the store, which brings its schema up to date, and makes it where there is none.
func (f dataFlags) open(ctx context.Context, topics signalbox.Topics) (*sqlstore.Store, error) {
	return sqlstore.Open(ctx, sqlstore.Options{URL: f.DatabaseURL, Dir: f.Data, Topics: topics})
}

// existing is open for what has nothing to do where there is no database: somebody has named the wrong one.
func (f dataFlags) existing(ctx context.Context) (*sqlstore.Store, error) {
	store, err := sqlstore.Open(ctx, sqlstore.Options{URL: f.DatabaseURL, Dir: f.Data, MustExist: true})
	if errors.Is(err, sqlstore.ErrNoDatabase) {
		return nil, fmt.Errorf("%w; name the server's by --data or --database-url", err)
	}
	return store, err
}

// openOrMake is open for what may come before the first start of the server, and says if it has made a database.
func (f dataFlags) openOrMake(ctx context.Context) (*sqlstore.Store, error) {
	store, err := f.existing(ctx)
	if !errors.Is(err, sqlstore.ErrNoDatabase) {
		return store, err
	}
	if store, err = f.open(ctx, nil); err == nil {
		place := f.Data
		if f.DatabaseURL != "" {
			place = "PostgreSQL"
		}
		fmt.Fprintln(os.Stderr, "signalbox: there was no database: made one in", place)
	}
	return store, err
}

// migrateCmd brings the schema up to date.
type migrateCmd struct{ dataFlags }

// Run opens the store, which does it, and says which version that is.
func (c *migrateCmd) Run(ctx context.Context) (err error) {
	store, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	version, err := store.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("schema version %d\n", version)
	return nil
}

// backupCmd copies the database.
type backupCmd struct {
	dataFlags
	File string `arg:"" type:"path" help:"File to write, which must not exist: a SQLite database."`
}

// Run copies the database, while a server may be writing to it.
func (c *backupCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	return store.Backup(ctx, c.File)
}

// outboxListCmd lists the events that could not be sent.
type outboxListCmd struct {
	dataFlags
	Limit int `help:"How many at most." default:"100"`
}

// Run prints one line for each, and how much is still waiting.
func (c *outboxListCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	letters, err := store.DeadLetters(ctx, c.Limit)
	if err != nil {
		return err
	}
	for _, d := range letters {
		fmt.Printf("%s\t%s\t%s\t%d attempts\t%s\n", d.ID, d.CreatedAt.Format(time.RFC3339), eventKind(d.Event), d.Attempts, d.Reason)
	}
	state, err := store.OutboxState(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d dead letters, %d waiting", state.DeadLetters, state.Depth)
	if state.Depth > 0 {
		fmt.Printf(" since %s", state.Oldest.Format(time.RFC3339))
	}
	fmt.Println()
	return nil
}

// eventKind says in a word or two what an event is about.
func eventKind(e signalbox.Event) string {
	switch {
	case e.Notification != nil:
		return "notification " + e.Notification.ID
	case e.Order != nil:
		return fmt.Sprintf("order %s version %d", e.Order.After.ID, e.Order.After.Version)
	case len(e.Read) > 0:
		return fmt.Sprintf("%d read", len(e.Read))
	case e.Access:
		return "access"
	case e.Unread:
		return "unread count"
	case e.SignedOut:
		return "signed out"
	}
	return "unreadable"
}

// outboxReplayCmd puts events that could not be sent back.
type outboxReplayCmd struct {
	dataFlags
	IDs []string `arg:"" optional:"" name:"id" help:"The events, as list names them."`
	All bool     `help:"All of them."`
}

// Run puts them back; a server that runs sends them.
func (c *outboxReplayCmd) Run(ctx context.Context) (err error) {
	if c.All == (len(c.IDs) > 0) {
		return fmt.Errorf("name the events to replay, or all of them by --all")
	}
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	n, err := store.ReplayDeadLetters(ctx, c.IDs...)
	if err != nil {
		return err
	}
	fmt.Printf("%d put back\n", n)
	return nil
}

// retention is how long notifications are kept, and how many for each user; 0 means without limit.
type retention struct {
	Age   time.Duration
	Count int
}

// UnmarshalText reads an age, such as 90d or 36h, a number, or both with a comma between them.
func (r *retention) UnmarshalText(text []byte) error {
	*r = retention{}
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		if n, err := strconv.Atoi(part); err == nil && n > 0 && r.Count == 0 {
			r.Count = n
			continue
		}
		age, err := parseAge(part)
		if err != nil || age <= 0 || r.Age != 0 {
			return fmt.Errorf("%q is neither an age, such as 90d or 36h, nor a number", part)
		}
		r.Age = age
	}
	return nil
}

// parseAge reads a duration, which may be in days.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}
