// SPDX-License-Identifier: Apache-2.0

//go:build gcs

package bucket

import (
	"context"

	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"

	"flyball/fault"
)

// gcs opens buckets of Google Cloud Storage with the application's default credentials.
func gcs() opener {
	return func(ctx context.Context, name string) (*blob.Bucket, error) {
		creds, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "gs://%s: there are no credentials of Google Cloud in the environment", name)
		}
		client, err := gcp.NewHTTPClient(gcp.DefaultTransport(), gcp.CredentialsTokenSource(creds))
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "gs://%s cannot be opened", name)
		}
		b, err := gcsblob.OpenBucket(ctx, client, name, nil)
		return b, fault.Wrap(err, fault.Unavailable, "gs://%s cannot be opened", name)
	}
}
