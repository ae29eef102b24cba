package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	databaseFolder = "/etc/public-api/database"
	authorityFile  = "/etc/public-api/authority/ca.crt"
	maxMark        = 200
	answerWithin   = 5 * time.Second
	uniqueBroken   = "23505"
)

// Order is one row: its mark is unique.
type Order struct {
	ID      int64
	Mark    string
	Created time.Time
}

// Orders keeps rows in PostgreSQL through the pool. Where to connect lies in files, which may change while it runs.
// uncommitted exists only so that the acceptance suite can plant an answer without a commit and see it caught.
type Orders struct {
	path        string
	table       string
	column      string
	folder      string
	authority   string
	uncommitted bool

	mu    sync.Mutex
	read  string
	pool  *pgxpool.Pool
	built time.Time
}

func newOrders() *Orders {
	return &Orders{folder: databaseFolder, authority: authorityFile, uncommitted: os.Getenv("ASSAY_UNCOMMITTED") != ""}
}

func (o *Orders) field(name string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(o.folder, name))
	return strings.TrimSpace(string(raw)), err
}

// settings returns the pool's configuration from the mounted files; the error says which one is missing, never a value.
func (o *Orders) settings() (*pgxpool.Config, string, error) {
	values := map[string]string{}
	var all strings.Builder
	for _, name := range []string{"host", "port", "dbname", "username", "password"} {
		value, err := o.field(name)
		if err != nil {
			return nil, "", err
		}
		values[name] = value
		all.WriteString(value + "\x00")
	}
	port, err := strconv.ParseUint(values["port"], 10, 16)
	if err != nil {
		return nil, "", errors.New("port: not a number")
	}
	pem, err := os.ReadFile(o.authority)
	if err != nil {
		return nil, "", err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, "", errors.New("the authority's file holds no certificate")
	}
	config, err := pgxpool.ParseConfig("pool_max_conns=8 pool_max_conn_lifetime=10m connect_timeout=3")
	if err != nil {
		return nil, "", err
	}
	c := config.ConnConfig
	c.Host, c.Port, c.Database = values["host"], uint16(port), values["dbname"]
	c.User, c.Password, c.Fallbacks = values["username"], values["password"], nil
	c.TLSConfig = &tls.Config{RootCAs: roots, ServerName: values["host"], MinVersion: tls.VersionTLS12}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // the pool in between gives every transaction another connection
	return config, all.String() + string(pem), nil
}

// connected returns a pool made of the files as they are now; it is made anew when they change.
func (o *Orders) connected() (*pgxpool.Pool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pool != nil && time.Since(o.built) < 5*time.Second {
		return o.pool, nil
	}
	config, read, err := o.settings()
	if err != nil {
		return nil, err
	}
	o.built = time.Now()
	if o.pool != nil && read == o.read {
		return o.pool, nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, errors.New("the database's settings are not usable")
	}
	if o.pool != nil {
		go o.pool.Close()
	}
	o.pool, o.read = pool, read
	return pool, nil
}

func (o *Orders) create(w http.ResponseWriter, r *http.Request) {
	wanted := map[string]string{}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&wanted)
	mark := wanted[o.column]
	if err != nil || len(wanted) != 1 || mark == "" || len(mark) > maxMark {
		text := fmt.Sprintf("a JSON object with nothing but a %s of 1 to %d characters is wanted", o.column, maxMark)
		http.Error(w, text, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	made, err := o.insert(ctx, mark)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("%s/%d", o.path, made.ID))
	answer(w, http.StatusCreated, o.shown(made))
}

// insert returns the row once it is committed, which with a synchronous standby means: on two disks.
func (o *Orders) insert(ctx context.Context, mark string) (Order, error) {
	made := Order{Mark: mark}
	pool, err := o.connected()
	if err != nil {
		return made, errNoDatabase
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return made, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	insert := fmt.Sprintf("INSERT INTO %s (%s) VALUES ($1) RETURNING id, created", quoted(o.table), quoted(o.column))
	row := tx.QueryRow(ctx, insert, mark)
	if err := row.Scan(&made.ID, &made.Created); err != nil {
		return made, err
	}
	if o.uncommitted {
		return made, nil
	}
	return made, tx.Commit(ctx)
}

func (o *Orders) show(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	pool, err := o.connected()
	if err != nil {
		refuse(w, errNoDatabase)
		return
	}
	found := Order{ID: id}
	query := fmt.Sprintf("SELECT %s, created FROM %s WHERE id = $1", quoted(o.column), quoted(o.table))
	err = pool.QueryRow(ctx, query, id).Scan(&found.Mark, &found.Created)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, o.shown(found))
}

// shown is an order as JSON: its mark bears the name of the column.
func (o *Orders) shown(order Order) map[string]any {
	return map[string]any{"id": order.ID, o.column: order.Mark, "created": order.Created}
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

var errNoDatabase = errors.New("no database is configured")

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// refuse answers without details: what the database says goes to the log, by its code.
func refuse(w http.ResponseWriter, err error) {
	var said *pgconn.PgError
	switch {
	case errors.Is(err, errNoDatabase):
		http.Error(w, "orders are not served here: no database is configured", http.StatusServiceUnavailable)
	case errors.Is(err, pgx.ErrNoRows):
		http.Error(w, "no such order", http.StatusNotFound)
	case errors.As(err, &said) && said.Code == uniqueBroken:
		http.Error(w, "this mark is taken", http.StatusConflict)
	default:
		code := "none"
		if said != nil {
			code = said.Code
		}
		slog.Warn("order failed", "code", code, "kind", fmt.Sprintf("%T", err))
		http.Error(w, "the order is not known to be stored", http.StatusBadGateway)
	}
}
