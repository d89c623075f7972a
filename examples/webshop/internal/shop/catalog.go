package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/XSAM/otelsql"
	_ "modernc.org/sqlite" // the SQL driver "sqlite", without cgo
)

// Categories are the names of the product categories.
var Categories = []string{"bikes", "books", "clocks", "games", "garden", "lamps", "maps", "shoes", "teas", "tools"}

// ProductsPerCategory is how many products there are of each category. Their ids count up from 1.
const ProductsPerCategory = 20

// Product is something to buy.
type Product struct {
	ID       int    `json:"id"`
	Category string `json:"category"`
	Name     string `json:"name"`
	Cents    int    `json:"cents"`
}

// catalog is the database. The first line of each query names it, and with it its span: see queryName.
type catalog struct{ db *sql.DB }

const schema = `-- name: create schema
CREATE TABLE products (id INTEGER PRIMARY KEY, category TEXT NOT NULL, name TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE INDEX products_category ON products (category);
CREATE TABLE orders (id INTEGER PRIMARY KEY, product INTEGER NOT NULL, authorization TEXT NOT NULL, shipped INTEGER NOT NULL DEFAULT 0)`

func openCatalog(ctx context.Context, dir string) (*catalog, error) {
	dsn := "file:" + filepath.ToSlash(filepath.Join(dir, "shop.db")) +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(10000)&_txlock=immediate"
	db, err := otelsql.Open("sqlite", dsn,
		otelsql.WithSpanNameFormatter(queryName),
		otelsql.WithSpanOptions(otelsql.SpanOptions{OmitConnResetSession: true, OmitConnectorConnect: true, OmitRows: true}),
	)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	db.SetMaxOpenConns(4)
	c := &catalog{db}
	if err := c.fill(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("filling the database: %w", err), db.Close())
	}
	return c, nil
}

func (c *catalog) close() error { return c.db.Close() }

// queryName names the span of a query after the query's first line, and of anything else after the operation.
func queryName(_ context.Context, method otelsql.Method, query string) string {
	if rest, ok := strings.CutPrefix(query, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, "\n")
		return name
	}
	return string(method)
}

func (c *catalog) fill(ctx context.Context) error {
	if _, err := c.db.ExecContext(ctx, schema); err != nil {
		return err
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i, category := range Categories {
		for j := range ProductsPerCategory {
			id := i*ProductsPerCategory + j + 1
			_, err := tx.ExecContext(ctx, "-- name: insert product\nINSERT INTO products (id, category, name, cents) VALUES (?, ?, ?, ?)",
				id, category, fmt.Sprintf("%s no. %d", strings.TrimSuffix(category, "s"), j+1), 199+id*37%9000)
			if err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
	}
	return tx.Commit()
}

func (c *catalog) product(ctx context.Context, id int) (Product, error) {
	var p Product
	row := c.db.QueryRowContext(ctx, "-- name: product by id\nSELECT id, category, name, cents FROM products WHERE id = ?", id)
	err := row.Scan(&p.ID, &p.Category, &p.Name, &p.Cents)
	return p, err
}

func (c *catalog) idsInCategory(ctx context.Context, category string) ([]int, error) {
	rows, err := c.db.QueryContext(ctx, "-- name: ids in category\nSELECT id FROM products WHERE category = ? ORDER BY id", category)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (c *catalog) featured(ctx context.Context) ([]Product, error) {
	return c.products(ctx, "-- name: featured products\nSELECT id, category, name, cents FROM products WHERE id % 17 = 0")
}

func (c *catalog) search(ctx context.Context, text string) ([]Product, error) {
	return c.products(ctx, "-- name: search products\nSELECT id, category, name, cents FROM products WHERE name LIKE '%' || ? || '%' LIMIT 10", text)
}

func (c *catalog) products(ctx context.Context, query string, args ...any) ([]Product, error) {
	rows, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	products := []Product{}
	for rows.Next() {
		var p Product
		if err := rows.Scan(&p.ID, &p.Category, &p.Name, &p.Cents); err != nil {
			return nil, err
		}
		products = append(products, p)
	}
	return products, rows.Err()
}

func (c *catalog) saveOrder(ctx context.Context, product int, authorization string) (id int64, err error) {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, "-- name: insert order\nINSERT INTO orders (product, authorization) VALUES (?, ?)", product, authorization)
	if err != nil {
		return 0, errors.Join(err, tx.Rollback())
	}
	if id, err = res.LastInsertId(); err != nil {
		return 0, errors.Join(err, tx.Rollback())
	}
	return id, tx.Commit()
}

func (c *catalog) markShipped(ctx context.Context, order int64) error {
	_, err := c.db.ExecContext(ctx, "-- name: mark shipped\nUPDATE orders SET shipped = 1 WHERE id = ?", order)
	return err
}
