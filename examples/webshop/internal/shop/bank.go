package shop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// DeclinedCard is the number of the card that the bank declines. It accepts all others.
const DeclinedCard = "4000-0002"

// bank is a gRPC server that plays the bank, and the client that charges cards with it.
type bank struct {
	server *grpc.Server
	served sync.WaitGroup
	conn   *grpc.ClientConn
}

// chargeMethod is the full name of the bank's only method.
const chargeMethod = "/bank.Cards/Charge"

// chargeHandler is the server's side of the bank's only method.
type chargeHandler interface {
	Charge(context.Context, *structpb.Struct) (*wrapperspb.StringValue, error)
}

// cardsService describes the bank's gRPC service by hand. Its messages are well-known types, so that the example
// needs no code generator.
var cardsService = grpc.ServiceDesc{
	ServiceName: "bank.Cards",
	HandlerType: (*chargeHandler)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Charge",
		Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			req := &structpb.Struct{}
			if err := decode(req); err != nil {
				return nil, err
			}
			return srv.(chargeHandler).Charge(ctx, req)
		},
	}},
}

func startBank() (*bank, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the bank: %w", err)
	}
	conn, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(otelgrpc.NewClientHandler()))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to the bank: %w", err), listener.Close())
	}
	b := &bank{server: grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler())), conn: conn}
	b.server.RegisterService(&cardsService, teller{})
	// Serve's error is always that of close.
	b.served.Go(func() { _ = b.server.Serve(listener) })
	return b, nil
}

func (b *bank) close() error {
	err := b.conn.Close()
	b.server.GracefulStop()
	b.served.Wait()
	return err
}

// charge returns the bank's authorization, or an error with the code FailedPrecondition if the card is declined.
func (b *bank) charge(ctx context.Context, card string, cents int) (authorization string, err error) {
	req, err := structpb.NewStruct(map[string]any{"card": card, "cents": cents})
	if err != nil {
		return "", fmt.Errorf("charging a card: %w", err)
	}
	res := &wrapperspb.StringValue{}
	if err := b.conn.Invoke(ctx, chargeMethod, req, res); err != nil {
		return "", fmt.Errorf("charging a card: %w", err)
	}
	return res.GetValue(), nil
}

// teller is the bank's side.
type teller struct{}

func (teller) Charge(ctx context.Context, req *structpb.Struct) (*wrapperspb.StringValue, error) {
	card := req.GetFields()["card"].GetStringValue()
	if err := checkFraud(ctx, card); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Millisecond)
	return wrapperspb.String("ok-" + strings.TrimPrefix(card, "4000-")), nil
}

func checkFraud(ctx context.Context, card string) error {
	_, span := otel.Tracer(scope).Start(ctx, "check fraud")
	defer span.End()
	time.Sleep(time.Millisecond)
	if card == DeclinedCard {
		return status.Error(codes.FailedPrecondition, "card declined")
	}
	return nil
}
