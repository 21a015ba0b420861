package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
)

// userAddCmd adds a user.
type userAddCmd struct {
	dataFlags
	Name          string   `arg:"" help:"What the user signs in with."`
	Roles         []string `help:"Roles of the user, which topics can ask for." name:"role" env:"SIGNALBOX_ROLE"`
	PasswordStdin bool     `help:"Read the password from the first line of standard input, rather than make one up." env:"SIGNALBOX_PASSWORD_STDIN"`
}

// Run adds the user and prints a password that was made up.
func (c *userAddCmd) Run(ctx context.Context) (err error) {
	password := rand.Text()
	if c.PasswordStdin {
		lines := bufio.NewScanner(os.Stdin)
		if !lines.Scan() {
			return fmt.Errorf("no password on standard input")
		}
		password = lines.Text()
	}
	store, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	user, err := store.CreateUser(ctx, c.Name, password, c.Roles...)
	if err != nil {
		return fmt.Errorf("adding user %q: %w", c.Name, err)
	}
	fmt.Printf("user      %s\n", user.ID)
	if !c.PasswordStdin {
		fmt.Printf("password  %s\n", password)
	}
	return nil
}

// userRolesCmd gives a user roles.
type userRolesCmd struct {
	dataFlags
	Name  string   `arg:"" help:"The user."`
	Roles []string `arg:"" optional:"" help:"The roles that the user is to have; none takes all away."`
}

// Run sets the roles; a server that runs acts on it at once, also towards the user's live connections.
func (c *userRolesCmd) Run(ctx context.Context) (err error) {
	store, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	_, err = store.SetRoles(ctx, strings.ToLower(c.Name), c.Roles...)
	return err
}

// userUnsubscribeCmd ends a subscription.
type userUnsubscribeCmd struct {
	dataFlags
	Name  string `arg:"" help:"The user."`
	Topic string `arg:"" help:"The topic."`
}

// Run ends the subscription; a server that runs acts on it at once, also towards the user's live connections.
func (c *userUnsubscribeCmd) Run(ctx context.Context) (err error) {
	store, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	user, err := store.User(ctx, strings.ToLower(c.Name))
	if err != nil {
		return err
	}
	return store.Unsubscribe(ctx, user.ID, c.Topic)
}

// orderGiveCmd gives an order to another owner.
type orderGiveCmd struct {
	dataFlags
	ID    string `arg:"" help:"The order."`
	Owner string `arg:"" help:"The user who is to own it."`
}

// Run gives the order away; a server that runs ends what its former owner sees of it.
func (c *orderGiveCmd) Run(ctx context.Context) (err error) {
	store, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	_, err = store.TransferOrder(ctx, c.ID, strings.ToLower(c.Owner))
	return err
}

// keyCreateCmd creates an API key.
type keyCreateCmd struct {
	dataFlags
	Name string `arg:"" optional:"" default:"default" help:"What the key is for, so that it is known again."`
}

// Run creates the key and prints it, alone on standard output.
func (c *keyCreateCmd) Run(ctx context.Context) (err error) {
	store, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	_, secret, err := store.CreateAPIKey(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("creating API key %q: %w", c.Name, err)
	}
	fmt.Println(secret)
	return nil
}

// closeInto closes c and keeps its error if there is none yet.
func closeInto(err *error, c interface{ Close() error }) {
	if closeErr := c.Close(); *err == nil {
		*err = closeErr
	}
}
