// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"context"

	"gocloud.dev/blob"

	"flyball/fault"
)

// opener opens a bucket of a provider by its name.
type opener func(ctx context.Context, name string) (*blob.Bucket, error)

// other opens the buckets of the providers that this binary was built with.
func other(ctx context.Context, scheme, name string) (*blob.Bucket, error) {
	open := map[string]opener{"gs": gcs(), "azblob": azure()}
	switch do, known := open[scheme]; {
	case do != nil:
		return do(ctx, name)
	case known:
		return nil, fault.New(fault.Invalid, "this binary was built without %s:// buckets", scheme).Do("build it with go build -tags gcs,azure ./cmd/flyball")
	}
	return nil, fault.New(fault.Invalid, "%s:// is no bucket", scheme).Do("write s3://bucket/prefix, gs://bucket/prefix, azblob://container/prefix or file:///folder")
}
