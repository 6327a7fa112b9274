// SPDX-License-Identifier: Apache-2.0

// Package bucket opens the buckets of objects that a URL names: s3://name/prefix,
// file:///folder, and with the build tags gcs and azure also gs:// and azblob://. What
// proves who asks comes from the environment, as the provider's own tools read it. It
// keeps nothing: packages blob, predictionlog and cluster do.
package bucket

import (
	"context"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"flyball/fault"
)

// Open opens a folder of the bucket that a URL names, to be closed by the caller; empty:
// all of it. What stands behind the bucket's name is a prefix of all keys. A URL with a password or a query is an
// Invalid fault: those belong into the environment.
func Open(ctx context.Context, where, folder string) (*blob.Bucket, error) {
	u, err := url.Parse(where)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the place of the bucket is no URL").Do("write s3://bucket/prefix or file:///folder")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "the address of a bucket has more than its name and a prefix").
			Do("write s3://bucket/prefix; keys and endpoints come from the environment, such as AWS_ENDPOINT_URL_S3")
	}
	if u.Scheme == "file" {
		b, err := openFolder(u)
		return below(b, err, folder)
	}
	if u.Host == "" {
		return nil, fault.New(fault.Invalid, "%q names no bucket", where).Do("write s3://bucket/prefix or file:///folder")
	}
	var b *blob.Bucket
	switch u.Scheme {
	case "s3":
		b, err = S3(ctx, u.Host)
	default:
		b, err = other(ctx, u.Scheme, u.Host)
	}
	return below(b, err, strings.Trim(u.Path, "/")+"/"+folder)
}

// below is the part of a bucket whose keys begin with a prefix.
func below(b *blob.Bucket, err error, prefix string) (*blob.Bucket, error) {
	if prefix = strings.Trim(prefix, "/"); err == nil && prefix != "" {
		b = blob.PrefixedBucket(b, prefix+"/")
	}
	return b, err
}

// S3 opens a bucket with what the environment says of the account: AWS_REGION,
// AWS_ACCESS_KEY_ID and the rest. With AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 it is one
// of another provider, whose buckets are asked for in the path.
func S3(ctx context.Context, name string) (*blob.Bucket, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "s3://%s: the settings of S3 in the environment cannot be read", name)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	own := os.Getenv("AWS_ENDPOINT_URL_S3") + os.Getenv("AWS_ENDPOINT_URL")
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = own != ""
		o.DisableLogOutputChecksumValidationSkipped = true // many objects have none
	})
	b, err := s3blob.OpenBucket(ctx, client, name, nil)
	return b, fault.Wrap(err, fault.Unavailable, "s3://%s cannot be opened", name)
}
