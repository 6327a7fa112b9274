// SPDX-License-Identifier: Apache-2.0

//go:build azure

package bucket

import (
	"context"

	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"flyball/fault"
)

// azure opens containers of Azure's Blob Storage with what AZURE_STORAGE_ACCOUNT and its
// neighbours say; AZURE_STORAGE_DOMAIN and AZURE_STORAGE_PROTOCOL name another server.
// A writer of it whose write fails panics (gocloud.dev 0.47 to 0.49), so nothing here writes
// by NewWriter or WriteAll, but by Upload.
func azure() opener {
	return func(ctx context.Context, name string) (*blob.Bucket, error) {
		url, err := azureblob.NewServiceURL(azureblob.NewDefaultServiceURLOptions())
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "azblob://%s: the environment does not name the account (AZURE_STORAGE_ACCOUNT)", name)
		}
		client, err := azureblob.NewDefaultClient(url, azureblob.ContainerName(name))
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "azblob://%s: there are no credentials of Azure in the environment", name)
		}
		b, err := azureblob.OpenBucket(ctx, client, nil)
		return b, fault.Wrap(err, fault.Unavailable, "azblob://%s cannot be opened", name)
	}
}
