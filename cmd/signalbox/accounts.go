package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"signalbox"
)

// userAddCmd adds a user.
type userAddCmd struct {
	dataFlags
	passwordFlags
	Name  string   `arg:"" help:"What the user signs in with."`
	Roles []string `help:"Roles of the user, which topics can ask for." name:"role"`
}

// Run adds the user and prints a password that was made up.
func (c *userAddCmd) Run(ctx context.Context) (err error) {
	password, err := c.password()
	if err != nil {
		return err
	}
	store, err := c.openOrMake(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	user, err := store.CreateUser(ctx, c.Name, password, c.Roles...)
	if errors.Is(err, signalbox.ErrConflict) {
		return fmt.Errorf("adding user %q: there is a user of that name already", c.Name)
	}
	if err != nil {
		return fmt.Errorf("adding user %q: %w", c.Name, err)
	}
	c.print(user.ID, password)
	return nil
}

// passwordFlags say where a password comes from.
type passwordFlags struct {
	PasswordStdin bool `help:"Read the password from the first line of standard input, rather than make one up."`
}

// password reads a password or makes one up.
func (f passwordFlags) password() (string, error) {
	if !f.PasswordStdin {
		return rand.Text(), nil
	}
	lines := bufio.NewScanner(os.Stdin)
	if !lines.Scan() {
		return "", errors.New("no password on standard input")
	}
	return lines.Text(), nil
}

// print prints the user, and the password unless whoever runs the command knows it.
func (f passwordFlags) print(userID, password string) {
	fmt.Printf("user      %s\n", userID)
	if !f.PasswordStdin {
		fmt.Printf("password  %s\n", password)
	}
}

// userListCmd lists the users.
type userListCmd struct{ dataFlags }

// Run prints a line for each user.
func (c *userListCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	users, err := store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		fmt.Printf("%s\t%s\tcreated %s\n", u.Name, rolesText(u.Roles), u.CreatedAt.Format(time.RFC3339))
	}
	return nil
}

// rolesText is how roles are printed.
func rolesText(roles []string) string {
	if len(roles) == 0 {
		return "no roles"
	}
	return strings.Join(roles, ",")
}

// userRolesCmd gives a user roles.
type userRolesCmd struct {
	dataFlags
	Name  string   `arg:"" help:"The user."`
	Roles []string `arg:"" optional:"" help:"The roles that the user is to have, with blanks or commas between them. Without any, those that the user has are printed."`
	None  bool     `help:"Take all roles away."`
}

// Run sets the roles; a server that runs acts on it at once, also towards the user's live connections.
func (c *userRolesCmd) Run(ctx context.Context) (err error) {
	if c.None && len(c.Roles) > 0 {
		return errors.New("name the roles that the user is to have, or take all away by --none")
	}
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	id := strings.ToLower(c.Name)
	if !c.None && len(c.Roles) == 0 {
		user, err := store.User(ctx, id)
		if err != nil {
			return err
		}
		fmt.Println(rolesText(user.Roles))
		return nil
	}
	var roles []string
	for _, some := range c.Roles {
		roles = append(roles, strings.Split(some, ",")...)
	}
	_, err = store.SetRoles(ctx, id, roles...)
	return err
}

// userPasswordCmd gives a user another password.
type userPasswordCmd struct {
	dataFlags
	passwordFlags
	Name string `arg:"" help:"The user."`
}

// Run sets the password and prints one that was made up. A server that runs ends the user's live connections.
func (c *userPasswordCmd) Run(ctx context.Context) (err error) {
	password, err := c.password()
	if err != nil {
		return err
	}
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	id := strings.ToLower(c.Name)
	if err := store.SetPassword(ctx, id, password); err != nil {
		return err
	}
	c.print(id, password)
	return nil
}

// userRemoveCmd removes a user.
type userRemoveCmd struct {
	dataFlags
	Name     string `arg:"" help:"The user."`
	OrdersTo string `help:"The user who gets the orders, with their history. Needed if there are any." placeholder:"USER"`
}

// Run removes the user. A server that runs ends the user's live connections.
func (c *userRemoveCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	err = store.RemoveUser(ctx, strings.ToLower(c.Name), strings.ToLower(c.OrdersTo))
	if errors.Is(err, signalbox.ErrConflict) {
		return fmt.Errorf("%w: say by --orders-to who gets them", err)
	}
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
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	ended, err := store.EndSubscription(ctx, strings.ToLower(c.Name), c.Topic)
	if err == nil && !ended {
		return fmt.Errorf("user %q has not subscribed to a topic %q", c.Name, c.Topic)
	}
	return err
}

// orderGiveCmd gives an order to another owner.
type orderGiveCmd struct {
	dataFlags
	ID    string `arg:"" help:"The order."`
	Owner string `arg:"" help:"The user who is to own it."`
}

// Run gives the order away; a server that runs ends what its former owner sees of it.
func (c *orderGiveCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	_, err = store.TransferOrder(ctx, c.ID, strings.ToLower(c.Owner))
	return err
}

// closeInto closes c and keeps its error if there is none yet.
func closeInto(err *error, c interface{ Close() error }) {
	if closeErr := c.Close(); *err == nil {
		*err = closeErr
	}
}
