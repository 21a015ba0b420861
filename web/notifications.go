package web

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"signalbox"
)

// notificationsPerPage is how many notifications one page shows.
const notificationsPerPage = 20

// notificationsContent is the data of notifications.html.
type notificationsContent struct {
	Items []notificationItem
	// Before is the sequence that the page begins below, 0 on the first page; Older is that of the next page, 0 on the last.
	Before, Older int64
	Topics        []topicItem
}

// notificationItem is a notification as pages show it.
type notificationItem struct {
	signalbox.Notification
	// Link leads to what the notification is about; it may be empty.
	Link string
	// Before is that of the page, to come back to it.
	Before int64
}

// topicItem is a topic that the user may hear.
type topicItem struct {
	Name       string
	Subscribed bool
}

// Blank is the item that scripts make new ones from.
func (notificationsContent) Blank() notificationItem { return notificationItem{} }

func (s *Server) notificationsPage(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	before, err := parseBefore(r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	inbox, err := s.inboxOf(r, user)
	if err != nil {
		return err
	}
	// One more than is shown tells whether there is another page.
	list, err := s.opts.Notifications.Notifications(r.Context(), user.ID, before, notificationsPerPage+1)
	if err != nil {
		return fmt.Errorf("list notifications: %w", err)
	}
	content := notificationsContent{Before: before}
	if len(list) > notificationsPerPage {
		list = list[:notificationsPerPage]
		content.Older = list[len(list)-1].Sequence
	}
	for _, n := range list {
		content.Items = append(content.Items, notificationItem{Notification: n, Link: linkOf(n.NotificationMessage), Before: before})
	}
	if content.Topics, err = s.topicItems(r, user); err != nil {
		return err
	}
	return s.render(w, r, &user, page{
		template: "notifications.html", Title: "Notifications", Section: "notifications", Content: content, inbox: &inbox,
	})
}

// topicItems lists the topics that the user may hear, by name.
func (s *Server) topicItems(r *http.Request, user signalbox.User) ([]topicItem, error) {
	subscribed, err := s.opts.Subscriptions.Subscriptions(r.Context(), user.ID)
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	var items []topicItem
	for _, topic := range slices.Sorted(maps.Keys(s.opts.Topics)) {
		if s.opts.Topics.Allows(topic, user) {
			items = append(items, topicItem{Name: topic, Subscribed: slices.Contains(subscribed, topic)})
		}
	}
	return items, nil
}

// linkOf returns the page of the order that a message is about, or nothing.
func linkOf(m signalbox.NotificationMessage) string {
	var data struct {
		OrderID string `json:"orderId"`
	}
	if len(m.Data) == 0 || json.Unmarshal(m.Data, &data) != nil || data.OrderID == "" {
		return ""
	}
	return "/orders/" + url.PathEscape(data.OrderID)
}

func (s *Server) markAsRead(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.opts.Notifications.MarkAsRead(r.Context(), user.ID, id); err != nil {
		return fmt.Errorf("mark a notification as read: %w", err)
	}
	back, err := backToNotifications(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, back+"#notification-"+url.PathEscape(id), http.StatusSeeOther)
	return nil
}

func (s *Server) markAllAsRead(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if _, err := s.opts.Notifications.MarkAllAsRead(r.Context(), user.ID); err != nil {
		return fmt.Errorf("mark all notifications as read: %w", err)
	}
	back, err := backToNotifications(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
	return nil
}

func (s *Server) changeSubscription(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	if err := parseForm(r); err != nil {
		return err
	}
	var change func(ctx context.Context, userID, topic string) error
	switch r.PostForm.Get("action") {
	case "subscribe":
		change = s.opts.Subscriptions.Subscribe
	case "unsubscribe":
		change = s.opts.Subscriptions.Unsubscribe
	default:
		return &signalbox.InvalidError{Field: "action", Reason: "must be subscribe or unsubscribe"}
	}
	if err := change(r.Context(), user.ID, r.PostForm.Get("topic")); err != nil {
		return fmt.Errorf("change a subscription: %w", err)
	}
	http.Redirect(w, r, "/notifications#topics", http.StatusSeeOther)
	return nil
}

// backToNotifications returns the address of the page of notifications that a form was posted from.
func backToNotifications(r *http.Request) (string, error) {
	before, err := parseBefore(r.PostForm.Get("before"))
	if err != nil || before == 0 {
		return "/notifications", err
	}
	return "/notifications?before=" + strconv.FormatInt(before, 10), nil
}

// parseBefore reads a parameter "before": the sequence of a notification, below which to begin. Nothing means 0, which
// is from the newest.
func parseBefore(value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	before, err := strconv.ParseInt(value, 10, 64)
	if err != nil || before < 0 {
		return 0, &signalbox.InvalidError{Field: "before", Reason: "must be a whole number, not negative"}
	}
	return before, nil
}
