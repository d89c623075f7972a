package listen

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Guard lets requests pass that have a token and are addressed to an allowed host. It is safe for concurrent use.
type Guard struct {
	// Denied counts requests without a right token, Misaddressed those to another host.
	Denied, Misaddressed atomic.Int64

	tokens [][sha256.Size]byte
	hosts  map[string]bool
	any    bool
}

// Guard returns the guard for the configured tokens and hosts.
func (c *Config) Guard() *Guard {
	g := &Guard{hosts: map[string]bool{"localhost": true}}
	for _, token := range c.Tokens {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(token)))
	}
	for _, host := range c.Hosts {
		g.hosts[strings.ToLower(host)] = true
		g.any = g.any || host == "*"
	}
	return g
}

// TokensFrom reads tokens: those of a list separated by commas, as it stands in the environment, and one a line from a file, if
// there is one.
func TokensFrom(file, list string) ([]string, error) {
	tokens := tokensIn(strings.ReplaceAll(list, ",", "\n"))
	if file == "" {
		return tokens, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens: %w", err)
	}
	more := tokensIn(string(data))
	if len(more) == 0 {
		return nil, fmt.Errorf("the file %s has no tokens", file)
	}
	return append(tokens, more...), nil
}

func tokensIn(lines string) []string {
	var tokens []string
	for line := range strings.Lines(lines) {
		if token := strings.TrimSpace(line); token != "" && !strings.HasPrefix(token, "#") {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// check returns why a request must not pass: codes.OK if it may.
func (g *Guard) check(host, authorization string) (codes.Code, string) {
	if !g.hostAllowed(host) {
		g.Misaddressed.Add(1)
		return codes.PermissionDenied, "the host that the request is addressed to is not one of this server's"
	}
	if !g.tokenValid(authorization) {
		g.Denied.Add(1)
		return codes.Unauthenticated, "a valid bearer token is needed"
	}
	return codes.OK, ""
}

// tokenValid compares with all tokens, in a time that depends on none of them.
func (g *Guard) tokenValid(authorization string) bool {
	if len(g.tokens) == 0 {
		return true
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	found := 0
	for i := range g.tokens {
		found |= subtle.ConstantTimeCompare(given[:], g.tokens[i][:])
	}
	return found == 1
}

// hostAllowed reports whether the host, with or without a port, is an address or one of the names.
func (g *Guard) hostAllowed(host string) bool {
	if g.any {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return g.hosts[host] || net.ParseIP(strings.Trim(host, "[]")) != nil
}

// Handler lets requests pass to next. Calls of gRPC are refused as gRPC does it.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, message := g.check(r.Host, r.Header.Get("Authorization"))
		switch {
		case code == codes.OK:
			next.ServeHTTP(w, r)
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", strconv.Itoa(int(code)))
			w.Header().Set("Grpc-Message", message)
			w.WriteHeader(http.StatusOK)
		case code == codes.Unauthenticated:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, message, http.StatusUnauthorized)
		default:
			http.Error(w, message, http.StatusMisdirectedRequest)
		}
	})
}

// Unary and Stream let the calls of a server of grpc pass.
func (g *Guard) Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.checkCall(ctx); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// Stream is Unary for streams.
func (g *Guard) Stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := g.checkCall(stream.Context()); err != nil {
		return err
	}
	return next(srv, stream)
}

func (g *Guard) checkCall(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	first := func(key string) string {
		if values := md.Get(key); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	if code, message := g.check(first(":authority"), first("authorization")); code != codes.OK {
		return status.Error(code, message)
	}
	return nil
}
