// Command public-api is the platform's public API in its smallest honest form: a catalogue of items, ranked and encoded
// anew for every request, so that an answer costs a few milliseconds of real work.
//
// It also takes orders and keeps them in PostgreSQL, where files say how that is reached; without them orders are 503.
//
// Its paths, the table of the orders and the column of their mark are flags.
//
// Three environment variables exist only so that the acceptance suite can plant violations and see them caught:
// ASSAY_DELAY_MS (milliseconds added), ASSAY_DELAY_SHARE (share of the requests that get it, 0 to 1; 1 when absent) and
// ASSAY_UNCOMMITTED (orders are confirmed, but not committed).
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	catalogueSize = 2000
	pageSize      = 50
	rounds        = 4
)

// Item is one article of the shop.
type Item struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Cents int    `json:"cents"`
	Rank  string `json:"rank"`
}

// Fault is the planted delay; its zero value plants nothing.
type Fault struct {
	delay time.Duration
	share float64
}

// API serves the items and counts what it served.
type API struct {
	path     string
	fault    Fault
	orders   *Orders
	ready    atomic.Bool
	served   atomic.Int64
	failed   atomic.Int64
	delayed  atomic.Int64
	workNano atomic.Int64
}

func readFault() (Fault, error) {
	raw := os.Getenv("ASSAY_DELAY_MS")
	if raw == "" {
		return Fault{}, nil
	}
	millis, err := strconv.Atoi(raw)
	if err != nil || millis < 0 {
		return Fault{}, fmt.Errorf("ASSAY_DELAY_MS: not a number of milliseconds: %q", raw)
	}
	share := 1.0
	if text := os.Getenv("ASSAY_DELAY_SHARE"); text != "" {
		if share, err = strconv.ParseFloat(text, 64); err != nil || share < 0 || share > 1 {
			return Fault{}, fmt.Errorf("ASSAY_DELAY_SHARE: not a share from 0 to 1: %q", text)
		}
	}
	return Fault{time.Duration(millis) * time.Millisecond, share}, nil
}

// rank gives every item a place for this request and returns the first page of them.
func rank(seed uint64) []Item {
	items := make([]Item, catalogueSize)
	for i := range items {
		sum := sha256.Sum256([]byte(fmt.Sprintf("%d/%d", seed, i)))
		for range rounds {
			sum = sha256.Sum256(sum[:])
		}
		items[i] = Item{i, fmt.Sprintf("item %d", i), 100 + int(sum[0])*7, hex.EncodeToString(sum[:8])}
	}
	sort.Slice(items, func(a, b int) bool { return items[a].Rank < items[b].Rank })
	return items[:pageSize]
}

func (a *API) items(w http.ResponseWriter, _ *http.Request) {
	start := time.Now()
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(map[string]any{"items": rank(rand.Uint64()), "total": catalogueSize}); err != nil {
		a.failed.Add(1)
		http.Error(w, "cannot encode", http.StatusInternalServerError)
		return
	}
	a.workNano.Add(int64(time.Since(start)))
	if a.fault.delay > 0 && rand.Float64() < a.fault.share {
		a.delayed.Add(1)
		time.Sleep(a.fault.delay)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	a.served.Add(1)
	_, _ = body.WriteTo(w)
}

func (a *API) readyz(w http.ResponseWriter, _ *http.Request) {
	if !a.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (a *API) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE api_requests_total counter\napi_requests_total %d\n", a.served.Load())
	fmt.Fprintf(w, "# TYPE api_failures_total counter\napi_failures_total %d\n", a.failed.Load())
	fmt.Fprintf(w, "# TYPE api_planted_delays_total counter\napi_planted_delays_total %d\n", a.delayed.Load())
	fmt.Fprintf(w, "# TYPE api_work_seconds_total counter\napi_work_seconds_total %g\n", time.Duration(a.workNano.Load()).Seconds())
}

func (a *API) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+a.path, a.items)
	mux.HandleFunc("POST "+a.orders.path, a.orders.create)
	mux.HandleFunc("GET "+a.orders.path+"/{id}", a.orders.show)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /metrics", a.metrics)
	return mux
}

// serve runs until the context ends, then says "not ready" long enough for the endpoints to be withdrawn, then drains.
func (a *API) serve(ctx context.Context, server *http.Server, linger time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	a.ready.Store(true)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.ready.Store(false)
	time.Sleep(linger)
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}

func main() {
	items := flag.String("items", "/api/v1/items", "path of the catalogue")
	orders := newOrders()
	flag.StringVar(&orders.path, "orders", "/api/v1/orders", "path of the orders")
	flag.StringVar(&orders.table, "table", "orders", "table of the orders")
	flag.StringVar(&orders.column, "column", "mark", "column and JSON field of an order's mark")
	flag.Parse()
	fault, err := readFault()
	if err != nil {
		slog.Error("bad configuration", "error", err)
		os.Exit(2)
	}
	api := &API{path: *items, fault: fault, orders: orders}
	server := &http.Server{Addr: ":8080", Handler: api.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	slog.Info("serving", "address", server.Addr, "planted_delay", fault.delay.String(), "share", fault.share)
	if err := api.serve(ctx, server, 5*time.Second); err != nil && !errors.Is(err, http.ErrServerClosed) {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}
