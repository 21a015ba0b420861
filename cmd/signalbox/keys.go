package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// keyCreateCmd creates an API key.
type keyCreateCmd struct {
	dataFlags
	Name string `arg:"" optional:"" default:"default" help:"What the key is for, so that it is known again."`
}

// Run creates the key and prints it, alone on standard output.
func (c *keyCreateCmd) Run(ctx context.Context) (err error) {
	store, err := c.openOrMake(ctx)
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

// keyListCmd lists the API keys.
type keyListCmd struct{ dataFlags }

// Run prints a line for each key, without its secret, which nobody knows.
func (c *keyListCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	keys, err := store.APIKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		used := "never used"
		if k.LastUsedAt != nil {
			used = "last used " + k.LastUsedAt.Format(time.RFC3339)
		}
		fmt.Printf("%s\t%s\tcreated %s\t%s\n", k.ID, k.Name, k.CreatedAt.Format(time.RFC3339), used)
	}
	return nil
}

// keyRevokeCmd revokes an API key.
type keyRevokeCmd struct {
	dataFlags
	ID string `arg:"" help:"The key's id, as list says it, or the key itself, such as one that has leaked."`
}

// Run revokes the key and says which it was; a server that runs refuses it from the next request on.
func (c *keyRevokeCmd) Run(ctx context.Context) (err error) {
	store, err := c.existing(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)
	id := c.ID
	if strings.HasPrefix(id, "sbk_") {
		key, err := store.AuthenticateKey(ctx, id)
		if err != nil {
			return fmt.Errorf("this is no API key, or not any more: %w", err)
		}
		id = key.ID
	}
	key, err := store.RevokeAPIKey(ctx, id)
	if err != nil {
		return err
	}
	fmt.Printf("revoked %s\t%s\n", key.ID, key.Name)
	return nil
}
