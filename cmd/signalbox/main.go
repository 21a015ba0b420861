// Command signalbox is the server: notifications with unread counts and topics, live pages of orders, and a REST API
// for whoever has something to tell. One binary; it keeps its data in one folder.
//
//	signalbox serve --demo
//	signalbox user add anna
//	signalbox key create shop
//
// What configures a server, such as --listen, --data and --pid-file, can also be set by environment variables:
// SIGNALBOX_LISTEN. What is said to one command alone cannot.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Serve serveCmd `cmd:"" help:"Run the server."`
	User  struct {
		Add         userAddCmd         `cmd:"" help:"Add a user who can sign in."`
		List        userListCmd        `cmd:"" help:"List the users: name, roles, and when they were added."`
		Roles       userRolesCmd       `cmd:"" help:"Set a user's roles, which topics can ask for, or print them."`
		Password    userPasswordCmd    `cmd:"" help:"Give a user another password. The user is signed out everywhere."`
		Remove      userRemoveCmd      `cmd:"" help:"Remove a user, with roles, subscriptions and notifications. Orders go to somebody else. The user is signed out everywhere."`
		Unsubscribe userUnsubscribeCmd `cmd:"" help:"End a user's subscription to a topic."`
	} `cmd:"" help:"Manage users."`
	Key struct {
		Create keyCreateCmd `cmd:"" help:"Create an API key for a back end."`
		List   keyListCmd   `cmd:"" help:"List the API keys: id, name, when they were made and last used. The keys themselves are not kept."`
		Revoke keyRevokeCmd `cmd:"" help:"Revoke an API key: from the next request on it is refused."`
	} `cmd:"" help:"Manage API keys."`
	Order struct {
		Give orderGiveCmd `cmd:"" help:"Give an order to another owner."`
	} `cmd:"" help:"Manage orders."`
	Outbox struct {
		List   outboxListCmd   `cmd:"" help:"List what could not be shown to connected clients, in spite of many attempts."`
		Replay outboxReplayCmd `cmd:"" help:"Have it tried again."`
	} `cmd:"" help:"Look after events that could not be sent."`
	Migrate migrateCmd `cmd:"" help:"Bring the database's schema up to date, as every other command does too."`
	Backup  backupCmd  `cmd:"" help:"Copy the database to a file while the server runs. SQLite only."`
	Drain   drainCmd   `cmd:"" help:"Ask a server on this machine to drain, and wait until it has ended."`
	Version versionCmd `cmd:"" help:"Print the version."`

	PrintVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second interrupt, of somebody at a terminal, does not wait for the drain that the first one began.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "signalbox:", err)
		os.Exit(1)
	}
}

// run runs the command that args name.
func run(ctx context.Context, args []string) error {
	command, err := parse(ctx, args, &cli{})
	if err != nil {
		return err
	}
	return command.Run()
}

// parse reads args and the environment into c.
func parse(ctx context.Context, args []string, c *cli) (*kong.Context, error) {
	parser, err := kong.New(c,
		kong.Name("signalbox"),
		kong.Description("A real-time server for notifications and live status pages."),
		kong.Vars{"version": version()},
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	for _, flag := range parsed.Flags() {
		if d, ok := flag.Target.Interface().(time.Duration); ok && d < 0 {
			return nil, fmt.Errorf("--%s must not be negative, but is %v", flag.Name, d)
		}
	}
	return parsed, nil
}
