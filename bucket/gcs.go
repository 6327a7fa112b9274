// SPDX-License-Identifier: Apache-2.0

//go:build gcs

package bucket

import (
	"context"
	"os"

	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"

	"flyball/fault"
)

// gcs opens buckets of Google Cloud Storage with the application's default credentials.
// STORAGE_EMULATOR_HOST names another server of its protocol, which asks for none.
func gcs() opener {
	return func(ctx context.Context, name string) (*blob.Bucket, error) {
		if os.Getenv("STORAGE_EMULATOR_HOST") != "" {
			b, err := gcsblob.OpenBucket(ctx, gcp.NewAnonymousHTTPClient(gcp.DefaultTransport()), name, nil)
			return b, fault.Wrap(err, fault.Unavailable, "gs://%s cannot be opened", name)
		}
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
