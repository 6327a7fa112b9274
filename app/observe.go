// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"flyball/fault"
)

// tracing sends spans to where the environment says (OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, with OpenTelemetry's other variables); nowhere
// where it says nothing. end sends what waits.
func tracing(ctx context.Context, version string) (tp trace.TracerProvider, end func(context.Context) error, err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Invalid, "the traces cannot be sent as OTEL_EXPORTER_OTLP_ENDPOINT says")
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "flyball"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Invalid, "OTEL_RESOURCE_ATTRIBUTES or OTEL_SERVICE_NAME cannot be read")
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return p, p.Shutdown, nil
}

// observe gives each request a span, where spans are sent, and a line in the access log,
// where there is one. Neither holds a row, a key or a query: the route, not the path
// below it, names the request.
func (a *App) observe(next http.Handler) http.Handler {
	_, untraced := a.traces.(noop.TracerProvider)
	if untraced && !a.cfg.AccessLog {
		return next
	}
	tracer, from := a.traces.Tracer("flyball"), propagation.TraceContext{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ctx := from.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		out := &answered{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(ctx) // the mux writes the pattern it found into this one
		next.ServeHTTP(out, r)
		route := r.Pattern
		if route == "" {
			route = r.Method + " (no route)"
		}
		span.SetName(route)
		span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", out.status), attribute.String("flyball.model", r.PathValue("model")))
		if out.status >= 500 {
			span.SetStatus(codes.Error, http.StatusText(out.status))
		}
		if a.cfg.AccessLog {
			a.access(r, route, out, time.Since(began), span.SpanContext())
		}
	})
}

// access writes a request's line.
func (a *App) access(r *http.Request, route string, out *answered, took time.Duration, s trace.SpanContext) {
	attrs := []slog.Attr{
		slog.String("route", route), slog.Int("status", out.status), slog.Int64("bytes", out.bytes),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("from", hostname(r.RemoteAddr)),
	}
	if m := r.PathValue("model"); m != "" {
		attrs = append(attrs, slog.String("model", m))
	}
	if s.HasTraceID() {
		attrs = append(attrs, slog.String("trace", s.TraceID().String()))
	}
	a.cfg.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}

// answered counts what goes out.
type answered struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find what the server's own writer can do.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
