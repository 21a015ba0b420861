package web

import (
	"fmt"
	"net/http"

	"signalbox"
)

// ordersContent is the data of orders.html.
type ordersContent struct {
	Orders []signalbox.Order
	// Open is how many of them something is expected to happen to.
	Open int
}

func (s *Server) ordersPage(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	orders, err := s.opts.Orders.Orders(r.Context(), user.ID)
	if err != nil {
		return fmt.Errorf("list orders: %w", err)
	}
	content := ordersContent{Orders: orders}
	for _, order := range orders {
		if !order.Status.Final() {
			content.Open++
		}
	}
	return s.render(w, r, &user, page{template: "orders.html", Title: "Orders", Section: "orders", Content: content})
}
