// Sends one trace, one counter and one log record by the OpenTelemetry SDK for Go, over the
// protocol that its first argument names (grpc or http/protobuf) to
// OTEL_EXPORTER_OTLP_ENDPOINT, and exits 1 with a sentence when any of it is refused.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var failed error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { failed = errors.Join(failed, err) }))
	if err := errors.Join(send(ctx, os.Args[1] == "grpc"), failed); err != nil {
		fmt.Fprintln(os.Stderr, "not sent:", err)
		os.Exit(1)
	}
}

func send(ctx context.Context, grpc bool) error {
	spans, points, records, err := exporters(ctx, grpc)
	if err != nil {
		return err
	}
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans))
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(points)))
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))

	parent, server := tracers.Tracer("go").Start(ctx, "GET /orders/{id}",
		api.WithSpanKind(api.SpanKindServer),
		api.WithAttributes(
			attribute.String("http.request.method", "GET"),
			attribute.String("http.route", "/orders/{id}"),
			attribute.Int("http.response.status_code", 500),
			attribute.StringSlice("tags", []string{"a", "b"}),
		))
	_, client := tracers.Tracer("go").Start(parent, "SELECT orders", api.WithSpanKind(api.SpanKindClient))
	client.End()
	server.RecordError(errors.New("the card of ada@example.com was refused"), api.WithStackTrace(true))
	server.SetStatus(codes.Error, "refused")
	server.End()

	orders, err := meters.Meter("go").Int64Counter("shop.orders")
	if err != nil {
		return err
	}
	orders.Add(ctx, 3)
	took, err := meters.Meter("go").Float64Histogram("shop.order.duration")
	if err != nil {
		return err
	}
	took.Record(ctx, 0.25)

	var record log.Record
	record.SetTimestamp(time.Now())
	record.SetSeverity(log.SeverityError)
	record.SetBody(attribute.StringValue("an order by Go"))
	loggers.Logger("go").Emit(parent, record)
	return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx), loggers.Shutdown(ctx))
}

func exporters(ctx context.Context, grpc bool) (
	spans trace.SpanExporter, points metric.Exporter, records sdklog.Exporter, err error,
) {
	var errs [3]error
	if grpc {
		spans, errs[0] = otlptracegrpc.New(ctx)
		points, errs[1] = otlpmetricgrpc.New(ctx)
		records, errs[2] = otlploggrpc.New(ctx)
	} else {
		spans, errs[0] = otlptracehttp.New(ctx)
		points, errs[1] = otlpmetrichttp.New(ctx)
		records, errs[2] = otlploghttp.New(ctx)
	}
	return spans, points, records, errors.Join(errs[:]...)
}
