// Command signalbox is the server: notifications with unread counts and topics, live pages of orders, and a REST API
// for whoever has something to tell. One binary; it keeps its data in one folder.
//
//	signalbox serve --demo
//	signalbox user add anna
//	signalbox key create shop
//
// Each flag can also be set by an environment variable: --listen is SIGNALBOX_LISTEN.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Serve serveCmd `cmd:"" help:"Run the server."`
	User  struct {
		Add         userAddCmd         `cmd:"" help:"Add a user who can sign in."`
		Roles       userRolesCmd       `cmd:"" help:"Set a user's roles, which topics can ask for."`
		Unsubscribe userUnsubscribeCmd `cmd:"" help:"End a user's subscription to a topic."`
	} `cmd:"" help:"Manage users."`
	Key struct {
		Create keyCreateCmd `cmd:"" help:"Create an API key for a back end."`
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
		kong.DefaultEnvars("SIGNALBOX"),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return nil, err
	}
	return parser.Parse(args)
}
